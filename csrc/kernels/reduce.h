// Sums and maxima over a row, lane by lane: the order depends on the length alone.
#pragma once

#include "kernels/vmath.h"

namespace fastnn::FASTNN_ISA {

template <class T>
FASTNN_INLINE T lane_sum(const T* lanes) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (Index j = 0; j < kBlock<T>; ++j) total += lanes[j];
  return total;
}

// Largest element; -inf for an empty row. NaN is passed over.
template <class T>
FASTNN_INLINE T row_max(Index n, const T* x) {
  T copy[kBlock<T>], lanes[kBlock<T>];
  for (Index j = 0; j < kBlock<T>; ++j) lanes[j] = -Real<T>::kInf;
  for (Index p = 0; p < n; p += kBlock<T>) {
    const T* a = open(x + p, n - p, copy, -Real<T>::kInf);
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) lanes[j] = a[j] > lanes[j] ? a[j] : lanes[j];
  }
  T largest = -Real<T>::kInf;
  for (Index j = 0; j < kBlock<T>; ++j) largest = lanes[j] > largest ? lanes[j] : largest;
  return largest;
}

// y[n] = exp(x - largest), returns their sum; y may be null or x.
template <class T>
FASTNN_INLINE T exp_row(Index n, const T* x, T largest, T* y) {
  T in[kBlock<T>], out[kBlock<T>], lanes[kBlock<T>] = {};
  for (Index p = 0; p < n; p += kBlock<T>) {
    const Index left = n - p;
    const T* a = open(x + p, left, in, -Real<T>::kInf);
    T* b = y != nullptr && left >= kBlock<T> ? y + p : out;
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) {
      b[j] = vexp(a[j] - largest);
      lanes[j] += b[j];
    }
    if (y != nullptr) close(y + p, left, out);
  }
  return lane_sum(lanes);
}

// sum over n of f(a, b), where f(0, 0) = 0.
template <class T, class F>
FASTNN_INLINE T sum_pairs(Index n, const T* a, const T* b, F f) {
  T copy_a[kBlock<T>], copy_b[kBlock<T>], lanes[kBlock<T>] = {};
  for (Index p = 0; p < n; p += kBlock<T>) {
    const T* u = open(a + p, n - p, copy_a);
    const T* v = open(b + p, n - p, copy_b);
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) lanes[j] += f(u[j], v[j]);
  }
  return lane_sum(lanes);
}

}  // namespace fastnn::FASTNN_ISA
