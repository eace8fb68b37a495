// One row copied, added or scaled: the inner loops of tables and rows.
#pragma once

#include "kernels/blocks.h"

namespace fastnn::FASTNN_ISA {

template <class T>
FASTNN_INLINE void copy_row(Index n, const T* x, T* y) {
  Index p = 0;
  for (; p + kBlock<T> <= n; p += kBlock<T>) {
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) y[p + j] = x[p + j];
  }
  if (p < n) {
    T tail[kBlock<T>];
    open(x + p, n - p, tail);
    close(y + p, n - p, tail);
  }
}

template <class T>
FASTNN_INLINE void fill_row(Index n, T value, T* y) {
#pragma omp simd
  for (Index p = 0; p < n; ++p) y[p] = value;
}

// Asks for the first lines of a row that is read soon.
template <class T>
FASTNN_INLINE void prefetch_row(Index n, const T* x) {
  constexpr Index kLines = 8;
  const Index lines = (n + kBlock<T> - 1) / kBlock<T>;
  for (Index line = 0; line < (lines < kLines ? lines : kLines); ++line)
    __builtin_prefetch(x + line * kBlock<T>);
}

}  // namespace fastnn::FASTNN_ISA
