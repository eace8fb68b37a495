// Tiles of images, and the transforms between their pixels and 36 planes of numbers.
#pragma once

#include "kernels/winograd_transform.h"

namespace fastnn::FASTNN_ISA {

// The matrices at 36 positions, `plane` elements apart; their rows are tiles, ld apart.
template <class E>
struct PlanesOf {
  E* data;
  Index plane, ld;
};
using Planes = PlanesOf<float>;

// Tiles of 4 x 4 outputs, row by row.
struct Grid {
  Index rows, columns;
  explicit Grid(const Window& window)
      : rows((window.oh + kTileOut - 1) / kTileOut),
        columns((window.ow + kTileOut - 1) / kTileOut) {}
  Index count() const { return rows * columns; }
};

// Calls body(tile of the block, image, row, column) for tiles first .. first + count of all images.
template <class Body>
FASTNN_INLINE void each_tile(const Grid& grid, Index first, Index count, Body body) {
  Index image = first / grid.count();
  Index row = first % grid.count() / grid.columns, column = first % grid.columns;
  for (Index t = 0; t < count; ++t) {
    body(t, image, row, column);
    if (++column < grid.columns) continue;
    column = 0;
    if (++row < grid.rows) continue;
    row = 0;
    ++image;
  }
}

// Images[height, width, channels] one after the other, or their gradients.
struct Images {
  float* data;
  Index height, width, channels;
};

inline Images images_of(const float* data, Index height, Index width, Index channels) {
  return {const_cast<float*>(data), height, width, channels};
}

// A square of pixels of an image. Only rows and columns begin .. end of it exist.
struct Square {
  float* data;  // its first pixel, which may not exist
  Index row, step;
  int size, row_begin, row_end, column_begin, column_end;

  Square(const Images& images, Index image, Index top, Index left, int side)
      : data(images.data + ((image * images.height + top) * images.width + left) * images.channels),
        row(images.width * images.channels),
        step(images.channels),
        size(side),
        row_begin(static_cast<int>(top < 0 ? -top : 0)),
        row_end(static_cast<int>(least(side, images.height - top))),
        column_begin(static_cast<int>(left < 0 ? -left : 0)),
        column_end(static_cast<int>(least(side, images.width - left))) {}

