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
inline constexpr int kRowsOfWide = 6;                           // 6 x 4 vectors
inline constexpr int kRowsOfPair = kManyRegisters ? 14 : 6;     // x 2 vectors
inline constexpr int kRowsOfSingle = kManyRegisters ? 16 : 12;  // x 1 vector

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
    tiles.c += higher * (height + 1) * tiles.ldc;
  }
  run_rows<T, kVectors, kPartial>(static_cast<int>(height), tiles, count - higher, heights);
}

// Calls column(first, width) after each finished column of tiles c[0:m, first:first + width].
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
    const Index left = (n - first + lanes - 1) / lanes;  // vectors
    const Index vectors = kManyRegisters && left >= kWideVectors ? kWideVectors : left >= 2 ? 2 : 1;
    // The last vector of a ragged width is moved back to end where the row ends.
    Index begin = first, width = vectors * lanes;
    if (first + width > n) {
      width = n - first;
      if (vectors == 1) begin = n - lanes, width = lanes;
    }
    tiles.b = product.tiles.b + begin;
    tiles.c = product.tiles.c + begin;
    if (product.tiles.start != nullptr) tiles.start = product.tiles.start + begin;
    tiles.last = width - lanes;
    if (vectors == kWideVectors) {
      if constexpr (kManyRegisters) run_column<T, kWideVectors, false, kRowsOfWide>(tiles, m);
    } else if (vectors == 2) {
      run_column<T, 2, false, kRowsOfPair>(tiles, m);
    } else {
      run_column<T, 1, false, kRowsOfSingle>(tiles, m);
    }
    finish(begin, width);
    first += vectors * lanes;
  }
}

}  // namespace fastnn::FASTNN_ISA
