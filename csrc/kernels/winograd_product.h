// The matrix products between Winograd's transforms, whose widths are whole vectors.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// Tiles of sums fill the registers: 6 x 4 vectors where there are 32, 6 x 2 where there are 16.
inline constexpr int kPanelVectors = kVectorRegisters == 32 ? 4 : 2;
inline constexpr Index kPanel = kPanelVectors * kLanes<float>;

constexpr int tile_rows(int vectors) {
  if (vectors == 1) return kVectorRegisters / 2;
  return vectors == kPanelVectors ? 6 : vectors == 2 ? 14 : 8;
}

// c[m, width] = a @ b or c + a @ b. Element (r, p) of a is a[r * a_row + p * a_step]; rows of b and
// c are contiguous. Every element is one chain of multiply-adds in the order of p, from c on.
struct Strip {
  Index k;
  const float* a;
  Index a_row, a_step;
  const float* b;
  Index ldb;
  float* c;
  Index ldc;
  bool accumulate;
};

// `count` tiles of kRows rows, one below the other.
template <int kRows, int kVectors>
void run_strip_tiles(const Strip& s, Index count) {
  constexpr int lanes = kLanes<float>;
  constexpr int groups = (kRows + 2) / 3;  // an address can add 0, 1 or 2 rows to a pointer
  const Index a_row = s.a_row, a_step = s.a_step, ldb = s.ldb, ldc = s.ldc;
  const float* a = s.a;
  float* c = s.c;
  for (; count > 0; --count) {
    Vector<float> sum[kRows][kVectors] = {};
    if (s.accumulate) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[r][v] = load(c + r * ldc + v * lanes);
      }
    }
    const float* group[groups];
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) group[g] = a + 3 * g * a_row;
    const float* b = s.b;
    for (Index p = s.k; p > 0; --p) {
      // Hides where the pointers come from: the compiler would trade them for offsets and spill.
#pragma GCC unroll 6
      for (int g = 0; g < groups; ++g) asm("" : "+r"(group[g]));
      Vector<float> row[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) row[v] = load(b + v * lanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Vector<float> scalar = broadcast(group[r / 3][r % 3 * a_row]);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[r][v] += scalar * row[v];
      }
#pragma GCC unroll 6
      for (int g = 0; g < groups; ++g) group[g] += a_step;
      b += ldb;
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) store(c + r * ldc + v * lanes, sum[r][v]);
    }
    a += kRows * a_row;
    c += kRows * ldc;
  }
}

template <int kVectors, size_t... R>
inline void run_height(Index rows, const Strip& s, Index count, std::index_sequence<R...>) {
  static constexpr void (*all[])(const Strip&,
                                 Index) = {run_strip_tiles<static_cast<int>(R) + 1, kVectors>...};
  all[rows - 1](s, count);
}

// m rows cut into nearly equal tiles: 32 = 6 + 6 + 5 + 5 + 5 + 5.
template <int kVectors>
void run_panel(Strip s, Index m) {
  constexpr Index most = tile_rows(kVectors);
  constexpr auto heights = std::make_index_sequence<most>{};
  const Index count = (m + most - 1) / most, height = m / count, higher = m % count;
  if (higher > 0) {
    run_height<kVectors>(height + 1, s, higher, heights);
    s.a += higher * (height + 1) * s.a_row;
    s.c += higher * (height + 1) * s.ldc;
  }
  run_height<kVectors>(height, s, count - higher, heights);
}

// The panel of b and c that `vectors` wide strips make.
inline void run_panel(const Strip& s, Index m, Index vectors) {
  if (vectors == 1) return run_panel<1>(s, m);
  if (vectors == 2) return run_panel<2>(s, m);
  if constexpr (kPanelVectors == 4) {
    if (vectors == 3) return run_panel<3>(s, m);
    run_panel<4>(s, m);
  }
}

}  // namespace fastnn::FASTNN_ISA
