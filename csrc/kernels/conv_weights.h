// Direct convolution: the gradient of the weights.
#pragma once

#include "kernels/conv_frame.h"
#include "kernels/transpose.h"

namespace fastnn::FASTNN_ISA::direct {

// How dw is summed. Rows of dw are rows of the images under a tap, the steps pixels of dy.
enum class Sums {
  kTogether,    // all rows in one product, over bordered images
  kByTap,       // a product for each tap, over the pixels where it lies in the image
  kTransposed,  // dw^T, so that few filters leave no lanes empty: rows of dy, columns of the images
};

inline Sums sums_of(const Conv& conv, int lanes) {
  constexpr Index kManyChannels = 24;
  if (is_depthwise(conv)) return Sums::kTogether;
  if (conv.groups == 1 && 2 * conv.filters <= lanes && conv.filters < conv.channels) {
    return Sums::kTransposed;
  }
  return conv.channels / conv.groups >= kManyChannels ? Sums::kByTap : Sums::kTogether;
}

template <class T>
struct BackwardWeights {
  Sums sums;
  Frame frame;
  Groups groups;
  Index together, longest, begin, rows;
  Index *from, *to;
  Run* runs;
  T *copies, *transposed;

  BackwardWeights(const Conv& conv, Index begin, Index end, Arena& arena)
      : sums(sums_of(conv, kLanes<T>)),
        frame(sums == Sums::kByTap ? bare_frame(conv) : input_frame(conv)),
        groups(conv),
        begin(begin),
        rows(end - begin) {
    const Window& o = conv.window;
    longest = sums == Sums::kTogether ? longest_run(o.ow) : kPieceSteps;
    together = images_together(o.oh * o.ow, frame.size() * static_cast<Index>(sizeof(T)));
    from = arena.take<Index>(most(rows, conv.filters));
    to = arena.take<Index>(most(rows, conv.filters));
    runs = arena.take<Run>(most_runs(together * o.oh, o.ow));
    copies = arena.take<T>(frame.copied ? together * frame.size() : 0);
    transposed = arena.take<T>(sums == Sums::kTransposed ? rows * conv.filters : 0);
  }

  // Where row r of dw begins in an image; by tap: its channel.
  Index place(const Window& o, Index r) const {
    const Index tap = r / groups.rows, channel = r % groups.rows;
    if (sums == Sums::kByTap) return channel;
    return tap / o.kw * o.dh * frame.row() + tap % o.kw * o.dw * frame.pixel() + channel;
  }

  void fill(const Conv& conv) {
    const bool by_filter = sums == Sums::kTransposed;
    const Index n = by_filter ? conv.filters : rows;
    for (Index r = 0; r < n; ++r) {
      from[r] = by_filter ? r : place(conv.window, begin + r);
      to[r] = r * (by_filter ? rows : conv.filters);
    }
  }

  // The pixels of `images` images, from the place of a tap (0: of a row) on; returns the number of
  // runs.
  Index fill_runs(const Conv& conv, Index images, Range down, Range along, Index tap) {
    const Window& o = conv.window;
    const Index pixel = o.sw * frame.pixel(), filters = conv.filters;
    const bool by_filter = sums == Sums::kTransposed;
    Runs steps = {runs, by_filter ? filters : pixel, by_filter ? pixel : filters, longest};
    for (Index image = 0; image < images; ++image) {
      for (Index i = down.first; i < down.end; ++i) {
        const Index x = image * frame.size() + i * o.sh * frame.row() + along.first * pixel + tap;
        const Index dy = ((image * o.oh + i) * o.ow + along.first) * filters;
        steps.append(by_filter ? dy : x, by_filter ? x : dy, along.size());
      }
    }
    return steps.n;
  }

  // Adds the products of rows first .. first + count.
  void add_rows(const Conv& conv, Index first, Index count, Index n_runs, const T* x, const T* dy,
                T* dw) {
    for (Index g = 0; g < groups.n; ++g) {
      const Index at = g * groups.filters;
      multiply<T>(count, groups.filters, groups.depthwise,
                  {x + g * groups.channels, from + first, runs, n_runs, longest == 1,
                   conv.window.sw * frame.pixel(), dy + at, conv.filters, 0, nullptr, true, dw + at,
                   to + first, false, false});
    }
  }

  void add_by_tap(const Conv& conv, Index images, const T* x, const T* dy, T* dw) {
    const Window& o = conv.window;
    for (Index r = 0; r < rows;) {
      const Index tap = (begin + r) / groups.rows;
      const Index count = least(rows - r, (tap + 1) * groups.rows - begin - r);
      const Index up = tap / o.kw * o.dh - o.top, left = tap % o.kw * o.dw - o.left;
      const Index n_runs =
          fill_runs(conv, images, Range(o.h, o.oh, o.sh, up), Range(o.w, o.ow, o.sw, left),
                    up * frame.row() + left * frame.pixel());
      add_rows(conv, r, count, n_runs, x, dy, dw);
      r += count;
    }
  }

  // Rows whose places in an image follow each other are columns of one product.
  void add_transposed(const Conv& conv, Index n_runs, const T* x, const T* dy) {
    const Window& o = conv.window;
    for (Index r = 0; r < rows;) {
      const Index first = place(o, begin + r);
      Index width = 1;
      while (r + width < rows && place(o, begin + r + width) == first + width) ++width;
      multiply_gathered<T, false>(
          conv.filters, width,
          {dy, from, runs, n_runs, false, conv.filters, x + first, o.sw * frame.pixel(), 0, nullptr,
           true, transposed + r, to, false, false});
      r += width;
    }
  }
};

template <class T>
void conv_backward_weights(const Conv& conv, Index images, Index begin, Index end, const T* x,
                           const T* dy, T* dw, T* scratch) {
  const Window& o = conv.window;
  Arena arena = {reinterpret_cast<char*>(scratch)};
  BackwardWeights<T> plan(conv, begin, end, arena);
  plan.fill(conv);
  const bool by_filter = plan.sums == Sums::kTransposed;
  fill_row(plan.rows * conv.filters, T(0), by_filter ? plan.transposed : dw);
  for (Index first = 0; first < images; first += plan.together) {
    const Index count = least(plan.together, images - first);
    const T* a = framed(plan.frame, count, x + first * o.h * o.w * conv.channels, plan.copies);
    const T* b = dy + first * o.oh * o.ow * conv.filters;
    if (plan.sums == Sums::kByTap) {
      plan.add_by_tap(conv, count, a, b, dw);
      continue;
    }
    const Index n_runs =
        plan.fill_runs(conv, count, Range(o.oh, o.oh, 1, 0), Range(o.ow, o.ow, 1, 0), 0);
    if (by_filter) {
      plan.add_transposed(conv, n_runs, a, b);
    } else {
      plan.add_rows(conv, 0, plan.rows, n_runs, a, b, dw);
    }
  }
  if (by_filter) {
    transpose(conv.filters, plan.rows, conv.filters, plan.transposed, plan.rows, dw, conv.filters);
  }
}

}  // namespace fastnn::FASTNN_ISA::direct
