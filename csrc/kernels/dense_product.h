// Matrix products of any size, cut into tiles of the micro-kernel.
#pragma once

#include "kernels/dense_tile.h"

namespace fastnn::FASTNN_ISA {

// c[m, n] = start + a[m, k] @ b[k, n], with the meaning of Tiles (`last` is set here).
template <class T>
struct Product {
  Index m, n;
  Tiles<T> tiles;
};

// Tiles fill the registers: kRows * kVectors sums, kVectors vectors of b and one repeated scalar.
inline constexpr bool kManyRegisters = kVectorRegisters == 32;
inline constexpr int kWideVectors = 4;                          // only with many registers
inline constexpr int kRowsOfWide = 6;                           // x 4 vectors
inline constexpr int kRowsOfPair = kManyRegisters ? 14 : 6;     // x 2 vectors
inline constexpr int kRowsOfSingle = kManyRegisters ? 16 : 12;  // x 1 vector
inline constexpr int kLineVectors = kManyRegisters ? 16 : 8;    // 1 x 16 or 1 x 8 vectors

inline constexpr Index kPageBytes = 4096;  // lines this far apart crowd few sets of a cache
inline constexpr Index kShortSum = 12;
// Sums longer than kLongSum over rows of b this far apart are cut into pieces of kPieceDepth: the
// machines of fewer registers have the smaller caches too.
inline constexpr Index kLongSum = kManyRegisters ? 256 : 128;
inline constexpr Index kDistantBytes = kManyRegisters ? kPageBytes : 256;
inline constexpr Index kPieceDepth = kManyRegisters ? 128 : 256;
inline constexpr Index kCopyRows = kManyRegisters ? 48 : 24;

template <class T>
using RunTiles = void (*)(const Tiles<T>&, Index);

// The kernels of one width, by their number of rows less one.
template <class T, int kVectors, bool kPartial, size_t... R>
inline void run_rows(int rows, const Tiles<T>& tiles, Index count, std::index_sequence<R...>) {
  static constexpr RunTiles<T> all[] = {
      run_tiles<T, static_cast<int>(R) + 1, kVectors, kPartial>...};
  all[rows - 1](tiles, count);
}

// One column of tiles, `rows` rows in all, cut into nearly equal tiles: 32 = 11 + 11 + 10.
template <class T, int kVectors, bool kPartial, int kMaxRows>
void run_column(Tiles<T> tiles, Index rows) {
  constexpr auto heights = std::make_index_sequence<kMaxRows>{};
  const Index count = (rows + kMaxRows - 1) / kMaxRows;
  const Index height = rows / count, higher = rows % count;
  if (higher > 0) {
    run_rows<T, kVectors, kPartial>(static_cast<int>(height) + 1, tiles, higher, heights);
    tiles.a += higher * (height + 1) * tiles.a_row;
    if (tiles.start != nullptr) tiles.start += higher * (height + 1) * tiles.start_row;
    tiles.c += higher * (height + 1) * tiles.ldc;
  }
  run_rows<T, kVectors, kPartial>(static_cast<int>(height), tiles, count - higher, heights);
}

// Vectors of the next column of tiles, of `left` that remain.
template <class T>
int strip_vectors(const Tiles<T>& tiles, Index rows, Index left) {
  // A single row reads b once, at the speed of the cache it lies in: long runs of each row of b
  // are read fastest.
  if (rows == 1 && left >= kLineVectors) return kLineVectors;
  if (rows == 1 && left >= 8) return 8;
  if (kManyRegisters && tiles.k <= kShortSum) return left >= 2 ? 2 : 1;
  // Higher tiles read b less often, wider ones balance better and read fewer rows of a at once:
  // rows whole pages apart fall into one set of the nearest cache, of some 8 or 12 lines.
  const bool crowded = tiles.a_step == 1 && tiles.a_row * sizeof(T) % kPageBytes == 0;
  const bool high = rows >= 64 || (rows > 2 * kRowsOfWide && rows <= kRowsOfPair);
  if (kManyRegisters && left >= kWideVectors && (crowded || !high)) return kWideVectors;
  return left >= 2 ? 2 : 1;
}

template <class T, int kVectors, size_t... P>
void run_short_strip(const Tiles<T>& tiles, Index rows, std::index_sequence<P...>) {
  static constexpr RunTiles<T> all[] = {run_short<T, static_cast<int>(P) + 1, kVectors>...};
  all[tiles.k - 1](tiles, rows);
}

template <class T>
void run_strip(const Tiles<T>& tiles, Index rows, int vectors) {
  if constexpr (kManyRegisters) {
    if (tiles.k <= kShortSum && tiles.k > 0 && vectors <= 2) {
      constexpr auto steps = std::make_index_sequence<kShortSum>{};
      if (vectors == 2) return run_short_strip<T, 2>(tiles, rows, steps);
      return run_short_strip<T, 1>(tiles, rows, steps);
    }
  }
  switch (vectors) {
    case 1:
      return run_column<T, 1, false, kRowsOfSingle>(tiles, rows);
    case 2:
      return run_column<T, 2, false, kRowsOfPair>(tiles, rows);
    case 8:
      return run_column<T, 8, false, 1>(tiles, rows);
    default:
      break;
  }
  if constexpr (kManyRegisters) {
    if (vectors == 4) return run_column<T, 4, false, kRowsOfWide>(tiles, rows);
    run_column<T, kLineVectors, false, 1>(tiles, rows);
  }
}

// One strip. A long sum over distant rows of b is cut into pieces: every tile of the strip takes
// a piece while it is near, and goes on from c with the next one, which changes no bit. For many
// tiles the piece is copied to where the nearest cache holds all of it.
template <class T>
void run_pieces(Tiles<T> tiles, Index rows, int vectors) {
  constexpr int lanes = kLanes<T>;
  constexpr Index depth = kPieceDepth;
  alignas(64) T copy[depth * kWideVectors * lanes];
  const Index k = tiles.k, last = tiles.last, width = vectors * lanes, ldb = tiles.ldb;
  const T* b = tiles.b;
  const bool copied = rows >= kCopyRows, relu = tiles.relu;
  for (Index first = 0; first < k; first += depth, b += depth * ldb) {
    tiles.k = least(depth, k - first);
    tiles.relu = relu && first + tiles.k == k;
    tiles.b = b;
    if (copied) {
      for (Index p = 0; p < tiles.k; ++p) {
        __builtin_prefetch(b + (p + 16) * ldb);  // rows far apart: no machine foresees them
        for (Index j = 0; j < last; j += lanes) store(copy + p * width + j, load(b + p * ldb + j));
        store(copy + p * width + last, load(b + p * ldb + last));
      }
      tiles.b = copy;
      tiles.ldb = width;
    }
    run_strip(tiles, rows, vectors);
    tiles.a += depth * tiles.a_step;
    tiles.start = tiles.c;
    tiles.start_row = tiles.ldc;
  }
}

// Calls finish(first, width) after each finished column of tiles c[0:m, first:first + width].
template <class T, class Finish>
void multiply(const Product<T>& product, Finish finish) {
  constexpr int lanes = kLanes<T>;
  const Index m = product.m, n = product.n;
  if (m <= 0 || n <= 0) return;
  Tiles<T> tiles = product.tiles;
  if (n < lanes) {
    tiles.last = n;
    run_column<T, 1, true, kRowsOfSingle>(tiles, m);
    finish(Index(0), n);
    return;
  }
  for (Index first = 0; first < n;) {
    const int vectors = strip_vectors(tiles, m, (n - first + lanes - 1) / lanes);
    // A strip that would pass the end ends there: its last vector overlaps the one before, in the
    // same strip or, if it is the only one, in the strip before.
    const Index end = least(first + vectors * lanes, n);
    const Index begin = vectors == 1 ? end - lanes : first;
    tiles.b = product.tiles.b + begin;
    tiles.c = product.tiles.c + begin;
    if (product.tiles.start != nullptr) tiles.start = product.tiles.start + begin;
    tiles.last = end - lanes - begin;
    if (m > kRowsOfWide && tiles.ldb * sizeof(T) >= kDistantBytes && tiles.k >= kLongSum) {
      run_pieces(tiles, m, vectors);
    } else {
      run_strip(tiles, m, vectors);
    }
    finish(begin, end - begin);
    first += vectors * lanes;
  }
}

}  // namespace fastnn::FASTNN_ISA
