// Large matrix products, cut into blocks that the caches hold.
#pragma once

#include "kernels/dense_product.h"
#include "kernels/transpose.h"

namespace fastnn::FASTNN_ISA {

// A block of a lies in the second cache: 384 KiB in rows of kBlockDepth elements, a line apart.
// Panels of b lie in the nearest one, a few at a time copied from longer runs of its rows. Half a
// megabyte of the stack in all.
inline constexpr int kPanelVectors = kManyRegisters ? kWideVectors : 2;
inline constexpr Index kBlockDepth = 128;
template <class T>
inline constexpr Index kPanelWidth = kPanelVectors * kLanes<T>;
template <class T>
inline constexpr Index kBlockRows = 3072 / static_cast<Index>(sizeof(T));
template <class T>
inline constexpr Index kBlockStride = kBlockDepth + kLanes<T>;
template <class T>
inline constexpr Index kPanelsWidth = 512 / static_cast<Index>(sizeof(T));

// Columns that multiply_blocks() should take of a product c[m, n] of sums of k products, or 0:
// worth it once the nearer caches cannot hold a, the sooner when its rows crowd few of their sets.
template <class T>
Index blocked_columns(const Tiles<T>& tiles, Index m, Index n) {
  const Index bytes = m * tiles.k * static_cast<Index>(sizeof(T));
  const bool crowded = tiles.a_row * tiles.a_step * sizeof(T) % kPageBytes == 0;
  const bool large = m >= 192 && bytes >= (crowded ? 2 << 20 : 4 << 20);
  return large ? n / kPanelWidth<T> * kPanelWidth<T> : 0;
}

// block[rows][depth] = a[0:rows, 0:depth].
template <class T>
void pack_rows(const Tiles<T>& from, Index rows, Index depth, T* block) {
  if (from.a_step != 1) {
    transpose(depth, rows, depth, from.a, from.a_step, block, kBlockStride<T>);
    return;
  }
  for (Index r = 0; r < rows; ++r) {
    std::memcpy(block + r * kBlockStride<T>, from.a + r * from.a_row, depth * sizeof(T));
  }
}

// Panels [kBlockDepth][kPanelWidth] of b[0:depth, 0:columns], whole panels.
template <class T>
void pack_panels(const T* b, Index ldb, bool transposed, Index depth, Index columns, T* panels) {
  constexpr Index width = kPanelWidth<T>, lanes = kLanes<T>;
  for (Index j = 0; transposed && j < columns; j += width) {
    transpose(width, depth, width, b + j * ldb, ldb, panels + j * kBlockDepth, width);
  }
  for (Index p = 0; !transposed && p < depth; ++p, b += ldb) {
    T* to = panels + p * width;
    for (Index j = 0; j < columns; j += width, to += width * kBlockDepth) {
#pragma GCC unroll 4
      for (Index v = 0; v < width; v += lanes) store(to + v, load(b + j + v));
    }
  }
}

// c[m, n] of whole panels. transposed: rows of b are its columns, ldb apart. Each piece of the sums
// starts from c, where the one before left it, which changes no bit.
template <class T>
[[gnu::noinline]] void multiply_blocks(const Product<T>& product, bool transposed) {
  constexpr Index width = kPanelWidth<T>;
  alignas(64) T block[kBlockRows<T> * kBlockStride<T>], panels[kPanelsWidth<T> * kBlockDepth];
  const Tiles<T>& whole = product.tiles;
  const Index blocks = (product.m + kBlockRows<T> - 1) / kBlockRows<T>;
  const Index pieces = (whole.k + kBlockDepth - 1) / kBlockDepth;
  Tiles<T> tiles = whole;
  tiles.a = block, tiles.a_row = kBlockStride<T>, tiles.a_step = 1;
  tiles.ldb = width, tiles.last = width - kLanes<T>;
  for (Index step = 0; step < blocks * pieces; ++step) {
    const Index at = step / pieces, piece = step % pieces;
    const Index i = product.m * at / blocks, rows = product.m * (at + 1) / blocks - i;
    const Index p = whole.k * piece / pieces;
    Tiles<T> from = whole;
    from.a += i * whole.a_row + p * whole.a_step;
    tiles.k = whole.k * (piece + 1) / pieces - p;
    tiles.relu = whole.relu && piece + 1 == pieces;
    pack_rows(from, rows, tiles.k, block);
    for (Index j = 0; j < product.n; j += width) {
      const Index in_group = j % kPanelsWidth<T>;
      if (in_group == 0) {
        const T* b = whole.b + (transposed ? j * whole.ldb + p : p * whole.ldb + j);
        const Index columns = least(kPanelsWidth<T>, product.n - j);
        pack_panels(b, whole.ldb, transposed, tiles.k, columns, panels);
      }
      tiles.b = panels + in_group * kBlockDepth;
      tiles.c = whole.c + i * whole.ldc + j;
      tiles.start = tiles.c, tiles.start_row = whole.ldc;
      if (piece == 0) {
        tiles.start = whole.start == nullptr ? nullptr : whole.start + i * whole.start_row + j;
        tiles.start_row = whole.start_row;
      }
      run_column<T, kPanelVectors, false, 6>(tiles, rows);
    }
  }
}

// As multiply(), for products of any size.
template <class T, class Finish>
void multiply_any(Product<T> product, Finish finish) {
  const Index n = product.n, columns = blocked_columns(product.tiles, product.m, n);
  if (columns > 0) {
    product.n = columns;
    multiply_blocks(product, false);
    finish(Index(0), columns);
    if (columns == n) return;
    product.n = n - columns;
    product.tiles.b += columns, product.tiles.c += columns;
    if (product.tiles.start != nullptr) product.tiles.start += columns;
  }
  multiply(product, [=](Index first, Index width) { finish(columns + first, width); });
}

}  // namespace fastnn::FASTNN_ISA
