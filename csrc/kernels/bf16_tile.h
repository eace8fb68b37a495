// Products of bfloat16 factors: how numbers are rounded and paired, and the micro-kernel.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

using Pairs = Vector<Bf16Pair>;
using Floats = Vector<float>;

// --- rounding ------------------------------------------------------------------------------------

// Upper halves of the nearest bfloat16, ties to even, moved to the lower ones. Denormals are zero
// and NaN stays NaN.
inline Pairs rounded_halves(Floats x) {
  const Pairs bits = reinterpret_cast<Pairs>(x);
  const Pairs nearest = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const Pairs sign = (bits >> 16) & 0x8000U;
  const Pairs kept = (bits & 0x7F800000U) == 0U ? sign : nearest;
  return (bits & 0x7FFFFFFFU) > 0x7F800000U ? (bits >> 16) | 0x40U : kept;
}

// Lane by lane: (first, second).
inline Pairs pair(Floats first, Floats second) {
#if defined(__AVX512BF16__)
  alignas(64) static constexpr uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                     21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                     11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const auto halves =
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second), reinterpret_cast<__m512>(first));
  return reinterpret_cast<Pairs>(
      _mm512_permutexvar_epi16(_mm512_load_si512(order), reinterpret_cast<__m512i>(halves)));
#else
  return rounded_halves(first) | rounded_halves(second) << 16;
#endif
}

template <bool kOdd, size_t... I>
constexpr auto every_other(std::index_sequence<I...>) {
  return std::index_sequence<2 * I + kOdd...>{};
}

// Neighbours among the lanes of a and then b: (a0, a1), (a2, a3) ..
inline Pairs pair_neighbours(Floats a, Floats b) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<Pairs>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(a)));
#else
  constexpr auto lanes = std::make_index_sequence<kLanes<float> >{};
  return pair(shuffle<float>(a, b, every_other<false>(lanes)),
              shuffle<float>(a, b, every_other<true>(lanes)));
#endif
}

// --- halves of pairs -----------------------------------------------------------------------------

// Numbers of a row, one next to the other: neighbours are pairs.
struct Bf16 {
  uint16_t bits;
};
// The two places of a pair; the first one empties the second.
struct FirstOfPair {
  Bf16Pair pair;
};
struct SecondOfPair {
  Bf16Pair pair;
};

inline void put(Bf16* p, Floats v) {
#if defined(__AVX512BF16__)
  const auto halves = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
#else
  typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));
  const auto halves = __builtin_convertvector(rounded_halves(v), Halves);
#endif
  std::memcpy(p, &halves, sizeof halves);
}
inline void put(FirstOfPair* p, Floats v) { store(&p->pair, pair(v, Floats{})); }
inline void put(SecondOfPair* p, Floats v) { store(&p->pair, load(&p->pair) | pair(Floats{}, v)); }

// --- products ------------------------------------------------------------------------------------

// sum + second * second, + first * first: products of bfloat16 are exact, both sums are rounded.
// The instruction does just that, with denormals as zeros: so does this under FlushDenormals.
inline Floats add_pairs(Floats sum, Pairs a, Pairs b) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<Floats>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
#else
  sum += reinterpret_cast<Floats>(a & 0xFFFF0000U) * reinterpret_cast<Floats>(b & 0xFFFF0000U);
  return sum + reinterpret_cast<Floats>(a << 16) * reinterpret_cast<Floats>(b << 16);
#endif
}

// Tiles of c = start + a @ b. Bf16Pair (r, p) of a is a[r * a_row + p * a_step]: one kernel reads a
// matrix or its transpose. Rows of b hold whole vectors. Every element of c is one chain of sums in
// the order of p, so its bits depend on no tile and no call.
struct PairTiles {
  Index k;  // pairs of a sum
  const Bf16Pair* a;
  Index a_row, a_step;
  const Bf16Pair* b;
  Index ldb;
  Index last;          // columns of the last vector that exist
  const float* start;  // where sums begin, rows start_row apart (0: a bias); null: zeros
  Index start_row;
  float* c;
  Index ldc;
  bool relu;
};

// The sums begin at rows of `start`, start_row apart (0: one row for all).
template <int kRows, int kVectors>
[[gnu::always_inline]] inline void start_pairs(Floats (&sum)[kRows][kVectors], const float* start,
                                               Index start_row, Index last) {
  constexpr int lanes = kLanes<float>;
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    const auto read = [=](const float* p) {
      return v == kVectors - 1 && last < lanes ? load_first(p, last) : load(p);
    };
    const Floats first = read(start + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      sum[r][v] = start_row == 0 ? first : read(start + r * start_row + v * lanes);
    }
  }
}

