// Gathered products of any size, cut into strips, pieces and tiles of the micro-kernel.
#pragma once

#include "kernels/conv_tile.h"

namespace fastnn::FASTNN_ISA::direct {

// Tiles fill the registers: rows x vectors sums, the vectors of b and one repeated scalar; more
// rows would need more pointers than there are registers.
inline constexpr bool kWideTiles = kVectorRegisters == 32;
inline constexpr int kGatheredVectors = kWideTiles ? 4 : 2;
inline constexpr int kGatheredRows = 6;
inline constexpr int kGatheredRowsOfSingle = 10;                // x 1 vector
inline constexpr int kGatheredRowsOfLine = kWideTiles ? 2 : 1;  // x kLine vectors, for few rows
inline constexpr int kLine = 8;
inline constexpr Index kPieceSteps = 128;  // of b, with all columns of a strip, stay in L1

template <class T>
using RunGathered = void (*)(const Gather<T>&, Index);

template <class T, int kVectors, bool kPartial, bool kLanewise, size_t... R>
inline void run_gathered_rows(Index rows, const Gather<T>& t, Index count,
                              std::index_sequence<R...>) {
  static constexpr RunGathered<T> all[] = {
      run_gathered<T, static_cast<int>(R) + 1, kVectors, kPartial, kLanewise>...};
  all[rows - 1](t, count);
}

// One column of tiles, `rows` rows in all, cut into nearly equal tiles: 16 = 6 + 5 + 5.
template <class T, int kVectors, bool kPartial, bool kLanewise>
void run_gathered_column(Gather<T> t, Index rows) {
  constexpr int highest = kVectors == 1       ? kGatheredRowsOfSingle
                          : kVectors == kLine ? kGatheredRowsOfLine
                                              : kGatheredRows;
  constexpr auto heights = std::make_index_sequence<highest>{};
  const Index count = (rows + highest - 1) / highest;
  const Index height = rows / count, higher = rows % count;
  if (higher > 0) {
    run_gathered_rows<T, kVectors, kPartial, kLanewise>(height + 1, t, higher, heights);
    t.from += higher * (height + 1);
    t.to += higher * (height + 1);
  }
  run_gathered_rows<T, kVectors, kPartial, kLanewise>(height, t, count - higher, heights);
}

template <class T, bool kLanewise>
void run_gathered_strip(const Gather<T>& t, Index rows, int vectors) {
  if (vectors == 1) return run_gathered_column<T, 1, false, kLanewise>(t, rows);
  if (vectors == 2) return run_gathered_column<T, 2, false, kLanewise>(t, rows);
  if (kWideTiles && vectors == 4) return run_gathered_column<T, 4, false, kLanewise>(t, rows);
  run_gathered_column<T, kLine, false, kLanewise>(t, rows);
}

// Copies the steps of t, with all columns of a strip, to where the nearest cache holds them, and
// lets t read them there.
template <class T>
void bring_near(Gather<T>& t, int vectors, T* copy, Run* runs) {
  constexpr int lanes = kLanes<T>;
  const Index last = t.last, width = vectors * lanes;
  Index steps = 0;
  for (Index i = 0; i < t.n_runs; ++i) {
    const T* b = t.b + t.runs[i].b;
    runs[i] = {t.runs[i].first, t.runs[i].count, steps * width};
    for (Index p = 0; p < t.runs[i].count; ++p, ++steps, b += t.ldb) {
      for (Index j = 0; j < last; j += lanes) store(copy + steps * width + j, load(b + j));
      store(copy + steps * width + last, load(b + last));
    }
  }
  t.b = copy;
  t.ldb = width;
  t.runs = runs;
}

// One strip, in pieces of the sums: every tile takes a piece while its part of b is near, and
// goes on from c with the next one, which changes no bit.
template <class T, bool kLanewise>
void run_gathered_pieces(const Gather<T>& strip, Index rows, int vectors) {
  alignas(64) T copy[kPieceSteps * kGatheredVectors * kLanes<T>];
  Run runs[kPieceSteps];
  const bool copied = rows >= 48 && strip.ldb > vectors * kLanes<T>;
  const Run *run = strip.runs, *end = strip.runs + strip.n_runs;
  Gather<T> t = strip;
  while (run != end) {
    t.runs = run;
    Index steps = 0;
    for (; run != end && steps + run->count <= kPieceSteps; ++run) steps += run->count;
    t.n_runs = run - t.runs;
    t.b = strip.b + (strip.single && !copied ? t.runs->b : 0);
    t.ldb = strip.ldb;
    t.relu = strip.relu && run == end;
    if (copied) bring_near(t, vectors, copy, runs);
    run_gathered_strip<T, kLanewise>(t, rows, vectors);
    t.resumed = true;
  }
}

// All of c[m, n]. No run is longer than kPieceSteps; without one, c is left as it was.
template <class T, bool kLanewise>
void multiply_gathered(Index m, Index n, Gather<T> whole) {
  constexpr int lanes = kLanes<T>;
  if (m <= 0 || n <= 0) return;
  Gather<T> t = whole;
  if (n < lanes) {
    t.last = n;
    run_gathered_column<T, 1, true, kLanewise>(t, m);
    return;
  }
  for (Index first = 0; first < n;) {
    // A single vector comes first, where it is whole. A strip that would pass the end ends there:
    // its last vector overlaps the one before in the same tile, never in another one.
    const Index left = (n - first + lanes - 1) / lanes;
    const int vectors = left % 2 == 1                               ? 1
                        : left >= kLine && m <= kGatheredRowsOfLine ? kLine
                        : left >= kGatheredVectors                  ? kGatheredVectors
                                                                    : 2;
    const Index begin = first, end = least(first + vectors * lanes, n);
    t.a = whole.a + (kLanewise ? begin : 0);
    t.b = whole.b + begin;
    t.c = whole.c + begin;
    if (whole.start != nullptr) t.start = whole.start + begin;
    t.last = end - lanes - begin;
    run_gathered_pieces<T, kLanewise>(t, m, vectors);
    first = end;
  }
}

}  // namespace fastnn::FASTNN_ISA::direct
