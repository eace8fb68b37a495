// Few results per pixel would leave most lanes empty: here the pixels lie on the lanes instead,
// and the image is copied to planes, one per channel.
#pragma once

#include "kernels/conv_frame.h"
#include "kernels/transpose.h"

namespace fastnn::FASTNN_ISA::direct {

// Whether a pass with n results per pixel, each a sum over `depth` channels under every tap, is
// quicker with the pixels on the lanes: its sums must be worth the copies.
template <class T>
bool suits_planes(const Conv& conv, Index n, Index depth) {
  const Window& o = conv.window;
  return 2 * n <= kLanes<T> && o.kh * o.kw * depth >= 8 * n && conv.groups == 1 && o.sh == 1 &&
         o.sw == 1;
}

// A result at a pixel is the sum over taps and channels of the frame's planes times the weights.
template <class T>
struct Planes {
  Frame frame;
  Index results, h, w;   // the output
  Index plane, columns;  // pixels of the frame; of the output, with the border in between
  T *planes, *sums;      // sums[results, columns]
  Index *from, *to;
  Run* runs;
  Index n_runs = 0;

  Planes(const Window& o, const Frame& source, Index results, Index h, Index w, Arena& arena)
      : frame(source), results(results), h(h), w(w) {
    plane = frame.rows * frame.columns;
    columns = (h - 1) * frame.columns + w;
    planes = arena.take<T>(frame.channels * plane);
    sums = arena.take<T>(results * columns);
    from = arena.take<Index>(results);
    to = arena.take<Index>(results);
    runs = arena.take<Run>(most_runs(o.kh * o.kw, frame.channels));
  }

  // Weight of (tap, channel, result): weights[tap * matrix + channel * step + result * row].
  void fill(const Window& o, Index matrix, Index step, Index row, Index direction) {
    fill_row(frame.channels * plane, T(0), planes);
    for (Index r = 0; r < results; ++r) {
      from[r] = r * row;
      to[r] = r * columns;
    }
    Runs steps = {runs, step, plane, kPieceSteps};
    for (Index tap = 0; tap < o.kh * o.kw; ++tap) {
      const Index shift = tap / o.kw * o.dh * frame.columns + tap % o.kw * o.dw;
      steps.append(tap * matrix, direction * shift, frame.channels);
    }
    n_runs = steps.n;
  }

  void load(const T* image) {
    const Index rows = least(frame.rows - frame.top, frame.h);
    const Index width = least(frame.columns - frame.left, frame.w);
    for (Index i = 0; i < rows && width > 0; ++i) {
      transpose(width, frame.channels, width, image + i * frame.w * frame.channels, frame.channels,
                planes + (i + frame.top) * frame.columns + frame.left, plane);
    }
  }

  // y[h, w, results] of the loaded image; b may be null. first: where the window of pixel (0, 0)
  // has its first tap.
  void run(const T* weights, Index step, const T* b, Index first, bool relu, T* y) {
    for (Index r = 0; r < results; ++r) {
      fill_row(columns, b == nullptr ? T(0) : b[r], sums + r * columns);
    }
    multiply_gathered<T, false>(results, columns,
                                {weights, from, runs, n_runs, false, step, planes + first, plane, 0,
                                 nullptr, true, sums, to, relu, false});
    for (Index i = 0; i < h; ++i, y += w * results) {
      const T* row = sums + i * frame.columns;
      if (results == 1) copy_row(w, row, y);
      if (results > 1) transpose(results, w, results, row, columns, y, results);
    }
  }
};

}  // namespace fastnn::FASTNN_ISA::direct
