// Products of few columns: rows lie on the lanes, transposed on the way from memory to registers.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// Columns that fit the registers beside a square, with some to spare.
template <class T>
inline constexpr int kMostColumns =
    static_cast<int>(least(kVectorRegisters - kLanes<T> - 4, kLanes<T> - 1));

// c = start + a @ b with at most kMostColumns columns and at least as many rows as lanes. Elements
// (i, p) of a, (p, j) of b and (i, j) of c lie at a[i * a_row + p], b[p * b_row + j * b_column] and
// c[i * c_row + j], or c[i + j * c_row] for a transposed result. Sums as those of Tiles.
template <class T>
struct Narrow {
  Index rows, k;
  const T* a;
  Index a_row;
  const T* b;
  Index b_row, b_column;
  const T* start;  // one element per column, or null: zeros
  T* c;
  Index c_row;
  bool relu, transposed;
};

// sum[j] += the products of steps 0 .. left of p (all lanes of them if kWhole).
template <class T, int kColumns, bool kWhole>
inline void add_square(Vector<T> (&sum)[kColumns], const Narrow<T>& t, const T* a, const T* b,
                       Index left) {
  constexpr int lanes = kLanes<T>, groups = (kColumns + 2) / 3;
  const Index a_row = t.a_row, b_row = t.b_row, b_column = t.b_column;
  Vector<T> square[lanes];
#pragma GCC unroll 16
  for (int r = 0; r < lanes; ++r) {
    square[r] = kWhole ? load(a + r % 3 * a_row) : load_first(a + r % 3 * a_row, left);
    if (r % 3 == 2) {
      a += 3 * a_row;
      asm("" : "+r"(a));
    }
  }
  transpose_square<T>(square);
  const T* group[groups];
#pragma GCC unroll 6
  for (int g = 0; g < groups; ++g) group[g] = b + 3 * g * b_column;
#pragma GCC unroll 16
  for (int p = 0; p < lanes; ++p) {
    if (!kWhole && p >= left) return;
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) asm("" : "+r"(group[g]));
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) {
      sum[j] += square[p] * broadcast(group[j / 3][j % 3 * b_column]);
    }
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) group[g] += b_row;
  }
}

template <class T, int kColumns>
inline void store_narrow(const Narrow<T>& t, Vector<T> (&sum)[kColumns], Index first) {
  constexpr int lanes = kLanes<T>;
  if (t.transposed) {
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) store(t.c + first + j * t.c_row, sum[j]);
    return;
  }
  Vector<T> square[lanes] = {};
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) square[j] = sum[j];
  transpose_square<T>(square);
  T* c = t.c + first * t.c_row;
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) store_first(c + i * t.c_row, square[i], kColumns);
}

// kBlocks blocks of rows in turn: few columns alone would wait for each sum before the next step.
template <class T, int kColumns, int kBlocks>
void run_blocks(const Narrow<T>& t, Index first) {
  constexpr int lanes = kLanes<T>;
  Vector<T> sum[kBlocks][kColumns] = {};
  if (t.start != nullptr) {
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) {
#pragma GCC unroll 2
      for (int i = 0; i < kBlocks; ++i) sum[i][j] = broadcast(t.start[j]);
    }
  }
  const T *a = t.a + first * t.a_row, *b = t.b;
  const Index next = lanes * t.a_row;
  Index p = 0;
  for (; p + lanes <= t.k; p += lanes, a += lanes, b += lanes * t.b_row) {
#pragma GCC unroll 2
    for (int i = 0; i < kBlocks; ++i) {
      add_square<T, kColumns, true>(sum[i], t, a + i * next, b, lanes);
    }
  }
  for (int i = 0; i < kBlocks && p < t.k; ++i) {
    add_square<T, kColumns, false>(sum[i], t, a + i * next, b, t.k - p);
  }
  for (int i = 0; i < kBlocks; ++i) {
    if (t.relu) {
#pragma GCC unroll 16
      for (auto& value : sum[i]) value = value < T(0) ? Vector<T>{} : value;
    }
    store_narrow<T, kColumns>(t, sum[i], first + i * lanes);
  }
}

template <class T, int kColumns>
void run_narrow(const Narrow<T>& t) {
  constexpr int lanes = kLanes<T>;
  Index i = 0;
  if constexpr (kColumns <= 2) {
    for (; i + 2 * lanes <= t.rows; i += 2 * lanes) run_blocks<T, kColumns, 2>(t, i);
  }
  for (; i < t.rows; i += lanes) {  // the last block may overlap the one before
    run_blocks<T, kColumns, 1>(t, least(i, t.rows - lanes));
  }
}

template <class T, size_t... J>
void run_columns(Index columns, const Narrow<T>& t, std::index_sequence<J...>) {
  static constexpr void (*all[])(const Narrow<T>&) = {run_narrow<T, static_cast<int>(J) + 1>...};
  all[columns - 1](t);
}

template <class T>
void multiply_narrow(Index columns, const Narrow<T>& t) {
  run_columns(columns, t, std::make_index_sequence<kMostColumns<T>>{});
}

}  // namespace fastnn::FASTNN_ISA
