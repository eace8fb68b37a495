// Gathered products of any size, cut into strips, pieces and tiles of the micro-kernel.
#pragma once

#include "kernels/conv_tile.h"

namespace fastnn::FASTNN_ISA {

// Tiles fill the registers: rows x vectors sums, the vectors of b and one repeated scalar; more
// rows would need more pointers than there are registers.
inline constexpr bool kWideTiles = kVectorRegisters == 32;
inline constexpr int kGatheredVectors = kWideTiles ? 4 : 2;
inline constexpr int kGatheredRows = 6;
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

// One column of tiles, `rows` rows in all, cut into nearly equal tiles: 32 = 11 + 11 + 10.
template <class T, int kVectors, bool kPartial, bool kLanewise>
void run_gathered_column(Gather<T> t, Index rows) {
  constexpr auto heights = std::make_index_sequence<kGatheredRows>{};
  const Index count = (rows + kGatheredRows - 1) / kGatheredRows;
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
  if constexpr (kWideTiles) run_gathered_column<T, 4, false, kLanewise>(t, rows);
}

// One strip, in pieces of the sums: every tile takes a piece while its part of b is near, and
// goes on from c with the next one, which changes no bit. For many tiles the part is copied to
// where the nearest cache holds all of it.
template <class T, bool kLanewise>
void run_gathered_pieces(Gather<T> t, Index rows, int vectors) {
  constexpr int lanes = kLanes<T>;
  alignas(64) T copy[kPieceSteps * kGatheredVectors * lanes];
  const Index last = t.last, width = vectors * lanes, ldb = t.ldb;
  const T* b = t.b;
  const Run *run = t.runs, *end = t.runs + t.n_runs;
  const bool copied = rows >= 48 && ldb > width, relu = t.relu;
  while (run != end) {
    t.runs = run;
    Index steps = 0;
    for (; run != end && steps + run->count <= kPieceSteps; ++run) steps += run->count;
    t.n_runs = run - t.runs;
    t.relu = relu && run == end;
    t.b = b;
    if (copied) {
      for (Index p = 0; p < steps; ++p) {
        for (Index j = 0; j < last; j += lanes) store(copy + p * width + j, load(b + p * ldb + j));
        store(copy + p * width + last, load(b + p * ldb + last));
      }
      t.b = copy;
      t.ldb = width;
    }
    run_gathered_strip<T, kLanewise>(t, rows, vectors);
    b += steps * ldb;
    t.resumed = true;
  }
}

// All of c[m, n]. There is at least one run, and none is longer than kPieceSteps.
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
    const int vectors = left % 2 == 1 ? 1 : left >= kGatheredVectors ? kGatheredVectors : 2;
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

}  // namespace fastnn::FASTNN_ISA
