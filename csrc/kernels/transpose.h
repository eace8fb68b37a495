// Transposes matrices of any size, one square of vectors at a time.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// One whole square. Not inlined: in a loop over squares the compiler would keep an address for each
// of the rows and spill them all, which takes three times as long.
template <class T>
[[gnu::noinline]] void transpose_full(const T* from, Index ldfrom, T* to, Index ldto) {
  constexpr Index lanes = kLanes<T>;
  Vector<T> square[lanes];
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) square[i] = load(from + i * ldfrom);
  transpose_square<T>(square);
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) store(to + i * ldto, square[i]);
}

// A square of which height rows and width columns exist in `from`: writes width rows of `written`
// elements. Rows past the end are read and written again, from the last one backwards, so that no
// step depends on the sizes and what is not asked for (written > height) holds repeated numbers.
template <class T>
[[gnu::noinline]] void transpose_edge(Index height, Index width, Index written, const T* from,
                                      Index ldfrom, T* to, Index ldto) {
  constexpr Index lanes = kLanes<T>;
  Vector<T> square[lanes];
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) {
    square[i] = load_first(from + least(i, height - 1) * ldfrom, width);
  }
  transpose_square<T>(square);
#pragma GCC unroll 16
  for (Index i = lanes - 1; i >= 0; --i) {
    store_first(to + least(i, width - 1) * ldto, square[i], written);
  }
}

// to[cols, rows] = from[rows, cols]^T, one square of vectors at a time. Rows of `to` are written
// up to `padded` elements, with any numbers after the first `rows`.
template <class T>
void transpose(Index rows, Index cols, Index padded, const T* from, Index ldfrom, T* to,
               Index ldto) {
  constexpr Index lanes = kLanes<T>;
  for (Index r = 0; r < padded; r += lanes) {
    const Index height = rows - r < 1 ? 1 : least(rows - r, lanes),
                written = least(padded - r, lanes);
    for (Index c = 0; c < cols; c += lanes) {
      const Index width = least(cols - c, lanes);
      const T* source = from + least(r, rows - 1) * ldfrom + c;
      T* target = to + c * ldto + r;
      if (height == lanes && width == lanes) {
        transpose_full(source, ldfrom, target, ldto);
      } else {
        transpose_edge(height, width, written, source, ldfrom, target, ldto);
      }
    }
  }
}

}  // namespace fastnn::FASTNN_ISA
