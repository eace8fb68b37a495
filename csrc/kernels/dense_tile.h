// The micro-kernels of the dense family: small tiles of a matrix product, held in registers.
#pragma once

#include <cmath>

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// Tiles of c = start + a @ b. Element (r, p) of a is a[r * a_row + p * a_step]: one kernel reads a
// matrix or its transpose. Rows of b and c are contiguous. Every element of c is one chain of
// fused multiply-adds in the order of p, so its bits depend on no tile and no call.
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
  const T* start;  // where the sums begin, rows start_row apart (0: a bias); null: zeros
  Index start_row;
  T* c;
  Index ldc;
  bool relu;
};

// The sums of a tile, one row of vectors per row of the tile.
template <class T, int kRows, int kVectors>
using Sums = Vector<T>[kRows][kVectors];

// sum += a @ b. The sums fill the registers: a step of p loads kVectors vectors of b, which all
// rows share, and repeats kRows scalars of a, so two multiply-adds a cycle need less than two
// loads.
template <class T, int kRows, int kVectors, class Load>
inline void add_products(Sums<T, kRows, kVectors>& sum, const Tiles<T>& t, const T* a, Load load) {
  const Index k = t.k, a_row = t.a_row, a_step = t.a_step, ldb = t.ldb;
  const T* b = t.b;
  constexpr int groups = (kRows + 2) / 3;  // an address can add 0, 1 or 2 rows to a pointer
  const T* group[groups];
#pragma GCC unroll 6
  for (int g = 0; g < groups; ++g) group[g] = a + 3 * g * a_row;
  for (Index p = 0; p < k; ++p) {
    // Hides where the pointers come from: the compiler would trade them for kRows offsets and
    // spill.
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) asm("" : "+r"(group[g]));
    Vector<T> row[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) row[v] = load(b, v);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vector<T> scalar = broadcast(group[r / 3][r % 3 * a_row]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sum[r][v] += scalar * row[v];
    }
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) group[g] += a_step;
    b += ldb;
  }
}

// Runs `count` tiles of kRows x (kVectors vectors), one below the other.
// kPartial: one vector, of which only `last` lanes exist in memory.
template <class T, int kRows, int kVectors, bool kPartial>
void run_tiles(const Tiles<T>& t, Index count) {
  const Index last = t.last, ldc = t.ldc;
  const auto column = [=](int v) { return v < kVectors - 1 || kPartial ? v * kLanes<T> : last; };
  const auto read = [=](const T* p, int v) {
    return kPartial ? load_first(p, last) : load(p + column(v));
  };
  const T *a = t.a, *start = t.start;
  T* c = t.c;
  for (; count > 0; --count) {
    Sums<T, kRows, kVectors> sum = {};
    if (t.start != nullptr) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        Vector<T> first = read(start, v);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          sum[r][v] = t.start_row == 0 ? first : read(start + r * t.start_row, v);
        }
      }
      start += kRows * t.start_row;
    }
    add_products<T, kRows, kVectors>(sum, t, a, read);
    if (t.relu) {  // sum < 0 is false for NaN, which so stays NaN
#pragma GCC unroll 16
      for (auto& row : sum) {
#pragma GCC unroll 16
        for (auto& value : row) value = value < T(0) ? Vector<T>{} : value;
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (kPartial) store_first(c + r * ldc, sum[r][v], last);
        if constexpr (!kPartial) store(c + r * ldc + column(v), sum[r][v]);
      }
    }
    a += kRows * t.a_row;
    c += kRows * ldc;
  }
}

// Short sums, of kSteps products, over any number of rows: b stays in the registers.
template <class T, int kSteps, int kVectors>
void run_short(const Tiles<T>& t, Index rows) {
  constexpr int groups = (kSteps + 2) / 3;
  const Index last = t.last, a_row = t.a_row, a_step = t.a_step, ldc = t.ldc;
  const auto column = [=](int v) { return v < kVectors - 1 ? v * kLanes<T> : last; };
  Vector<T> b[kSteps][kVectors];
#pragma GCC unroll 16
  for (int p = 0; p < kSteps; ++p) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) b[p][v] = load(t.b + p * t.ldb + column(v));
  }
  const Vector<T> zeros = {}, floor = zeros + (t.relu ? T(0) : static_cast<T>(-HUGE_VAL));
  const T* start = t.start;
  Index start_row = t.start_row, start_last = last;
  if (start == nullptr) start = reinterpret_cast<const T*>(&zeros), start_row = start_last = 0;
  const T* group[groups];  // as in add_products, over the steps
#pragma GCC unroll 6
  for (int g = 0; g < groups; ++g) group[g] = t.a + 3 * g * a_step;
  for (T* c = t.c; rows > 0; --rows, c += ldc, start += start_row) {
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) asm("" : "+r"(group[g]));
    Vector<T> sum[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[v] = load(start + (v + 1 < kVectors ? 0 : start_last));
#pragma GCC unroll 16
    for (int p = 0; p < kSteps; ++p) {
      const Vector<T> scalar = broadcast(group[p / 3][p % 3 * a_step]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[v] += scalar * b[p][v];
    }
#pragma GCC unroll 2  // sum < floor is false for NaN, which so stays NaN
    for (int v = 0; v < kVectors; ++v) store(c + column(v), sum[v] < floor ? floor : sum[v]);
#pragma GCC unroll 6
    for (int g = 0; g < groups; ++g) group[g] += a_row;
  }
}

}  // namespace fastnn::FASTNN_ISA
