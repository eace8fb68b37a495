// Elementwise loops in blocks of one cache line. Every element goes through the same vector code,
// also in a short last block, so no result depends on how a buffer is cut into calls.
#pragma once

#include "kernels/table.h"

#define FASTNN_INLINE inline __attribute__((always_inline))

namespace fastnn::FASTNN_ISA {

// Elements of a block.
template <class T>
constexpr Index kBlock = 64 / static_cast<Index>(sizeof(T));

// The block that starts at x, of which `left` elements exist: x itself, or a padded copy.
template <class T>
FASTNN_INLINE const T* open(const T* x, Index left, T* copy, T padding = 0) {
  if (left >= kBlock<T>) return x;
#pragma omp simd
  for (Index j = 0; j < kBlock<T>; ++j) copy[j] = j < left ? x[j] : padding;
  return copy;
}
template <class T>
FASTNN_INLINE T* open(T* x, Index left, T* copy, T padding = 0) {
  return const_cast<T*>(open(static_cast<const T*>(x), left, copy, padding));
}

// Writes a short block back from its copy.
template <class T>
FASTNN_INLINE void close(T* x, Index left, const T* copy) {
  if (left >= kBlock<T>) return;
#pragma omp simd
  for (Index j = 0; j < kBlock<T>; ++j)
    if (j < left) x[j] = copy[j];
}

// y[count] = f(x); y may be x.
template <class T, class F>
FASTNN_INLINE void map(Index count, const T* x, T* y, F f) {
  T in[kBlock<T>], out[kBlock<T>];
  for (Index i = 0; i < count; i += kBlock<T>) {
    const Index left = count - i;
    const T* a = open(x + i, left, in);
    T* b = left >= kBlock<T> ? y + i : out;
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) b[j] = f(a[j]);
    close(y + i, left, out);
  }
}

// z[count] = f(x, y); z may be x or y.
template <class T, class F>
FASTNN_INLINE void map(Index count, const T* x, const T* y, T* z, F f) {
  T in_x[kBlock<T>], in_y[kBlock<T>], out[kBlock<T>];
  for (Index i = 0; i < count; i += kBlock<T>) {
    const Index left = count - i;
    const T* a = open(x + i, left, in_x);
    const T* b = open(y + i, left, in_y);
    T* c = left >= kBlock<T> ? z + i : out;
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) c[j] = f(a[j], b[j]);
    close(z + i, left, out);
  }
}

}  // namespace fastnn::FASTNN_ISA