  bool whole() const {
    return row_begin == 0 && column_begin == 0 && row_end == size && column_end == size;
  }
  float* at(int i, int j) const { return data + i * row + j * step; }
};

// A square of vectors, for squares and vectors that do not exist in full.
struct Stage {
  Lanes at[kTileIn][kTileIn];
};

// Calls body(i, j) for the pixels that exist.
template <class Body>
FASTNN_INLINE void each_pixel(const Square& square, Body body) {
  for (int i = square.row_begin; i < square.row_end; ++i) {
    for (int j = square.column_begin; j < square.column_end; ++j) body(i, j);
  }
}

// --- from pixels to planes -----------------------------------------------------------------------

FASTNN_INLINE void put(float* p, Lanes v) { store(p, v); }

template <class Line, class E>
[[gnu::noinline]] void spread_lanes(const float* in, Index row, Index step, E* out, Index plane) {
  // Along rows first: pixels of a column often lie a power of two apart, and so in one bank.
  transform<Line>([=](int j, int i) { return load(in + i * row + j * step); },
                  [=](int j, int i, Lanes v) { put(out + (i * kTileIn + j) * plane, v); });
}

// Row `tile` of the planes = the transform of channels begin .. end of a square.
template <class Line, class E>
void spread(const Square& square, Index begin, Index end, const PlanesOf<E>& to, Index tile) {
  E* out = to.data + tile * to.ld;
  Index c = begin;
  if (square.whole()) {
    for (; c + kWidth <= end; c += kWidth, out += kWidth) {
      spread_lanes<Line>(square.data + c, square.row, square.step, out, to.plane);
    }
  }
  if (c == end) return;
  Stage stage = {};
  for (; c < end; c += kWidth, out += kWidth) {
    const Index left = least(kWidth, end - c);
    each_pixel(square, [&](int i, int j) {
      const float* p = square.at(i, j) + c;
      stage.at[i][j] = left == kWidth ? load(p) : load_first(p, left);
    });
    spread_lanes<Line>(reinterpret_cast<const float*>(&stage), kTileIn * kWidth, kWidth, out,
                       to.plane);
  }
}

// --- from planes to pixels -----------------------------------------------------------------------

// What is added to outputs, and whether what is below zero becomes zero.
struct Finish {
  const float* bias;
  bool relu;
};

[[gnu::noinline]] inline void output_lanes(const float* in, Index plane, Lanes bias, bool relu,
                                           float* out, Index row, Index step) {
  transform<OutputLine>([=](int i, int j) { return load(in + (i * kTileIn + j) * plane); },
                        [=](int i, int j, Lanes v) {
                          v += bias;
                          if (relu) v = v < 0 ? Lanes{} : v;  // NaN stays NaN
                          store(out + i * row + j * step, v);
                        });
}

// The square = the transform of row `tile` of the planes, finished.
inline void gather(const Planes& from, Index tile, const Finish& finish, const Square& square) {
  const float* in = from.data + tile * from.ld;
  const Index channels = square.step;
  for (Index c = 0; c < channels; c += kWidth, in += kWidth) {
    const Index left = least(kWidth, channels - c);
    const bool full = left == kWidth;
    Lanes bias = {};
    if (finish.bias != nullptr)
      bias = full ? load(finish.bias + c) : load_first(finish.bias + c, left);
    if (full && square.whole()) {
      output_lanes(in, from.plane, bias, finish.relu, square.data + c, square.row, square.step);
      continue;
    }
    Stage stage;
    output_lanes(in, from.plane, bias, finish.relu, reinterpret_cast<float*>(&stage),
                 kTileIn * kWidth, kWidth);
    each_pixel(square, [&](int i, int j) {
      float* p = square.at(i, j) + c;
      full ? store(p, stage.at[i][j]) : store_first(p, stage.at[i][j], left);
    });
  }
}

// Squares of B dV B' overlap by two rows and columns: where another one was before, which the grid
// decides, values are added. kAdded: the square is whole and has both neighbours.
template <bool kAdded>
[[gnu::noinline]] void gradient_lanes(const float* in, Index plane, float* out, Index row,
                                      Index step) {
  transform<InputGradientLine>([=](int i, int j) { return load(in + (i * kTileIn + j) * plane); },
                               [=](int i, int j, Lanes v) {
                                 float* p = out + i * row + j * step;
                                 if (kAdded && (i < 2 || j < 2)) v += load(p);
                                 store(p, v);
                               });
}

inline void gather_gradient(const Planes& from, Index tile, bool first_row, bool first_column,
                            const Square& square) {
  const float* in = from.data + tile * from.ld;
  const Index channels = square.step;
  const bool inner = square.whole() && !first_row && !first_column;
  for (Index c = 0; c < channels; c += kWidth, in += kWidth) {
    const Index left = least(kWidth, channels - c);
    if (inner && left == kWidth) {
      gradient_lanes<true>(in, from.plane, square.data + c, square.row, square.step);
      continue;
    }
    Stage stage;
    gradient_lanes<false>(in, from.plane, reinterpret_cast<float*>(&stage), kTileIn * kWidth,
                          kWidth);
    each_pixel(square, [&](int i, int j) {
      float* p = square.at(i, j) + c;
      const bool added = (i < 2 && !first_row) || (j < 2 && !first_column);
      Lanes v = stage.at[i][j];
      if (left == kWidth) {
        store(p, added ? v + load(p) : v);
      } else {
        store_first(p, added ? v + load_first(p, left) : v, left);
      }
    });
  }
}

}  // namespace fastnn::FASTNN_ISA
