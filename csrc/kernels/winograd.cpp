// Convolution of 3 x 3 windows by Winograd F(4x4, 3x3): a quarter of the multiplications. With
// V = B' x B of an input tile, U = G w G' and Z = A dy A', forward is y = A' M A where
// M_p = V_p @ U_p at each of 36 positions p. Its transposes are dx += B dV B' where
// dV_p = Z_p @ U_p', and dw = G' dU G where dU_p = V_p' @ Z_p. Float only: the entries for double
// are null. A number that is not finite reaches every pixel of its tiles.
#include "kernels/activations.h"
#include "kernels/winograd_product.h"
#include "kernels/winograd_tiles.h"

namespace fastnn::FASTNN_ISA {
namespace {

// Tiles of a block, whose transforms stay in the second cache: in forward and backward_inputs they
// are rows of the products, in backward_weights the length of their sums.
inline constexpr Index kTiles = 24;

Index whole(Index count) { return (count + kWidth - 1) / kWidth * kWidth; }

// Distance of two tiles in a block of transformed ones: not a power of two, where it matters.
Index row_of(Index channels) { return whole(channels) + (channels > kPanel ? kWidth : 0); }

// Distance of two positions: one line off, as lines this far apart crowd one set of a cache.
Index plane_of(Index rows, Index channels) { return rows * row_of(channels) + 16; }

// The same for transformed weights of k rows and n columns.
Index weights_plane(Index k, Index n) { return k * whole(n) + 16; }

Planes planes_at(float*& scratch, Index rows, Index channels) {
  const Planes planes = {scratch, plane_of(rows, channels), row_of(channels)};
  scratch += kPositions * planes.plane;
  return planes;
}

// --- transforms of blocks ------------------------------------------------------------------------

// V of channels begin .. end.
void spread_inputs(const Conv& conv, const Grid& grid, Index first, Index count, Index begin,
                   Index end, const float* x, const Planes& to) {
  const Window& w = conv.window;
  const Images images = images_of(x, w.h, w.w, conv.channels);
  each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
    const Square square(images, image, row * kTileOut - w.top, column * kTileOut - w.left, kTileIn);
    spread<InputLine>(square, begin, end, to, t);
  });
}

