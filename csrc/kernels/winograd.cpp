// Convolution of 3 x 3 windows by Winograd F(4x4, 3x3): a quarter of the multiplications. Float
// only: doubles take the direct kernel. With V = B' x B of an input tile, U = G w G' and Z = A dy
// A', forward is y = A' M A with M_p = V_p @ U_p at each of 36 positions p; its transposes are dx
// += B dV B' with dV_p = Z_p @ U_p', and dw = G' dU G with dU_p = V_p' @ Z_p.
#include "kernels/activations.h"
#include "kernels/winograd_product.h"
#include "kernels/winograd_transform.h"

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

// The matrices at 36 positions, one `plane` after the other, rows ld apart.
struct Planes {
  float* data;
  Index plane, ld;
};

Planes planes_at(float*& scratch, Index rows, Index channels) {
  const Planes planes = {scratch, plane_of(rows, channels), row_of(channels)};
  scratch += kPositions * planes.plane;
  return planes;
}

// --- where tiles lie -----------------------------------------------------------------------------

// Tiles of 4 x 4 outputs, row by row.
struct Grid {
  Index rows, columns;
  explicit Grid(const Window& window)
      : rows((window.oh + kTileOut - 1) / kTileOut),
        columns((window.ow + kTileOut - 1) / kTileOut) {}
  Index count() const { return rows * columns; }
};

// Part of an image[height, width, channels] under a square of pixels: rows that do not exist point
// to `missing`.
struct Patch {
  const float* row[kTileIn];
  Index step;
  Span columns;
};

Patch patch_at(const float* image, Index height, Index width, Index channels, Index top, Index left,
               Index size, const float* missing) {
  Patch patch = {};
  patch.step = channels;
  patch.columns = {static_cast<int>(left < 0 ? -left : 0),
                   static_cast<int>(least(size, width - left))};
  for (Index i = 0; i < size; ++i) {
    const bool exists = top + i >= 0 && top + i < height;
    patch.row[i] = exists ? image + ((top + i) * width + left) * channels : missing;
  }
  return patch;
}

// Calls body(tile in the block, image, row, column) for tiles first .. first + count.
template <class Body>
void each_tile(const Grid& grid, Index first, Index count, Body body) {
  for (Index t = 0; t < count; ++t) {
    const Index image = (first + t) / grid.count(), place = (first + t) % grid.count();
    body(t, image, place / grid.columns, place % grid.columns);
  }
}

// --- transforms of a tile ------------------------------------------------------------------------

// planes[p][tile, channels] = the transform of a patch.
template <class Line, bool kPartial>
void patch_lanes(const Patch& patch, Index c, Index left, float* out, Index plane) {
  transform<Line>(
      patch.columns, Line::to,
      [&](int j, Lanes* in) {
#pragma GCC unroll 6
        for (int i = 0; i < Line::from; ++i) {
          in[i] = load_lanes<kPartial>(patch.row[i] + j * patch.step + c, left);
        }
      },
      [&](int i, const Lanes* v) { write_planes(out, plane, i, v); });
}

template <class Line>
void transform_patch(const Patch& patch, Index begin, Index end, const Planes& to, Index tile) {
  float* out = to.data + tile * to.ld;
  Index c = begin;
  for (; c + kWidth <= end; c += kWidth, out += kWidth) {
    patch_lanes<Line, false>(patch, c, kWidth, out, to.plane);
  }
  if (c < end) patch_lanes<Line, true>(patch, c, end - c, out, to.plane);
}

// What the output transform adds and where it writes: rows of a tile that exist, columns likewise.
struct Target {
  float* y;  // the tile's first pixel
  Index row_step, step;
  int rows, columns;
  const float* bias;
  bool relu;
};

template <bool kPartial>
void output_lanes(const float* in, Index plane, const Target& to, Index c, Index left) {
  const Lanes bias = to.bias == nullptr ? Lanes{} : load_lanes<kPartial>(to.bias + c, left);
  const bool relu = to.relu;
  const auto write = [&](int i, const Lanes* out) {
    float* y = to.y + i * to.row_step + c;
#pragma GCC unroll 4
    for (int j = 0; j < kTileOut; ++j) {
      Lanes v = out[j] + bias;
      if (relu) v = v < 0 ? Lanes{} : v;  // NaN stays NaN
      if (j < to.columns) store_lanes<kPartial>(y + j * to.step, v, left);
    }
  };
  transform<OutputLine>(
      {0, kTileIn}, to.rows, [&](int j, Lanes* v) { read_planes(in, plane, j, v); }, write);
}

void transform_output(const Planes& from, Index tile, Index channels, const Target& to) {
  const float* in = from.data + tile * from.ld;
  Index c = 0;
  for (; c + kWidth <= channels; c += kWidth) {
    output_lanes<false>(in + c, from.plane, to, c, kWidth);
  }
  if (c < channels) output_lanes<true>(in + c, from.plane, to, c, channels - c);
}

