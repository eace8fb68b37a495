// The micro-kernel of direct convolution: a matrix product whose factor a is gathered from an
// image.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// Steps of a sum that lie equally spaced in a: the first one's place, and how many.
struct Run {
  Index first, count;
};

// c[to[r]][j] = start[j] + sum over steps s of a[from[r] + place of s] * b[s * ldb + j]. Every
// element is one chain of fused multiply-adds in the order of the steps, so its bits depend on no
// tile and no call. Lane-wise (depthwise convolution) a has a column j too, next to each other.
template <class T>
struct Gather {
  const T* a;
  const Index* from;
  const Run* runs;
  Index n_runs;
  Index step;  // distance in a of two steps of a run
  const T* b;
  Index ldb;
  // Where the last vector of columns begins: it may overlap the one before, when the width is not
  // a multiple of the lanes (both compute the same bits). Partial tiles: the number of columns.
  Index last;
  const T* start;  // null: zeros
  bool resumed;    // the sums go on from c instead
  T* c;
  const Index* to;
  bool relu;
};

// Runs `count` tiles of kRows x (kVectors vectors), one after the other.
// kPartial: one vector, of which only `last` lanes exist in memory.
template <class T, int kRows, int kVectors, bool kPartial, bool kLanewise>
void run_gathered(const Gather<T>& t, Index count) {
  const Index last = t.last, ldb = t.ldb, step = t.step;
  const auto column = [=](int v) { return v < kVectors - 1 || kPartial ? v * kLanes<T> : last; };
  const auto read = [=](const T* p, int v) {
    return kPartial ? load_first(p, last) : load(p + column(v));
  };
  const Index *from = t.from, *to = t.to;
  const Run* end = t.runs + t.n_runs;
  for (; count > 0; --count, from += kRows, to += kRows) {
    Vector<T> sum[kRows][kVectors] = {};
    if (t.start != nullptr || t.resumed) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[r][v] = read(t.resumed ? t.c + to[r] : t.start, v);
      }
    }
    const T* a[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) a[r] = t.a + from[r];
    const T* b = t.b;
    for (const Run* run = t.runs; run != end; ++run) {
      Index at = run->first;
      for (Index left = run->count; left > 0; --left) {
        Vector<T> row[kVectors];
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) row[v] = read(b, v);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          // Hides where the pointer comes from: the compiler would step each of them.
          asm("" : "+r"(a[r]));
#pragma GCC unroll 16
          for (int v = 0; v < kVectors; ++v) {
            sum[r][v] += (kLanewise ? read(a[r] + at, v) : broadcast(a[r][at])) * row[v];
          }
        }
        at += step;
        b += ldb;
      }
    }
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
        if constexpr (kPartial) store_first(t.c + to[r], sum[r][v], last);
        if constexpr (!kPartial) store(t.c + to[r] + column(v), sum[r][v]);
      }
    }
  }
}

}  // namespace fastnn::FASTNN_ISA
