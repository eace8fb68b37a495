// The micro-kernel of direct convolution: a matrix product whose factor a is gathered from an
// image.
#pragma once

#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA::direct {

// Steps of a sum that lie equally spaced in a and in b: where the first one lies, and how many.
struct Run {
  Index first, count, b;
};

// c[to[r] + j] = start[j] + sum over steps s of a[from[r] + s's place] * b[s's place + j]. Every
// element is one chain of fused multiply-adds in the order of the steps, so its bits depend on no
// tile and no call. Lane-wise (depthwise convolution) a has columns as well: a[.. + j].
template <class T>
struct Gather {
  const T* a;
  const Index* from;
  const Run* runs;
  Index n_runs;
  bool single;  // every run is one step, next to each other in b: cheaper than runs of few steps
  Index step;   // distance in a of two steps of a run
  const T* b;
  Index ldb;  // distance in b
  // Where the last vector of columns begins: it may overlap the one before, when the width is not
  // a multiple of the lanes (both compute the same bits). Partial tiles: the number of columns.
  Index last;
  const T* start;  // null: zeros
  bool resumed;    // the sums go on from c instead
  T* c;
  const Index* to;
  bool relu;
  bool ahead;  // a is read here for the first time: ask early for the next tile's part of it
};

// Asks for what a run reads of `rows` rows, where its steps lie next to each other.
template <class T>
inline void ask_for(const T* a, const Index* from, const Run& run, int rows) {
  for (int r = 0; r < rows; ++r) {
    const T* row = a + from[r] + run.first;
    for (Index p = 0; p < run.count; p += 64 / sizeof(T)) __builtin_prefetch(row + p);
  }
}

// sum < 0 is false for NaN, which so stays NaN.
template <class T, int kRows, int kVectors>
inline void rectify(Vector<T> (&sum)[kRows][kVectors]) {
#pragma GCC unroll 16
  for (auto& row : sum) {
#pragma GCC unroll 16
    for (auto& value : row) value = value < T(0) ? Vector<T>{} : value;
  }
}

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
  const T *const whole_a = t.a, *const whole_b = t.b, *const start = t.start;
  T* const c = t.c;
  const bool single = t.single, relu = t.relu, resumed = t.resumed;
  const Run* end = t.runs + t.n_runs;
  for (; count > 0; --count, from += kRows, to += kRows) {
    Vector<T> sum[kRows][kVectors] = {};
    if (start != nullptr || resumed) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[r][v] = read(resumed ? c + to[r] : start, v);
      }
    }
    if (t.ahead && count > 1) ask_for(whole_a, from + kRows, *t.runs, kRows);
    const T* a[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) a[r] = whole_a + from[r];
    const T* b = whole_b;
    const auto take = [&](Index at) __attribute__((always_inline)) {
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
      b += ldb;
    };
    for (const Run* run = t.runs; single && run != end; ++run) take(run->first);
    for (const Run* run = t.runs; !single && run != end; ++run) {
      Index at = run->first;
      b = whole_b + run->b;
      for (Index left = run->count; left > 0; --left, at += step) take(at);
    }
    if (relu) rectify<T>(sum);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (kPartial) store_first(c + to[r], sum[r][v], last);
        if constexpr (!kPartial) store(c + to[r] + column(v), sum[r][v]);
      }
    }
  }
}

}  // namespace fastnn::FASTNN_ISA::direct
