// Sums down the columns of a matrix, in an order fixed by its shape: rows are taken in pieces of
// kPiece; within a piece every column is one chain of additions in the order of the rows; pieces
// are added up in their order, in double. Narrow rows lie side by side, several in one: columns
// that are one are added up at the end, from left to right, and then the rows left over.
#pragma once

#include "kernels/lanes.h"

namespace fastnn::FASTNN_ISA {

constexpr Index kPiece = 64;   // rows whose sums are kept in T
constexpr Index kPanel = 512;  // columns whose sums are kept at once
constexpr int kMostSums = kVectorRegisters / 4;
template <class T>
constexpr Index kWidest = 8 * kLanes<T>;  // of narrow rows side by side

// m rows of n columns seen as fewer, wider rows: `side` of them lie side by side in each.
struct Wide {
  Index m, n, side;
  Index left;  // elements of the rows left over, at the end
};

template <class T>
FASTNN_INLINE Wide widen(Index m, Index n) {
  constexpr Index kLeastRows = 8;
  Index side = n == 0 ? 0 : least(kWidest<T> / n, m / kLeastRows);
  if (side <= 1) return {m, n, 1, 0};
  Index whole = kLanes<T>;  // rows that fill whole vectors
  while (whole % 2 == 0 && whole / 2 * n % kLanes<T> == 0) whole /= 2;
  if (side > whole) side -= side % whole;
  return {m / side, side * n, side, m % side * n};
}

// What belongs to the columns, for rows that lie side by side: x itself, or copies of it.
template <class T>
FASTNN_INLINE const T* repeat_columns(const Wide& wide, const T* x, T* copies) {
  if (wide.side == 1) return x;
  const Index n = wide.n / wide.side;
  for (Index j = 0; j < wide.n; ++j) copies[j] = x[j % n];
  return copies;
}

// Some rows of some columns. The next piece is asked for meanwhile, its lines in their order: each
// of these rows asks for `vectors` vectors, the first one at element `next` (negative: for none).
struct Piece {
  Index begin, rows, next;

  template <int kVectors, class T>
  FASTNN_INLINE void ask_next(const T* x, Index row) const {
    if (next >= 0) ask<kVectors>(x + next + row * kVectors * kLanes<T>);
  }
};

// Calls body(piece, first column, vectors, access) for all pieces of columns begin .. end.
template <class T, class Body>
FASTNN_INLINE void for_pieces(const Wide& wide, Index begin, Index end, bool asks, Body body) {
  asks = asks && end - begin == wide.n;
  for (Index i = 0; i < wide.m; i += kPiece) {
    const Index rows = least(kPiece, wide.m - i), after = i + kPiece;
    for_lanes<T, kMostSums>(end - begin, [&](Index j, auto vectors, auto access) {
      const Index next = asks && after < wide.m ? after * wide.n + j * kPiece : -1;
      body(Piece{i, rows, next}, begin + j, vectors, access);
    });
  }
}

// Totals of a panel of columns; a short last vector writes beyond them.
struct Totals {
  double of[kPanel + 16] = {};

  template <class T, int kVectors>
  FASTNN_INLINE void add(Index column, const Vector<T> (&sums)[kVectors]) {
    T lanes[kVectors * kLanes<T>];
    std::memcpy(lanes, sums, sizeof sums);
#pragma omp simd
    for (int j = 0; j < kVectors * kLanes<T>; ++j) of[column + j] += static_cast<double>(lanes[j]);
  }
};

}  // namespace fastnn::FASTNN_ISA