// Runs `count` tiles of kRows x (kVectors vectors), one below the other.
template <int kRows, int kVectors>
void run_pair_tiles(const PairTiles& t, Index count) {
  constexpr int lanes = kLanes<float>;
  constexpr int groups = (kRows + 2) / 3;  // an address can add 0, 1 or 2 rows to a pointer
  const Index a_row = t.a_row, a_step = t.a_step, ldb = t.ldb, ldc = t.ldc, last = t.last;
  const Bf16Pair* a = t.a;
  const float* start = t.start;
  float* c = t.c;
  for (; count > 0; --count) {
    Floats sum[kRows][kVectors] = {};
    if (t.start != nullptr) {
      start_pairs(sum, start, t.start_row, last);
      start += kRows * t.start_row;
    }
    const Bf16Pair* group[groups];
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) group[g] = a + 3 * g * a_row;
    const Bf16Pair* b = t.b;
    for (Index p = t.k; p > 0; --p) {
      // Hides where the pointers come from: the compiler would trade them for offsets and spill.
#pragma GCC unroll 6
      for (int g = 0; g < groups; ++g) asm("" : "+r"(group[g]));
      Pairs row[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) row[v] = load(b + v * lanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Pairs scalar = broadcast(group[r / 3][r % 3 * a_row]);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[r][v] = add_pairs(sum[r][v], scalar, row[v]);
      }
#pragma GCC unroll 6
      for (int g = 0; g < groups; ++g) group[g] += a_step;
      b += ldb;
    }
    if (t.relu) {  // sum < 0 is false for NaN, which so stays NaN
#pragma GCC unroll 16
      for (auto& values : sum) {
#pragma GCC unroll 16
        for (auto& value : values) value = value < 0 ? Floats{} : value;
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors - 1; ++v) store(c + r * ldc + v * lanes, sum[r][v]);
      float* end = c + r * ldc + (kVectors - 1) * lanes;
      if (last == lanes) store(end, sum[r][kVectors - 1]);
      if (last < lanes) store_first(end, sum[r][kVectors - 1], last);
    }
    a += kRows * a_row;
    c += kRows * ldc;
  }
}

// Tiles fill the registers: the sums, the vectors of b (in halves, where there is no instruction)
// and one repeated pair of a.
#if defined(__AVX512BF16__)
inline constexpr int kPairRows = 14;
#else
inline constexpr int kPairRows = kVectorRegisters == 32 ? 12 : 4;
#endif
inline constexpr int kPairVectors = 2;
inline constexpr int kFewRows = kVectorRegisters == 32 ? 6 : 1;  // x twice the vectors

template <int kVectors, size_t... R>
inline void run_pair_height(Index rows, const PairTiles& t, Index count,
                            std::index_sequence<R...>) {
  static constexpr void (*all[])(const PairTiles&,
                                 Index) = {run_pair_tiles<static_cast<int>(R) + 1, kVectors>...};
  all[rows - 1](t, count);
}

// One column of tiles, `rows` rows in all, cut into nearly equal tiles: 32 = 11 + 11 + 10.
template <int kVectors, int kMostRows>
void run_pair_column(PairTiles t, Index rows) {
  constexpr auto heights = std::make_index_sequence<kMostRows>{};
  const Index count = (rows + kMostRows - 1) / kMostRows;
  const Index height = rows / count, higher = rows % count;
  if (higher > 0) {
    run_pair_height<kVectors>(height + 1, t, higher, heights);
    t.a += higher * (height + 1) * t.a_row;
    if (t.start != nullptr) t.start += higher * (height + 1) * t.start_row;
    t.c += higher * (height + 1) * t.ldc;
  }
  run_pair_height<kVectors>(height, t, count - higher, heights);
}

// c[m, n].
inline void multiply_pairs(Index m, Index n, PairTiles t) {
  constexpr Index lanes = kLanes<float>;
  if (m <= 0) return;
  for (Index first = 0; first < n;) {
    const Index left = (n - first + lanes - 1) / lanes;
    const bool wide = m <= kFewRows && left >= 2 * kPairVectors;
    const Index vectors = wide ? 2 * kPairVectors : least(left, kPairVectors);
    const Index width = least(vectors * lanes, n - first);
    t.last = width - (vectors - 1) * lanes;
    if (wide) run_pair_column<2 * kPairVectors, kFewRows>(t, m);
    if (vectors == kPairVectors) run_pair_column<kPairVectors, kPairRows>(t, m);
    if (vectors == 1) run_pair_column<1, kPairRows>(t, m);
    first += width;
    t.b += width;
    t.c += width;
    if (t.start != nullptr) t.start += width;
  }
}

}  // namespace fastnn::FASTNN_ISA
