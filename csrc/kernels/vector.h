// A small vector type over the compiler's vector extensions. The same source becomes 64-, 32- or
// 16-byte vectors, by the instruction set the file is compiled for.
#pragma once

#include <cstring>
#include <tuple>

#if defined(__SSE2__)
#include <immintrin.h>  // masked loads and stores, wide products: what vector extensions lack
#endif

#include "kernels/table.h"

namespace fastnn::FASTNN_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kVectorRegisters = 32;
#else
inline constexpr int kVectorRegisters = 16;
#endif

template <class T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kVectorBytes)));
};
// Arithmetic, comparison and ?: work lane by lane; a scalar operand is repeated in every lane.
template <class T>
using Vector = typename VectorOf<T>::Type;
template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

constexpr Index least(Index a, Index b) { return a < b ? a : b; }

template <class T>
inline Vector<T> load(const T* p) {  // p may be unaligned
  Vector<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, Vector<T> v) {
  std::memcpy(p, &v, sizeof v);
}

template <class T>
inline Vector<T> broadcast(T value) {
  return value - Vector<T>{};  // x - 0 is x for every x, -0 and NaN too
}

// Bit i is set where lane i of a comparison holds.
template <class T, class Comparison>
inline unsigned lane_bits(Comparison holds) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_movepi32_mask(reinterpret_cast<__m512i>(holds));
  if constexpr (sizeof(T) == 8) return _mm512_movepi64_mask(reinterpret_cast<__m512i>(holds));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(holds)));
  } else {
    return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(holds)));
  }
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) {
    return static_cast<unsigned>(_mm_movemask_ps(reinterpret_cast<__m128>(holds)));
  } else {
    return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(holds)));
  }
#else
  unsigned bits = 0;
  for (int i = 0; i < kLanes<T>; ++i) bits |= (holds[i] ? 1U : 0U) << i;
  return bits;
#endif
}

// The 64-bit product of the lower halves of each lane; upper halves are not looked at.
inline Vector<uint64_t> multiply_halves(Vector<uint64_t> a, Vector<uint64_t> b) {
#if defined(__AVX512F__)
  // With a full mask, as the plain form warns of its own undefined lanes under g++ 12.
  return reinterpret_cast<Vector<uint64_t>>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vector<uint64_t>>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Vector<uint64_t>>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & 0xFFFFFFFFU) * (b & 0xFFFFFFFFU);
#endif
}

// The first `count` <= lanes elements of p, zeros after them; never touches p[count].
template <class T>
inline Vector<T> load_first(const T* p, Index count) {
#if defined(__AVX512F__)
  const unsigned mask = (1U << count) - 1;
  if constexpr (sizeof(T) == 4) return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p);
  if constexpr (sizeof(T) == 8) return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), p);
#elif defined(__AVX2__)
  const int n = static_cast<int>(count);
  if constexpr (sizeof(T) == 4) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
  } else {
    const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
    return _mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), lane));
  }
#else
  Vector<T> v = {};
  for (Index i = 0; i < count; ++i) v[i] = p[i];
  return v;
#endif
}

template <class T>
inline void store_first(T* p, Vector<T> v, Index count) {
#if defined(__AVX512F__)
  const unsigned mask = (1U << count) - 1;
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), reinterpret_cast<__m512>(v));
  }
  if constexpr (sizeof(T) == 8) _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
#else  // also for AVX2, whose masked store takes some forty steps on AMD
  for (Index i = 0; i < count; ++i) p[i] = v[i];
#endif
}

// Lanes taken from a (0 .. lanes - 1) and b (lanes ..), one per entry of the sequence.
template <class T, size_t... I>
inline Vector<T> shuffle(Vector<T> a, Vector<T> b, std::index_sequence<I...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, static_cast<int>(I)...);
#else
  using Lane = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  typedef Lane Lanes __attribute__((vector_size(kVectorBytes)));
  return __builtin_shuffle(a, b, Lanes{static_cast<Lane>(I)...});
