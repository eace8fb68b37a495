// Direct convolution: the gradient of the inputs.
#pragma once

#include "kernels/conv_planes.h"
#include "kernels/conv_taps.h"

namespace fastnn::FASTNN_ISA::direct {

// Pixels that lie alike to the strides, and so meet the same taps.
struct Phase {
  Index pixels, row;        // in an image; where the tables of rows begin
  Index run, n_runs, taps;  // where its runs begin; taps before it
};

// dx as rows of pixels, gathered from dy by the taps they meet, the last tap first.
template <class T>
struct BackwardInputs {
  Frame frame;
  Groups groups;
  Index together, longest, repeats, n_phases;
  Index depth;  // steps of a tap
  Index *from, *to;
  Run* runs;
  Phase* phases;
  T *copies, *w, *dx;  // dx: before the repeats of a channel are added

  BackwardInputs(const Conv& conv, Arena& arena) : frame(output_frame(conv)), groups(conv) {
    const Window& o = conv.window;
    depth = groups.depthwise ? 1 : groups.filters;
    repeats = groups.depthwise ? conv.filters / conv.groups : 1;
    longest = longest_run(depth);
    together = images_together(o.h * o.w, frame.size() * static_cast<Index>(sizeof(T)));
    n_phases = o.sh * o.sw;
    from = arena.take<Index>(together * o.h * o.w);
    to = arena.take<Index>(together * o.h * o.w);
    runs = arena.take<Run>(most_runs(o.kh * o.kw, depth));
    phases = arena.take<Phase>(n_phases);
    copies = arena.take<T>(frame.copied ? together * frame.size() : 0);
    w = arena.take<T>(o.kh * o.kw * conv.channels / conv.groups * conv.filters);
    dx = arena.take<T>(repeats > 1 ? together * o.h * o.w * conv.filters : 0);
  }

  // The weights of one tap, transposed group by group, as number `place` of all taps.
  void put_weights(const Conv& conv, const T* tap, Index place) {
    if (groups.depthwise) return copy_row(conv.filters, tap, w + place * conv.filters);
    const Index matrix = groups.channels * groups.filters;
    for (Index g = 0; g < groups.n; ++g) {
      transpose(groups.channels, groups.filters, groups.channels, tap + g * groups.filters,
                conv.filters, w + (g * conv.window.kh * conv.window.kw + place) * matrix,
                groups.channels);
    }
  }

  // The taps of one phase; returns how many.
  Index fill_taps(const Conv& conv, Index phase_h, Index phase_w, const T* weights, Runs& steps,
                  Index place) {
    const Window& o = conv.window;
    const Index begin = place;
    for (Index p = o.kh - 1; p >= 0; --p) {
      if (p * o.dh % o.sh != phase_h) continue;
      for (Index q = o.kw - 1; q >= 0; --q) {
        if (q * o.dw % o.sw != phase_w) continue;
        steps.append(-(p * o.dh / o.sh) * frame.row() - q * o.dw / o.sw * frame.pixel(),
                     (place - begin) * depth * steps.ldb, depth);
        put_weights(conv, weights + (p * o.kw + q) * groups.rows * conv.filters, place);
        ++place;
      }
    }
    return place - begin;
  }

  // The rows of one phase, in all images; returns how many.
  Index fill_rows(const Window& o, Index phase_h, Index phase_w, Index pixel, Index row) {
    const Index begin = row;
    for (Index image = 0; image < together; ++image) {
      for (Index i = 0; i < o.h; ++i) {
        if ((i + o.top) % o.sh != phase_h) continue;
        const Index up = (i + o.top) / o.sh + frame.top;
        for (Index j = 0; j < o.w; ++j) {
          if ((j + o.left) % o.sw != phase_w) continue;
          from[row] = image * frame.size() + up * frame.row() +
                      ((j + o.left) / o.sw + frame.left) * frame.pixel();
          to[row++] = ((image * o.h + i) * o.w + j) * pixel;
        }
      }
    }
    return row - begin;
  }

