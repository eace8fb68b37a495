// Winograd's three passes over any factors of its products. With V = B' x B of an input tile,
// U = G w G' and Z = A dy A', forward is y = A' M A where M_p = V_p @ U_p at each of 36 positions
// p. Its transposes are dx += B dV B' where dV_p = Z_p @ U_p', and dw = G' dU G where dU_p = V_p' @
// Z_p. A number that is not finite reaches every pixel of its tiles.
//
// A class F of factors says how numbers lie in memory and how many tiles make a block, whose
// transforms stay in the second cache:
//   Row, kRowTiles        elements of V and Z where sums run along their rows
//   Column, kColumnTiles  and where sums run down their columns, through the tiles of a block
//   Word, kShare          what a sum takes at a time, of weights or of a column: kShare numbers
//   Strip                 of the products: run_panel(Strip, rows, vectors)
//   join(v, next)         words of a vector of numbers and of those that follow in the sums
//   block(channels)       of them, that backward_weights should take at once
#pragma once

#include "kernels/activations.h"
#include "kernels/winograd_product.h"
#include "kernels/winograd_tiles.h"

namespace fastnn::FASTNN_ISA {

inline Index whole(Index count) { return (count + kWidth - 1) / kWidth * kWidth; }

// Words of k numbers.
template <class F>
Index words(Index k) {
  return (k + F::kShare - 1) / F::kShare;
}

// Distance of two tiles in a block of transformed ones: not a power of two, where it matters.
inline Index row_of(Index channels) { return whole(channels) + (channels > kPanel ? kWidth : 0); }

// Distance of two positions: one line off, as lines this far apart crowd one set of a cache.
template <class E>
Index plane_of(Index rows, Index channels) {
  return rows * row_of(channels) + 64 / static_cast<Index>(sizeof(E));
}

// The same for transformed weights of k rows and n columns.
template <class F>
Index weights_plane(Index k, Index n) {
  return words<F>(k) * whole(n) + 16;
}

// Floats that planes take.
template <class E>
Index size_of_planes(Index rows, Index channels) {
  return kPositions * plane_of<E>(rows, channels) * static_cast<Index>(sizeof(E)) /
         static_cast<Index>(sizeof(float));
}

template <class E>
PlanesOf<E> planes_at(float*& scratch, Index rows, Index channels) {
  const PlanesOf<E> planes = {reinterpret_cast<E*>(scratch), plane_of<E>(rows, channels),
                              row_of(channels)};
  scratch += size_of_planes<E>(rows, channels);
  return planes;
}

// --- transforms of blocks ------------------------------------------------------------------------

// V of channels begin .. end.
template <class E>
void spread_inputs(const Conv& conv, const Grid& grid, Index first, Index count, Index begin,
                   Index end, const float* x, const PlanesOf<E>& to) {
  const Window& w = conv.window;
  const Images images = images_of(x, w.h, w.w, conv.channels);
  each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
    const Square square(images, image, row * kTileOut - w.top, column * kTileOut - w.left, kTileIn);
    spread<InputLine>(square, begin, end, to, t);
  });
}

// Z of all filters.
template <class E>
void spread_gradients(const Conv& conv, const Grid& grid, Index first, Index count, const float* dy,
                      const PlanesOf<E>& to) {
  const Images images = images_of(dy, conv.window.oh, conv.window.ow, conv.filters);
  each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
    const Square square(images, image, row * kTileOut, column * kTileOut, kTileOut);
    spread<OutputGradientLine>(square, 0, conv.filters, to, t);
  });
}

// Pixels[count, channels] that transforms touch next, first .. first + width of the channels: the
// products before leave time to bring them near.
struct Ahead {
  const float* data;
  Index count, channels, width;

  // The share of one position. Inline, as g++ drops calls that only prefetch.
  FASTNN_INLINE void fetch(Index position) const {
    const Index end = count * (position + 1) / kPositions;
    for (Index i = count * position / kPositions; i < end; ++i) {
      for (Index c = 0; c < width; c += 16) __builtin_prefetch(data + i * channels + c, 0, 3);
    }
  }
};

