// The micro-kernel of the dense family: one small tile of a matrix product, held in registers.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// A column of tiles of c = start + a @ b, all of one width. Element (r, p) of a is
// a[r * a_row + p * a_step]: one kernel reads a matrix or its transpose. Rows of b and c are
// contiguous. Every element of c is one chain of fused multiply-adds in the order of p, so its
// bits depend neither on the tile it falls in nor on the call.
template <class T>
struct Tiles {
  Index k;  // length of the sums
  const T* a;
  Index a_row, a_step;
  const T* b;
  Index ldb;
  // Where the last vector of columns begins: it may overlap the one before, when the width is not
  // a multiple of the lanes (both compute the same bits). Partial tiles: the number of columns.
  Index last;
  const T* start;  // where the sums of each column begin (a bias); null: zeros
  T* c;
  Index ldc;
  bool relu;
};

// Runs `count` tiles of kRows x (kVectors vectors), one below the other. The sums live in
// kRows * kVectors registers; each step of p loads kVectors vectors of b and repeats kRows
// scalars of a. kPartial: one vector, of which only `last` lanes exist in memory.
template <class T, int kRows, int kVectors, bool kPartial>
void run_tiles(const Tiles<T>& t, Index count) {
  constexpr int lanes = kLanes<T>;
  const auto column = [&](int v) { return v < kVectors - 1 || kPartial ? v * lanes : t.last; };
  const auto read = [&](const T* p) { return kPartial ? load_first(p, t.last) : load(p); };
  for (Index tile = 0; tile < count; ++tile) {
    Vector<T> sum[kRows][kVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = t.start == nullptr ? Vector<T>{} : read(t.start + column(v));
      }
    }
    const T* a = t.a + tile * kRows * t.a_row;
    const T* b = t.b;
    for (Index p = 0; p < t.k; ++p) {
      Vector<T> bv[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) bv[v] = read(b + column(v));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Vector<T> av = broadcast(a[r * t.a_row]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] += av * bv[v];
      }
      a += t.a_step;
      b += t.ldb;
    }
    T* c = t.c + tile * kRows * t.ldc;
    if (t.relu) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] = sum[r][v] < T(0) ? Vector<T>{} : sum[r][v];
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (kPartial) store_first(c + r * t.ldc, sum[r][v], t.last);
        if constexpr (!kPartial) store(c + r * t.ldc + column(v), sum[r][v]);
      }
    }
  }
}

}  // namespace fastnn::FASTNN_ISA