  void fill(const Conv& conv, const T* weights) {
    const Window& o = conv.window;
    const Index ldb = groups.depthwise ? conv.filters : groups.channels;
    Index row = 0, run = 0, taps = 0;
    for (Index i = 0; i < n_phases; ++i) {
      const Index phase_h = i / o.sw, phase_w = i % o.sw;
      Runs steps = {runs + run, 1, ldb, longest};
      const Index met = fill_taps(conv, phase_h, phase_w, weights, steps, taps);
      const Index rows = fill_rows(o, phase_h, phase_w, conv.channels * repeats, row);
      phases[i] = {rows / together, row, run, steps.n, taps};
      row += rows, run += steps.n, taps += met;
    }
  }

  // The pixels of one phase, in `images` images.
  void run(const Conv& conv, const Phase& phase, Index images, const T* dy, T* result) {
    const Index rows = images * phase.pixels;
    const Index* targets = to + phase.row;
    for (Index r = 0; r < rows && phase.n_runs == 0; ++r) {
      fill_row(conv.channels * repeats, T(0), result + targets[r]);
    }
    const Index channels = groups.depthwise ? conv.filters : groups.channels;
    for (Index g = 0; g < groups.n && phase.n_runs > 0; ++g) {
      const Index taps = g * conv.window.kh * conv.window.kw + phase.taps;
      const T* b = w + taps * channels * depth;
      multiply<T>(rows, channels, groups.depthwise,
                  {dy + g * groups.filters, from + phase.row, runs + phase.run, phase.n_runs,
                   longest == 1, 1, b, channels, 0, nullptr, false, result + g * channels, targets,
                   false, conv.window.kh * conv.window.kw == 1});
    }
  }
};

// dx[count] = sums over the repeats of each channel.
template <class T>
void add_repeats(Index count, Index repeats, const T* from, T* dx) {
  for (Index i = 0; i < count; ++i, from += repeats) {
    T sum = from[0];
    for (Index r = 1; r < repeats; ++r) sum += from[r];
    dx[i] = sum;
  }
}

template <class T>
Planes<T> backward_planes(const Conv& conv, Arena& arena) {
  const Window& o = conv.window;
  return {o, output_frame(conv), conv.channels, o.h, o.w, arena};
}

template <class T>
void conv_backward_inputs(const Conv& conv, Index images, const T* dy, const T* w, T* dx,
                          T* scratch) {
  const Window& o = conv.window;
  const Index inputs = o.h * o.w * conv.channels, outputs = o.oh * o.ow * conv.filters;
  Arena arena = {reinterpret_cast<char*>(scratch)};
  if (suits_planes<T>(conv, conv.channels, conv.filters)) {
    Planes<T> planes = backward_planes<T>(conv, arena);
    planes.fill(o, conv.channels * conv.filters, 1, conv.filters, -1);
    const Frame& frame = planes.frame;
    const Index first = (o.top + frame.top) * frame.columns + o.left + frame.left;
    for (Index i = 0; i < images; ++i) {
      planes.load(dy + i * outputs);
      planes.run(w, 1, nullptr, first, false, dx + i * inputs);
    }
    return;
  }
  if (inputs_suit_taps(conv)) return backward_by_tap(conv, images, dy, w, dx, arena);
  BackwardInputs<T> plan(conv, arena);
  plan.fill(conv, w);
  for (Index first = 0; first < images; first += plan.together) {
    const Index count = least(plan.together, images - first);
    const T* a = framed(plan.frame, count, dy + first * outputs, plan.copies);
    T* result = dx + first * inputs;
    T* c = plan.repeats > 1 ? plan.dx : result;
    for (Index i = 0; i < plan.n_phases; ++i) plan.run(conv, plan.phases[i], count, a, c);
    if (plan.repeats > 1) add_repeats(count * inputs, plan.repeats, c, result);
  }
}

}  // namespace fastnn::FASTNN_ISA::direct