// Adds B dV B' to dx. Tiles overlap by two rows and columns: all but the first tile of a row or
// column find values in theirs, in an order that the grid fixes.
struct Overlap {
  float* row[kTileIn];  // null where no row exists
  Index step;
  Span columns;
  bool first_row, first_column;
};

template <bool kPartial>
void add_lanes(const float* in, Index plane, const Overlap& to, Index c, Index left) {
  transform<InputGradientLine>(
      {0, kTileIn}, kTileIn, [&](int j, Lanes* v) { read_planes(in, plane, j, v); },
      [&](int i, const Lanes* v) {
        if (to.row[i] == nullptr) return;
        float* p = to.row[i] + c;
        const int fresh = i < 2 && !to.first_row ? kTileIn : to.first_column ? 0 : 2;
#pragma GCC unroll 6
        for (int j = 0; j < kTileIn; ++j) {
          if (j < to.columns.begin || j >= to.columns.end) continue;
          Lanes sum = v[j];
          if (j < fresh) sum += load_lanes<kPartial>(p + j * to.step, left);
          store_lanes<kPartial>(p + j * to.step, sum, left);
        }
      });
}

void transform_overlap(const Planes& from, Index tile, Index channels, const Overlap& to) {
  const float* in = from.data + tile * from.ld;
  Index c = 0;
  for (; c + kWidth <= channels; c += kWidth) add_lanes<false>(in + c, from.plane, to, c, kWidth);
  if (c < channels) add_lanes<true>(in + c, from.plane, to, c, channels - c);
}

// --- transforms of blocks ------------------------------------------------------------------------

// V of channels begin .. end.
void transform_inputs(const Conv& conv, const Grid& grid, Index first, Index count, Index begin,
                      Index end, const float* x, const Planes& to, const float* missing) {
  const Window& w = conv.window;
  each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
    const Patch patch =
        patch_at(x + image * w.h * w.w * conv.channels, w.h, w.w, conv.channels,
                 row * kTileOut - w.top, column * kTileOut - w.left, kTileIn, missing);
    transform_patch<InputLine>(patch, begin, end, to, t);
  });
}

// Z of filters begin .. end.
void transform_gradients(const Conv& conv, const Grid& grid, Index first, Index count, Index begin,
                         Index end, const float* dy, const Planes& to, const float* missing) {
  const Window& w = conv.window;
  each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
    const Patch patch = patch_at(dy + image * w.oh * w.ow * conv.filters, w.oh, w.ow, conv.filters,
                                 row * kTileOut, column * kTileOut, kTileOut, missing);
    transform_patch<OutputGradientLine>(patch, begin, end, to, t);
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
      strip.b = u + (p * n + first) * k;
      strip.c = c.data + p * c.plane + first;
      run_panel(strip, count, strip.ldb / kWidth);
    }
  }
}

const float* zeros_at(float*& scratch, Index count) {
  std::memset(scratch, 0, count * sizeof(float));
  scratch += count;
  return scratch - count;
}

// A row of pixels that do not exist.
Index missing_pixels(const Conv& conv) {
  const Index most = conv.channels > conv.filters ? conv.channels : conv.filters;
  return kTileIn * most + 16 - kTileIn * most % 16;
}

// --- the three passes ----------------------------------------------------------------------------