// Z of all filters.
void spread_gradients(const Conv& conv, const Grid& grid, Index first, Index count, const float* dy,
                      const Planes& to) {
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
Ahead ahead_of(const float* images, const Grid& grid, Index size, Index channels, Index tiles,
               Index first, Index count) {
  const Index begin = least(first, tiles) * size / grid.count(),
              end = least(first + count, tiles) * size / grid.count();
  return {images + begin * channels, end - begin, channels, channels};
}

// c_p[count, n] = a_p[count, k] @ u_p for all positions; u holds panels of k rows.
void multiply_positions(const Planes& a, const Planes& c, Index count, Index k, Index n,
                        const float* u, const Ahead& read, const Ahead& write) {
  Strip strip = {};
  strip.k = k;
  strip.a_row = a.ld, strip.a_step = 1;
  strip.ldc = c.ld;
  for (Index p = 0; p < kPositions; ++p) {
    read.fetch(p);
    write.fetch(p);
    strip.a = a.data + p * a.plane;
    for (Index first = 0; first < n; first += kPanel) {
      strip.ldb = least(kPanel, n - first);
      strip.b = u + p * weights_plane(k, n) + first * k;
      strip.c = c.data + p * c.plane + first;
      run_panel(strip, count, strip.ldb / kWidth);
    }
  }
}

// --- the three passes ----------------------------------------------------------------------------

void winograd_forward(const Conv& conv, Index images, const float* x, const float* u,
                      const float* b, float* y, Activation activation, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const Planes v = planes_at(scratch, kTiles, conv.channels);
  const Planes m = planes_at(scratch, kTiles, conv.filters);
  const Index tiles = images * grid.count(), image_size = w.oh * w.ow * conv.filters;
  const Images outputs = images_of(y, w.oh, w.ow, conv.filters);
  const Finish finish = {b, activation == Activation::kRelu};
  const bool apart = activation != Activation::kIdentity && !finish.relu;
  Index done = 0;  // images
  for (Index first = 0; first < tiles; first += kTiles) {
    const Index count = least(kTiles, tiles - first);
    spread_inputs(conv, grid, first, count, 0, conv.channels, x, v);
    multiply_positions(v, m, count, conv.channels, whole(conv.filters), u,
                       ahead_of(x, grid, w.h * w.w, conv.channels, tiles, first + count, kTiles),
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

void winograd_backward_inputs(const Conv& conv, Index images, const float* dy, const float* ut,
                              float* dx, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const Images inputs = images_of(dx, w.h, w.w, conv.channels);
  const Planes z = planes_at(scratch, kTiles, conv.filters);
  const Planes dv = planes_at(scratch, kTiles, conv.channels);
  const Index tiles = images * grid.count();
  for (Index first = 0; first < tiles; first += kTiles) {
    const Index count = least(kTiles, tiles - first);
    spread_gradients(conv, grid, first, count, dy, z);
    multiply_positions(z, dv, count, conv.filters, whole(conv.channels), ut,
                       ahead_of(dy, grid, w.oh * w.ow, conv.filters, tiles, first + count, kTiles),
                       ahead_of(dx, grid, w.h * w.w, conv.channels, tiles, first, count));
    each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
      gather_gradient(dv, t, row == 0, column == 0,
                      {inputs, image, row * kTileOut - w.top, column * kTileOut - w.left, kTileIn});
    });
  }
}

// dw[3, 3, rows, filters] = G' dU G.
void gather_weights(const Planes& du, Index rows, Index filters, float* dw) {
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

void winograd_backward_weights(const Conv& conv, Index images, Index begin, Index end,
                               const float* x, const float* dy, float* dw, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const Index tiles = images * grid.count(), rows = end - begin, filters = conv.filters;
  const Planes v = planes_at(scratch, kTiles, rows);
  const Planes z = planes_at(scratch, kTiles, filters);
  const Planes du = planes_at(scratch, rows, filters);
  for (Index first = 0; first == 0 || first < tiles; first += kTiles) {  // no tiles: zeros
    Strip strip = {};
    strip.k = least(kTiles, tiles - first);
    strip.a_row = 1, strip.a_step = v.ld;
    strip.ldb = z.ld, strip.ldc = du.ld;
    strip.accumulate = first > 0;
    spread_inputs(conv, grid, first, strip.k, begin, end, x, v);
    spread_gradients(conv, grid, first, strip.k, dy, z);
    Ahead inputs =
        ahead_of(x + begin, grid, w.h * w.w, conv.channels, tiles, first + kTiles, kTiles);
    inputs.width = rows;
    const Ahead gradients = ahead_of(dy, grid, w.oh * w.ow, filters, tiles, first + kTiles, kTiles);
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

Index winograd_weights(const Conv& conv) {
  const Index u = weights_plane(conv.channels, conv.filters),
              ut = weights_plane(conv.filters, conv.channels);
  return kPositions * (u > ut ? u : ut);
}

// Where row r, column j of a matrix of k rows lies, kept in panels of `columns` columns in all.
Index panel_offset(Index k, Index columns, Index r, Index j) {
  const Index first = j / kPanel * kPanel;
  return first * k + r * least(kPanel, columns - first) + (j - first);
}

// Writes a vector past the caches where it fills a line: other cores read the weights next, and
// lines that they hold are slow to write.
FASTNN_INLINE void stream(float* p, Lanes v) {
#if defined(__AVX512F__)
  if (reinterpret_cast<uintptr_t>(p) % sizeof v == 0) return _mm512_stream_ps(p, v);
#endif
  store(p, v);
}

// u[channel c, filters f ..] of all positions.
void transform_filters(const Conv& conv, Index c, Index f, const float* w, float* u) {
  const Index columns = whole(conv.filters), left = least(kWidth, conv.filters - f);
  const Index plane = weights_plane(conv.channels, conv.filters);
  const float* in = w + c * conv.filters + f;
  float* out = u + panel_offset(conv.channels, columns, c, f);
  transform<WeightsLine>(
      [=](int i, int j) {
        const float* p = in + (i * 3 + j) * conv.channels * conv.filters;
        return left == kWidth ? load(p) : load_first(p, left);
      },
      [=](int i, int j, Lanes v) { stream(out + (i * kTileIn + j) * plane, v); });
}

// ut[filters f .., channels begin .. end] of all positions; the channels share a vector.
void transform_channels(const Conv& conv, Index begin, Index end, Index f, const float* w,
                        float* ut) {
  const Index columns = whole(conv.channels), filters = least(kWidth, conv.filters - f);
  const Index plane = weights_plane(conv.filters, conv.channels);
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
  for (Index r = 0; r < filters; ++r) {
    float* out = ut + panel_offset(conv.filters, columns, f + r, begin);
    transform<WeightsLine>([&](int i, int j) { return taps[i * 3 + j][r]; },
                           [&](int i, int j, Lanes v) {
                             float* p = out + (i * kTileIn + j) * plane;
                             width == kWidth ? stream(p, v) : store_first(p, v, width);
                           });
  }
}

void winograd_transform(const Conv& conv, Index begin, Index end, const float* w, float* u,
                        float* ut) {
  for (Index f = 0; f < conv.filters; f += kWidth) {
    for (Index c = begin; c < end; ++c) transform_filters(conv, c, f, w, u);
    for (Index c = begin; c < end && ut != nullptr;) {
      const Index stop = least(end, whole(c + 1));  // a vector of channels lies in one panel
      transform_channels(conv, c, stop, f, w, ut);
      c = stop;
    }
  }
#if defined(__SSE2__)
  _mm_sfence();  // streamed stores become visible before what follows
#endif
}

// --- sizes ---------------------------------------------------------------------------------------

Index winograd_scratch(const Conv& conv, Index block) {
  const Index filters = plane_of(kTiles, conv.filters);
  const Index rows = plane_of(kTiles, conv.channels) + filters;
  const Index weights =
      plane_of(kTiles, block) + plane_of(kTiles, conv.filters) + plane_of(block, conv.filters);
  return kPositions * (rows > weights ? rows : weights);
}

// A block repeats the transform of the gradient: 32 channels cost 8 % more than 64, 16 a quarter.
Index winograd_block(const Conv& conv) {
  return least(conv.channels, conv.channels < 128 ? 32 : 64);
}

}  // namespace

template <>
void add_winograd<float>(Kernels<float>& table) {
  table.winograd_weights = winograd_weights;
  table.winograd_transform = winograd_transform;
  table.winograd_forward = winograd_forward;
  table.winograd_backward_inputs = winograd_backward_inputs;
  table.winograd_backward_weights = winograd_backward_weights;
  table.winograd_scratch = winograd_scratch;
  table.winograd_block = winograd_block;
}
template <>
void add_winograd<double>(Kernels<double>&) {}

}  // namespace fastnn::FASTNN_ISA