// About those of `count` tiles from `first` on, of all images[size, channels].
inline Ahead ahead_of(const float* images, const Grid& grid, Index size, Index channels,
                      Index tiles, Index first, Index count) {
  const Index begin = least(first, tiles) * size / grid.count(),
              end = least(first + count, tiles) * size / grid.count();
  return {images + begin * channels, end - begin, channels, channels};
}

// c_p[count, n] = a_p[count, k] @ u_p for all positions; u holds panels of k rows.
template <class F>
void multiply_positions(const PlanesOf<typename F::Row>& a, const Planes& c, Index count, Index k,
                        Index n, const typename F::Word* u, const Ahead& read, const Ahead& write) {
  typename F::Strip strip = {};
  strip.k = words<F>(k);
  strip.a_row = a.ld / F::kShare, strip.a_step = 1;
  strip.ldc = c.ld;
  for (Index p = 0; p < kPositions; ++p) {
    read.fetch(p);
    write.fetch(p);
    strip.a = reinterpret_cast<const typename F::Word*>(a.data + p * a.plane);
    for (Index first = 0; first < n; first += kPanel) {
      strip.ldb = least(kPanel, n - first);
      strip.b = u + p * weights_plane<F>(k, n) + first * strip.k;
      strip.c = c.data + p * c.plane + first;
      run_panel(strip, count, strip.ldb / kWidth);
    }
  }
}

// --- the three passes ----------------------------------------------------------------------------

template <class F>
void winograd_forward(const Conv& conv, Index images, const float* x, const float* u,
                      const float* b, float* y, Activation activation, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const auto v = planes_at<typename F::Row>(scratch, F::kRowTiles, conv.channels);
  const Planes m = planes_at<float>(scratch, F::kRowTiles, conv.filters);
  const Index tiles = images * grid.count(), image_size = w.oh * w.ow * conv.filters;
  const Images outputs = images_of(y, w.oh, w.ow, conv.filters);
  const Finish finish = {b, activation == Activation::kRelu};
  const bool apart = activation != Activation::kIdentity && !finish.relu;
  Index done = 0;  // images
  for (Index first = 0; first < tiles; first += F::kRowTiles) {
    const Index count = least(F::kRowTiles, tiles - first);
    spread_inputs(conv, grid, first, count, 0, conv.channels, x, v);
    multiply_positions<F>(
        v, m, count, conv.channels, whole(conv.filters),
        reinterpret_cast<const typename F::Word*>(u),
        ahead_of(x, grid, w.h * w.w, conv.channels, tiles, first + count, F::kRowTiles),
        ahead_of(y, grid, w.oh * w.ow, conv.filters, tiles, first, count));
    each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
      gather(m, t, finish, {outputs, image, row * kTileOut, column * kTileOut, kTileOut});
    });
    const Index next = (first + count) / grid.count();
    if (apart && next > done) {
      float* part = y + done * image_size;
      activate<float>(activation, (next - done) * image_size, part, part);
    }
    done = next;
  }
}

template <class F>
void winograd_backward_inputs(const Conv& conv, Index images, const float* dy, const float* ut,
                              float* dx, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const Images inputs = images_of(dx, w.h, w.w, conv.channels);
  const auto z = planes_at<typename F::Row>(scratch, F::kRowTiles, conv.filters);
  const Planes dv = planes_at<float>(scratch, F::kRowTiles, conv.channels);
  const Index tiles = images * grid.count();
  for (Index first = 0; first < tiles; first += F::kRowTiles) {
    const Index count = least(F::kRowTiles, tiles - first);
    spread_gradients(conv, grid, first, count, dy, z);
    multiply_positions<F>(
        z, dv, count, conv.filters, whole(conv.channels),
        reinterpret_cast<const typename F::Word*>(ut),
        ahead_of(dy, grid, w.oh * w.ow, conv.filters, tiles, first + count, F::kRowTiles),
        ahead_of(dx, grid, w.h * w.w, conv.channels, tiles, first, count));
    each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
      gather_gradient(dv, t, row == 0, column == 0,
                      {inputs, image, row * kTileOut - w.top, column * kTileOut - w.left, kTileIn});
    });
  }
}

