// Forward and the gradient of the inputs as one product for each tap, over the places where it lies
// in the image. The sums wait in memory between taps, but none is spent on the border.
#pragma once

#include "kernels/conv_frame.h"
#include "kernels/transpose.h"

namespace fastnn::FASTNN_ISA::direct {

// Products of pixels and taps, in an image, where the tap lies in it.
inline Index real_products(const Window& o) {
  Index down = 0, along = 0;
  for (Index p = 0; p < o.kh; ++p) down += Range(o.h, o.oh, o.sh, p * o.dh - o.top).size();
  for (Index q = 0; q < o.kw; ++q) along += Range(o.w, o.ow, o.sw, q * o.dw - o.left).size();
  return down * along;
}

// Whether taps by themselves are quicker than sums over all of them, which take `products` with the
// border: fetching a sum of `depth` steps and putting it back costs as much as some steps more.
inline bool suits_taps(const Conv& conv, Index depth, Index products) {
  constexpr Index kFetching = 4;
  return !is_depthwise(conv) && depth * products > (depth + kFetching) * real_products(conv.window);
}

inline bool forward_suits_taps(const Conv& conv) {
  const Window& o = conv.window;
  return suits_taps(conv, conv.channels / conv.groups, o.oh * o.ow * o.kh * o.kw);
}

inline bool inputs_suit_taps(const Conv& conv) {
  const Window& o = conv.window;
  return suits_taps(conv, conv.filters / conv.groups, o.h * o.w * o.kh * o.kw / (o.sh * o.sw));
}

// The pixels that a tap joins: of the input and of the output.
template <class T>
struct Taps {
  Index together;
  Index *inputs, *outputs;
  Run* runs;
  Index n_runs;
  T* w;  // of a tap and group, transposed

  Taps(const Conv& conv, Index depth, Index weights, Arena& arena) {
    const Window& o = conv.window;
    const Index image = most(o.h * o.w * conv.channels, o.oh * o.ow * conv.filters);
    together = images_together(o.oh * o.ow, image * static_cast<Index>(sizeof(T)));
    inputs = arena.take<Index>(together * o.oh * o.ow);
    outputs = arena.take<Index>(together * o.oh * o.ow);
    runs = arena.take<Run>(most_runs(1, depth));
    w = arena.take<T>(weights);
  }

  // Steps of a sum: next to each other in the factor a, ldb apart in b.
  void fill_runs(Index depth, Index ldb) {
    Runs steps = {runs, 1, ldb, kPieceSteps};
    steps.append(0, 0, depth);
    n_runs = steps.n;
  }

  // The pixels of `images` images; returns how many.
  Index fill_pixels(const Conv& conv, Index images, Index tap) {
    const Window& o = conv.window;
    const Index up = tap / o.kw * o.dh - o.top, left = tap % o.kw * o.dw - o.left;
    const Range down(o.h, o.oh, o.sh, up), along(o.w, o.ow, o.sw, left);
    Index n = 0;
    for (Index image = 0; image < images; ++image) {
      for (Index i = down.first; i < down.end; ++i) {
        const Index input = (image * o.h + i * o.sh + up) * o.w + left;
        const Index output = (image * o.oh + i) * o.ow;
        for (Index j = along.first; j < along.end; ++j, ++n) {
          inputs[n] = (input + j * o.sw) * conv.channels;
          outputs[n] = (output + j) * conv.filters;
        }
      }
    }
    return n;
  }
};

template <class T>
Taps<T> forward_taps(const Conv& conv, Arena& arena) {
  return {conv, conv.channels / conv.groups, 0, arena};
}

template <class T>
void forward_by_tap(const Conv& conv, Index images, const T* x, const T* w, const T* b, T* y,
                    Arena arena) {
  const Window& o = conv.window;
  const Groups groups(conv);
  Taps<T> taps = forward_taps<T>(conv, arena);
  taps.fill_runs(groups.channels, conv.filters);
  for (Index first = 0; first < images; first += taps.together) {
    const Index count = least(taps.together, images - first);
    const T* a = x + first * o.h * o.w * conv.channels;
    T* c = y + first * o.oh * o.ow * conv.filters;
    for (Index i = 0; i < count * o.oh * o.ow; ++i) {
      if (b == nullptr) fill_row(conv.filters, T(0), c + i * conv.filters);
      if (b != nullptr) copy_row(conv.filters, b, c + i * conv.filters);
    }
    for (Index tap = 0; tap < o.kh * o.kw; ++tap) {
      const Index n = taps.fill_pixels(conv, count, tap);
      for (Index g = 0; g < groups.n; ++g) {
        const Index at = g * groups.filters;
        multiply_gathered<T, false>(
            n, groups.filters,
            {a + g * groups.channels, taps.inputs, taps.runs, taps.n_runs, false, 1,
             w + tap * groups.channels * conv.filters + at, conv.filters, 0, nullptr, true, c + at,
             taps.outputs, false, false});
      }
    }
  }
}

template <class T>
Taps<T> backward_taps(const Conv& conv, Arena& arena) {
  const Index weights = conv.window.kh * conv.window.kw * conv.channels / conv.groups;
  return {conv, conv.filters / conv.groups, weights * conv.filters, arena};
}

template <class T>
void backward_by_tap(const Conv& conv, Index images, const T* dy, const T* w, T* dx, Arena arena) {
  const Window& o = conv.window;
  const Groups groups(conv);
  const Index matrix = groups.channels * groups.filters, n_taps = o.kh * o.kw;
  Taps<T> taps = backward_taps<T>(conv, arena);
  taps.fill_runs(groups.filters, groups.channels);
  for (Index i = 0; i < n_taps * groups.n; ++i) {  // [tap][group][filter][channel]
    const T* from =
        w + i / groups.n * groups.channels * conv.filters + i % groups.n * groups.filters;
    transpose(groups.channels, groups.filters, groups.channels, from, conv.filters,
              taps.w + i * matrix, groups.channels);
  }
  for (Index first = 0; first < images; first += taps.together) {
    const Index count = least(taps.together, images - first);
    const T* a = dy + first * o.oh * o.ow * conv.filters;
    T* c = dx + first * o.h * o.w * conv.channels;
    fill_row(count * o.h * o.w * conv.channels, T(0), c);
    for (Index tap = 0; tap < n_taps; ++tap) {
      const Index n = taps.fill_pixels(conv, count, tap);
      for (Index g = 0; g < groups.n; ++g) {
        multiply_gathered<T, false>(
            n, groups.channels,
            {a + g * groups.filters, taps.outputs, taps.runs, taps.n_runs, false, 1,
             taps.w + (tap * groups.n + g) * matrix, groups.channels, 0, nullptr, true,
             c + g * groups.channels, taps.inputs, false, false});
      }
    }
  }
}

}  // namespace fastnn::FASTNN_ISA::direct
