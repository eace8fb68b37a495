// A small vector type over the compiler's vector extensions. The same source becomes 64-, 32- or
// 16-byte vectors, by the instruction set the file is compiled for.
#pragma once

#include <cstring>
#include <tuple>

#if defined(__AVX2__)
#include <immintrin.h>  // masked loads and stores, which the vector extensions lack
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

// The first `count` < lanes elements of p, zeros after them; never touches p[count].
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
  if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), v);
  if constexpr (sizeof(T) == 8) _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
#else  // also for AVX2, whose masked store takes some forty steps on AMD
  for (Index i = 0; i < count; ++i) p[i] = v[i];
#endif
}

// (a0 b0 a1 b1 ...): the low halves of a and b, or with kHigh the high halves, lane after lane.
template <bool kHigh, class T, size_t... I>
inline Vector<T> zip(Vector<T> a, Vector<T> b, std::index_sequence<I...>) {
  constexpr int n = kLanes<T>;
#if defined(__clang__)
  return __builtin_shufflevector(a, b, (int(I) / 2 + (kHigh ? n / 2 : 0) + int(I) % 2 * n)...);
#else
  using Lane = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  typedef Lane Lanes __attribute__((vector_size(kVectorBytes)));
  return __builtin_shuffle(a, b, Lanes{Lane(I / 2 + (kHigh ? n / 2 : 0) + I % 2 * n)...});
#endif
}

// Transposes a square of vectors in registers. One pass interleaves row i with row i + n / 2: as a
// bit pattern of (row, lane) that rotates the index by one bit, so log2(n) passes exchange both.
template <class T>
inline void transpose_square(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int n = kLanes<T>;
  constexpr auto lanes = std::make_index_sequence<n>{};
#pragma GCC unroll 4
  for (int pass = 1; pass < n; pass *= 2) {
    Vector<T> next[n];
#pragma GCC unroll 8
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = zip<false, T>(rows[i], rows[i + n / 2], lanes);
      next[2 * i + 1] = zip<true, T>(rows[i], rows[i + n / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

}  // namespace fastnn::FASTNN_ISA