#endif
}

// In each 16-byte group: a0 b0 a1 b1 from its lower half, or from its upper half.
template <class T, bool kUpper, size_t... I>
constexpr auto interleaved_lanes(std::index_sequence<I...>) {
  constexpr size_t n = kLanes<T>, g = 16 / sizeof(T);
  return std::index_sequence<I / g * g + kUpper * g / 2 + I % g / 2 + I % 2 * n...>{};
}

// The even 16-byte groups of a and then of b, or the odd ones.
template <class T, bool kOdd, size_t... I>
constexpr auto group_lanes(std::index_sequence<I...>) {
  constexpr size_t n = kLanes<T>, g = 16 / sizeof(T);
  return std::index_sequence<I % (n / 2) / g * 2 * g + kOdd * g + I % g + I / (n / 2) * n...>{};
}

// Transposes a square of vectors in registers, with shuffles that are cheap because they stay in
// 16-byte groups or move whole groups. Each pass exchanges one bit of the row number with one of
// the lane number: interleaving takes the upper bit of the lane in its group and shifts the lower
// one up; collecting groups takes the lowest bit of the group and shifts the upper ones down.
template <class T>
inline void transpose_square(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int n = kLanes<T>, group = 16 / sizeof(T);
  constexpr auto lanes = std::make_index_sequence<n>{};
#pragma GCC unroll 2
  for (int bit = group / 2; bit > 0; bit /= 2) {
#pragma GCC unroll 8
    for (int pair = 0; pair < n / 2; ++pair) {
      const int i = pair / bit * 2 * bit + pair % bit;
      const Vector<T> a = rows[i], b = rows[i + bit];
      rows[i] = shuffle<T>(a, b, interleaved_lanes<T, false>(lanes));
      rows[i + bit] = shuffle<T>(a, b, interleaved_lanes<T, true>(lanes));
    }
  }
  if constexpr (n > group) {
#pragma GCC unroll 2
    for (int bit = group; bit < n; bit *= 2) {
#pragma GCC unroll 8
      for (int pair = 0; pair < n / 2; ++pair) {
        const int i = pair / bit * 2 * bit + pair % bit;
        const Vector<T> a = rows[i], b = rows[i + bit];
        rows[i] = shuffle<T>(a, b, group_lanes<T, false>(lanes));
        rows[i + bit] = shuffle<T>(a, b, group_lanes<T, true>(lanes));
      }
    }
  }
}

// In each 16-byte group: the even lanes of a and then of b, or the odd ones.
template <class T, bool kOdd, size_t... I>
constexpr auto alternate_lanes(std::index_sequence<I...>) {
  constexpr size_t n = kLanes<T>, g = 16 / sizeof(T);
  return std::index_sequence<I / g * g + I * 2 % g + kOdd + I % g * 2 / g * n...>{};
}

// Where sum_lanes() wants the vector whose sum shall be lane i of its result.
template <class T>
constexpr int sum_position(int i) {
  constexpr int group = 16 / sizeof(T);
  return i % group * (kLanes<T> / group) + i / group;
}

// The sums of the lanes of each vector, added in pairs of pairs; overwrites the vectors.
template <class T>
inline Vector<T> sum_lanes(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int n = kLanes<T>, group = 16 / sizeof(T);
  constexpr auto lanes = std::make_index_sequence<n>{};
#pragma GCC unroll 4
  for (int count = n / 2; count > 0; count /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) {
      const Vector<T> a = rows[2 * i], b = rows[2 * i + 1];
      if (count >= group) {
        rows[i] = shuffle<T>(a, b, group_lanes<T, false>(lanes)) +
                  shuffle<T>(a, b, group_lanes<T, true>(lanes));
      } else {
        rows[i] = shuffle<T>(a, b, alternate_lanes<T, false>(lanes)) +
                  shuffle<T>(a, b, alternate_lanes<T, true>(lanes));
      }
    }
  }
  return rows[0];
}

}  // namespace fastnn::FASTNN_ISA