void winograd_forward(const Conv& conv, Index images, const float* x, const float* u,
                      const float* b, float* y, Activation activation, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const float* missing = zeros_at(scratch, missing_pixels(conv));
  const Planes v = planes_at(scratch, kTiles, conv.channels);
  const Planes m = planes_at(scratch, kTiles, conv.filters);
  const Index tiles = images * grid.count(), image_size = w.oh * w.ow * conv.filters;
  Target target = {};
  target.row_step = w.ow * conv.filters, target.step = conv.filters;
  target.bias = b, target.relu = activation == Activation::kRelu;
  const bool apart = activation != Activation::kIdentity && !target.relu;
  Index done = 0;  // images
  for (Index first = 0; first < tiles; first += kTiles) {
    const Index count = least(kTiles, tiles - first);
    transform_inputs(conv, grid, first, count, 0, conv.channels, x, v, missing);
    multiply_positions(v, m, count, conv.channels, whole(conv.filters), u,
                       ahead_of(x, grid, w.h * w.w, conv.channels, tiles, first + count, kTiles),
                       ahead_of(y, grid, w.oh * w.ow, conv.filters, tiles, first, count));
    each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
      target.y = y + image * image_size + (row * w.ow + column) * kTileOut * conv.filters;
      target.rows = static_cast<int>(least(kTileOut, w.oh - row * kTileOut));
      target.columns = static_cast<int>(least(kTileOut, w.ow - column * kTileOut));
      transform_output(m, t, conv.filters, target);
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
  const float* missing = zeros_at(scratch, missing_pixels(conv));
  const Planes z = planes_at(scratch, kTiles, conv.filters);
  const Planes dv = planes_at(scratch, kTiles, conv.channels);
  const Index tiles = images * grid.count();
  for (Index first = 0; first < tiles; first += kTiles) {
    const Index count = least(kTiles, tiles - first);
    transform_gradients(conv, grid, first, count, 0, conv.filters, dy, z, missing);
    multiply_positions(z, dv, count, conv.filters, whole(conv.channels), ut,
                       ahead_of(dy, grid, w.oh * w.ow, conv.filters, tiles, first + count, kTiles),
                       ahead_of(dx, grid, w.h * w.w, conv.channels, tiles, first, count));
    each_tile(grid, first, count, [&](Index t, Index image, Index row, Index column) {
      const Patch patch =
          patch_at(dx + image * w.h * w.w * conv.channels, w.h, w.w, conv.channels,
                   row * kTileOut - w.top, column * kTileOut - w.left, kTileIn, nullptr);
      Overlap to = {{}, patch.step, patch.columns, row == 0, column == 0};
      for (Index i = 0; i < kTileIn; ++i) to.row[i] = const_cast<float*>(patch.row[i]);
      transform_overlap(dv, t, conv.channels, to);
    });
  }
}

void winograd_backward_weights(const Conv& conv, Index images, Index begin, Index end,
                               const float* x, const float* dy, float* dw, float* scratch) {
  const Window& w = conv.window;
  const Grid grid(w);
  const float* missing = zeros_at(scratch, missing_pixels(conv));
  const Index tiles = images * grid.count(), rows = end - begin, filters = conv.filters;
  const Planes v = planes_at(scratch, kTiles, rows);
  const Planes z = planes_at(scratch, kTiles, filters);
  const Planes du = planes_at(scratch, rows, filters);
  for (Index first = 0; first < tiles; first += kTiles) {
    Strip strip = {};
    strip.k = least(kTiles, tiles - first);
    strip.a_row = 1, strip.a_step = v.ld;
    strip.ldb = z.ld, strip.ldc = du.ld;
    strip.accumulate = first > 0;
    transform_inputs(conv, grid, first, strip.k, begin, end, x, v, missing);
    transform_gradients(conv, grid, first, strip.k, 0, filters, dy, z, missing);
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
  for (Index c = 0; c < rows; ++c) {
    for (Index f = 0; f < filters; f += kWidth) {
      const float* in = du.data + c * du.ld + f;
      float* out = dw + c * filters + f;
      const Index left = least(kWidth, filters - f);
      transform<WeightsGradientLine>([&](int j, Lanes* v) { read_planes(in, du.plane, j, v); },
                                     [&](int i, const Lanes* g) {
                                       for (int j = 0; j < 3; ++j) {
                                         float* p = out + (i * 3 + j) * rows * filters;
                                         left == kWidth ? store(p, g[j])
                                                        : store_first(p, g[j], left);
                                       }
                                     });
    }
  }
}

// --- weights -------------------------------------------------------------------------------------

Index winograd_weights(const Conv& conv) {
  const Index forward = conv.channels * whole(conv.filters),
              backward = conv.filters * whole(conv.channels);
  return kPositions * (forward > backward ? forward : backward);
}

// Where row r, column j of a matrix of k rows lies, kept in panels of `columns` columns in all.
Index panel_offset(Index k, Index columns, Index r, Index j) {
  const Index first = j / kPanel * kPanel;
  return first * k + r * least(kPanel, columns - first) + (j - first);
}

// u[channel c, filters f ..] of all positions.
void transform_filters(const Conv& conv, Index c, Index f, const float* w, float* u) {
  const Index columns = whole(conv.filters), left = least(kWidth, conv.filters - f);
  const float* in = w + c * conv.filters + f;
  float* out = u + panel_offset(conv.channels, columns, c, f);
  transform<WeightsLine>(
      [&](int j, Lanes* g) {
        for (int i = 0; i < 3; ++i) {
          const float* p = in + (i * 3 + j) * conv.channels * conv.filters;
          g[i] = left == kWidth ? load(p) : load_first(p, left);
        }
      },
      [&](int i, const Lanes* v) { write_planes(out, conv.channels * columns, i, v); });
}

// ut[filters f .., channels begin .. end] of all positions; the channels share a vector.
void transform_channels(const Conv& conv, Index begin, Index end, Index f, const float* w,
                        float* ut) {
  const Index columns = whole(conv.channels), filters = least(kWidth, conv.filters - f);
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
    transform<WeightsLine>(
        [&](int j, Lanes* g) {
          for (int i = 0; i < 3; ++i) g[i] = taps[i * 3 + j][r];
        },
        [&](int i, const Lanes* v) {
          for (int j = 0; j < kTileIn; ++j) {
            store_first(out + (i * kTileIn + j) * conv.filters * columns, v[j], width);
          }
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
}

// --- sizes ---------------------------------------------------------------------------------------

Index winograd_scratch(const Conv& conv, Index block) {
  const Index filters = plane_of(kTiles, conv.filters);
  const Index rows = plane_of(kTiles, conv.channels) + filters;
  const Index weights =
      plane_of(kTiles, block) + plane_of(kTiles, conv.filters) + plane_of(block, conv.filters);
  return missing_pixels(conv) + kPositions * (rows > weights ? rows : weights);
}

Index winograd_block(const Conv& conv) { return least(conv.channels, 64); }

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