// dw[3, 3, rows, filters] = G' dU G.
inline void gather_weights(const Planes& du, Index rows, Index filters, float* dw) {
  for (Index c = 0; c < rows; ++c) {
    for (Index f = 0; f < filters; f += kWidth) {
      const float* in = du.data + c * du.ld + f;
      float* out = dw + c * filters + f;
      const Index left = least(kWidth, filters - f);
      transform<WeightsGradientLine>(
          [=](int i, int j) { return load(in + (i * kTileIn + j) * du.plane); },
          [=](int i, int j, Lanes g) {
            float* p = out + (i * 3 + j) * rows * filters;
            left == kWidth ? store(p, g) : store_first(p, g, left);
          });
    }
  }
}

template <class F>
void winograd_backward_weights(const Conv& conv, Index images, Index begin, Index end,
                               const float* x, const float* dy, float* dw, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const Index tiles = images * grid.count(), rows = end - begin, filters = conv.filters;
  const Index high = words<F>(F::kColumnTiles);
  const auto v = planes_at<typename F::Column>(scratch, high, rows);
  const auto z = planes_at<typename F::Column>(scratch, high, filters);
  const Planes du = planes_at<float>(scratch, rows, filters);
  for (Index first = 0; first == 0 || first < tiles; first += F::kColumnTiles) {  // no tiles: zeros
    const Index count = least(F::kColumnTiles, tiles - first);
    typename F::Strip strip = {};
    strip.k = words<F>(count);
    strip.a_row = 1, strip.a_step = v.ld;
    strip.ldb = z.ld, strip.ldc = du.ld;
    strip.accumulate = first > 0;
    spread_inputs(conv, grid, first, count, begin, end, x, v);
    spread_gradients(conv, grid, first, count, dy, z);
    Ahead inputs =
        ahead_of(x + begin, grid, w.h * w.w, conv.channels, tiles, first + count, F::kColumnTiles);
    inputs.width = rows;
    const Ahead gradients =
        ahead_of(dy, grid, w.oh * w.ow, filters, tiles, first + count, F::kColumnTiles);
    for (Index p = 0; p < kPositions; ++p) {
      inputs.fetch(p);
      gradients.fetch(p);
      for (Index f = 0; f < whole(filters); f += kPanel) {
        strip.a = v.data + p * v.plane;
        strip.b = z.data + p * z.plane + f;
        strip.c = du.data + p * du.plane + f;
        run_panel(strip, rows, least(kPanel, whole(filters) - f) / kWidth);
      }
    }
  }
  gather_weights(du, rows, filters, dw);
}

// --- weights -------------------------------------------------------------------------------------

template <class F>
Index winograd_weights(const Conv& conv) {
  const Index u = weights_plane<F>(conv.channels, conv.filters),
              ut = weights_plane<F>(conv.filters, conv.channels);
  return kPositions * (u > ut ? u : ut);
}

// Where row r, column j of a matrix of k rows lies, kept in panels of `columns` columns in all.
template <class F>
Index panel_offset(Index k, Index columns, Index r, Index j) {
  const Index first = j / kPanel * kPanel;
  return first * words<F>(k) + r / F::kShare * least(kPanel, columns - first) + (j - first);
}

// Writes a vector past the caches where it fills a line: other cores read the weights next, and
// lines that they hold are slow to write.
template <class E>
FASTNN_INLINE void stream(E* p, Vector<E> v) {
#if defined(__AVX512F__)
  if (reinterpret_cast<uintptr_t>(p) % sizeof v == 0) {
    return _mm512_stream_si512(reinterpret_cast<__m512i*>(p), reinterpret_cast<__m512i>(v));
  }
#endif
  store(p, v);
}

// The words of kShare transformed squares: read(i, j, s) fetches from square s.
template <class F, class Read, class Write>
FASTNN_INLINE void transform_words(Read read, Write write) {
  Stage before;
  if constexpr (F::kShare == 2) {
    transform<WeightsLine>([=](int i, int j) { return read(i, j, 0); },
                           [&](int i, int j, Lanes v) { before.at[i][j] = v; });
  }
  transform<WeightsLine>([=](int i, int j) { return read(i, j, F::kShare - 1); },
                         [&](int i, int j, Lanes v) {
                           if constexpr (F::kShare == 2) write(i, j, F::join(before.at[i][j], v));
                           if constexpr (F::kShare == 1) write(i, j, v);
                         });
}

