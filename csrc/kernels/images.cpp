// Random flips, shifts and cuts of images, and dropout of channels.
#include "kernels/philox.h"
#include "kernels/rows.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kNothing = -1;

// Place i of the output shows pixel i + before of the n in the image, counted from the end when
// flipped; beyond the image the nearest pixel, or nothing.
struct Axis {
  Index n, before;
  bool flipped, nearest;

  Index at(Index i) const {
    Index pixel = i + before;
    if (pixel < 0 || pixel >= n) {
      if (!nearest) return kNothing;
      pixel = pixel < 0 ? 0 : n - 1;
    }
    return flipped ? n - 1 - pixel : pixel;
  }
};

// floor(u * count), exactly.
Index choose(uint32_t word, Index count) {
  return static_cast<Index>((static_cast<uint64_t>(word >> 8) * static_cast<uint64_t>(count)) >>
                            24);
}

struct Axes {
  Axis rows, columns;
};

Axes draw_axes(const Moves& moves, const NoiseKey* key, Index image) {
  const Index top = moves.h - moves.oh, left = moves.w - moves.ow;
  if (key == nullptr) return {{moves.h, top / 2, false, false}, {moves.w, left / 2, false, false}};
  uint32_t words[kNumbers];
  draw(key->seed, {0, static_cast<uint32_t>(image), key->step, key->stream}, words);
  const bool across = moves.horizontal && words[0] < 0x80000000U;
  const bool over = moves.vertical && words[1] < 0x80000000U;
  const Index down = choose(words[2], 2 * moves.rows + 1) - moves.rows;
  const Index right = choose(words[3], 2 * moves.columns + 1) - moves.columns;
  return {{moves.h, choose(words[2], top + 1) - down, over, moves.nearest},
          {moves.w, choose(words[3], left + 1) - right, across, moves.nearest}};
}

// Calls run(place, count, pixel, step) for stretches of a row of the output from left to right:
// its places place .. place + count show the pixels pixel, pixel + step, ..., or kNothing.
template <class Run>
FASTNN_INLINE void for_stretches(const Axis& columns, Index width, Run run) {
  const Index left = columns.before < 0 ? least(-columns.before, width) : 0;
  const Index end = least(columns.n - columns.before, width);
  const Index right = end < left ? left : end;
  if (left > 0) run(0, left, columns.at(0), 0);
  if (right > left) run(left, right - left, columns.at(left), columns.flipped ? -1 : 1);
  if (width > right) run(right, width - right, columns.at(right), 0);
}

// Calls run(to, count, from, step) for all stretches of an image: pixels in the output and, or
// kNothing, in the image.
template <class Run>
FASTNN_INLINE void for_image(const Moves& moves, const NoiseKey* key, Index image, Run run) {
  const Axes axes = draw_axes(moves, key, image);
  for (Index i = 0; i < moves.oh; ++i) {
    const Index row = axes.rows.at(i);
    if (row == kNothing) {
      run(i * moves.ow, moves.ow, kNothing, Index{0});
      continue;
    }
    for_stretches(axes.columns, moves.ow, [&](Index place, Index count, Index pixel, Index step) {
      run(i * moves.ow + place, count, pixel == kNothing ? kNothing : row * moves.w + pixel, step);
    });
  }
}

template <class T>
void move_images(const Moves& moves, const NoiseKey* key, Index first, Index images, const T* x,
                 T* y) {
  const Index n = moves.channels;
  for (Index image = 0; image < images; ++image) {
    for_image(moves, key, first + image, [=](Index to, Index count, Index from, Index step) {
      if (from == kNothing) return fill_row(count * n, T(0), y + to * n);
      if (step == 1) return copy_row(count * n, x + from * n, y + to * n);
      for (Index p = 0; p < count; ++p)
        for (Index j = 0; j < n; ++j) y[(to + p) * n + j] = x[(from + p * step) * n + j];
    });
    x += moves.h * moves.w * n;
    y += moves.oh * moves.ow * n;
  }
}

// Pixels that are shown more than once add up in the order of the output.
template <class T>
void move_images_backward(const Moves& moves, const NoiseKey* key, Index first, Index images,
                          const T* dy, T* dx) {
  const Index n = moves.channels;
  for (Index image = 0; image < images; ++image) {
    fill_row(moves.h * moves.w * n, T(0), dx);
    for_image(moves, key, first + image, [=](Index to, Index count, Index from, Index step) {
      if (from == kNothing) return;
      for (Index p = 0; p < count; ++p)
        for (Index j = 0; j < n; ++j) dx[(from + p * step) * n + j] += dy[(to + p) * n + j];
    });
    dx += moves.h * moves.w * n;
    dy += moves.oh * moves.ow * n;
  }
}

template <class T>
void channel_dropout(const NoiseKey& key, Index first, Index images, Index pixels, Index channels,
                     T rate, const T* x, T* y) {
  const T factor = rate < 1 ? T(1) / (T(1) - rate) : T(0);
  for_pieces(key, first, images, channels, [=](Index at, Index count, const uint32_t* words) {
    T factors[kNumbers];
#pragma omp simd
    for (Index j = 0; j < kNumbers; ++j)
      factors[j] = to_uniform<T>(words[j]) >= rate ? factor : T(0);
    const Index start = at / channels * channels * pixels + at % channels;
    for (Index p = 0; p < pixels; ++p) {
      const Index place = start + p * channels;
      map(count, x + place, factors, y + place, [](T a, T b) { return a * b; });
    }
  });
}

}  // namespace

template <class T>
void add_images(Kernels<T>& table) {
  table.move_images = move_images<T>;
  table.move_images_backward = move_images_backward<T>;
  table.channel_dropout = channel_dropout<T>;
}
template void add_images<float>(Kernels<float>&);
template void add_images<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