// u[channels c .. c + kShare, filters f ..] of all positions.
template <class F>
void transform_filters(const Conv& conv, Index c, Index f, const float* w, typename F::Word* u) {
  const Index columns = whole(conv.filters), left = least(kWidth, conv.filters - f);
  const Index plane = weights_plane<F>(conv.channels, conv.filters);
  const float* in = w + c * conv.filters + f;
  const Index existing = conv.channels - c;
  typename F::Word* out = u + panel_offset<F>(conv.channels, columns, c, f);
  transform_words<F>(
      [=](int i, int j, int s) {
        const float* p = in + ((i * 3 + j) * conv.channels + s) * conv.filters;
        if (s >= existing) return Lanes{};
        return left == kWidth ? load(p) : load_first(p, left);
      },
      [=](int i, int j, auto v) { stream(out + (i * kTileIn + j) * plane, v); });
}

// ut[filters f .., channels begin .. end] of all positions; the channels share a vector.
template <class F>
void transform_channels(const Conv& conv, Index begin, Index end, Index f, const float* w,
                        typename F::Word* ut) {
  const Index columns = whole(conv.channels), filters = least(kWidth, conv.filters - f);
  const Index plane = weights_plane<F>(conv.filters, conv.channels);
  Lanes taps[9][kWidth];
  for (Index tap = 0; tap < 9; ++tap) {
    for (Index i = 0; i < kWidth; ++i) {
      const float* p = w + (tap * conv.channels + begin + i) * conv.filters + f;
      taps[tap][i] = begin + i < end ? load_first(p, filters) : Lanes{};
    }
    transpose_square<float>(taps[tap]);
  }
  // The last channels' vector is filled up with zeros.
  const Index width = end == conv.channels ? whole(end) - begin : end - begin;
  for (Index r = 0; r < filters; r += F::kShare) {
    typename F::Word* out = ut + panel_offset<F>(conv.filters, columns, f + r, begin);
    transform_words<F>([&](int i, int j, int s) { return taps[i * 3 + j][r + s]; },
                       [&](int i, int j, auto v) {
                         typename F::Word* p = out + (i * kTileIn + j) * plane;
                         width == kWidth ? stream(p, v) : store_first(p, v, width);
                       });
  }
}

template <class F>
void winograd_transform(const Conv& conv, Index begin, Index end, const float* w, float* u,
                        float* ut) {
  auto* forward = reinterpret_cast<typename F::Word*>(u);
  auto* backward = reinterpret_cast<typename F::Word*>(ut);
  for (Index f = 0; f < conv.filters; f += kWidth) {
    for (Index c = begin; c < end; c += F::kShare) transform_filters<F>(conv, c, f, w, forward);
    for (Index c = begin; c < end && ut != nullptr;) {
      const Index stop = least(end, whole(c + 1));  // a vector of channels lies in one panel
      transform_channels<F>(conv, c, stop, f, w, backward);
      c = stop;
    }
  }
#if defined(__SSE2__)
  _mm_sfence();  // streamed stores become visible before what follows
#endif
}

// --- sizes ---------------------------------------------------------------------------------------

template <class F>
Index winograd_scratch(const Conv& conv, Index block) {
  using Row = typename F::Row;
  using Column = typename F::Column;
  const Index high = words<F>(F::kColumnTiles);
  const Index forward = size_of_planes<Row>(F::kRowTiles, conv.channels) +
                        size_of_planes<float>(F::kRowTiles, conv.filters);
  const Index backward = size_of_planes<Row>(F::kRowTiles, conv.filters) +
                         size_of_planes<float>(F::kRowTiles, conv.channels);
  const Index weights = size_of_planes<Column>(high, block) +
                        size_of_planes<Column>(high, conv.filters) +
                        size_of_planes<float>(block, conv.filters);
  const Index rows = forward > backward ? forward : backward;
  return rows > weights ? rows : weights;
}

template <class F>
Index winograd_block(const Conv& conv) {
  return least(conv.channels, F::block(conv.channels));
}

template <class F>
Winograd<float> winograd_kernels() {
  return {winograd_weights<F>,
          winograd_transform<F>,
          winograd_forward<F>,
          winograd_backward_inputs<F>,
          winograd_backward_weights<F>,
          winograd_scratch<F>,
          winograd_block<F>};
}

}  // namespace fastnn::FASTNN_ISA
