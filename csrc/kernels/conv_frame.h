// Images with their border, and the tables of the steps that walk over them.
#pragma once

#include "kernels/conv_product.h"
#include "kernels/rows.h"

namespace fastnn::FASTNN_ISA::direct {

inline Index most(Index a, Index b) { return a > b ? a : b; }

// Hands out parts of scratch; without memory behind it, it measures what a pass needs.
struct Arena {
  char* base;
  Index used = 0;

  template <class U>
  U* take(Index count) {
    const auto at = reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(used);
    used += (count * static_cast<Index>(sizeof(U)) + 63) / 64 * 64;
    return reinterpret_cast<U*>(at);
  }
};

// --- images with their border --------------------------------------------------------------------

// An image as a pass reads it, with its border; each of its channels repeated.
struct Frame {
  Index h, w, channels;  // of the image
  Index repeats;         // of each channel
  Index rows, columns;   // with the border
  Index top, left;       // the border before the image
  bool copied;           // else it is the image itself
  Index pixel() const { return channels * repeats; }
  Index row() const { return columns * pixel(); }
  Index size() const { return rows * row(); }
};

// Depthwise: every filter sees one channel.
inline bool is_depthwise(const Conv& conv) {
  return conv.groups > 1 && conv.groups == conv.channels;
}

// The images themselves, without a border.
inline Frame bare_frame(const Conv& conv) {
  const Window& o = conv.window;
  return {o.h, o.w, conv.channels, 1, o.h, o.w, 0, 0, false};
}

// The images, for forward and backward_weights.
inline Frame input_frame(const Conv& conv) {
  const Window& o = conv.window;
  const Index repeats = is_depthwise(conv) ? conv.filters / conv.groups : 1;
  const Index rows = (o.oh - 1) * o.sh + (o.kh - 1) * o.dh + 1;
  const Index columns = (o.ow - 1) * o.sw + (o.kw - 1) * o.dw + 1;
  if (repeats == 1 && o.top == 0 && o.left == 0 && rows <= o.h && columns <= o.w) {
    return bare_frame(conv);
  }
  return {o.h, o.w, conv.channels, repeats, rows, columns, o.top, o.left, true};
}

// The gradients of the outputs, for backward_inputs: pixel i meets tap p at output
// (i + top) / sh - p * dh / sh, where the remainders agree.
inline Frame output_frame(const Conv& conv) {
  const Window& o = conv.window;
  const Index top = most(0, (o.kh - 1) * o.dh / o.sh - o.top / o.sh);
  const Index left = most(0, (o.kw - 1) * o.dw / o.sw - o.left / o.sw);
  const Index bottom = most(0, (o.h - 1 + o.top) / o.sh - (o.oh - 1));
  const Index right = most(0, (o.w - 1 + o.left) / o.sw - (o.ow - 1));
  return {o.oh,
          o.ow,
          conv.filters,
          1,
          top + o.oh + bottom,
          left + o.ow + right,
          top,
          left,
          top + left + bottom + right > 0};
}

// One row of pixels, `count` elements, each repeated.
template <class T>
void copy_pixels(Index count, Index repeats, const T* from, T* to) {
  if (repeats == 1) return copy_row(count, from, to);
  for (Index j = 0; j < count; ++j) {
    for (Index r = 0; r < repeats; ++r) *to++ = from[j];
  }
}

template <class T>
void copy_images(const Frame& frame, Index images, const T* from, T* to) {
  const Index before = least(frame.left, frame.columns) * frame.pixel();
  const Index columns = most(0, least(frame.columns - frame.left, frame.w));
  const Index after = frame.row() - before - columns * frame.pixel();
  for (Index i = 0; i < images; ++i, from += frame.h * frame.w * frame.channels) {
    for (Index r = 0; r < frame.rows; ++r, to += frame.row()) {
      const Index source = r - frame.top;
      if (source < 0 || source >= frame.h) {
        fill_row(frame.row(), T(0), to);
        continue;
      }
      fill_row(before, T(0), to);
      copy_pixels(columns * frame.channels, frame.repeats, from + source * frame.w * frame.channels,
                  to + before);
      fill_row(after, T(0), to + before + columns * frame.pixel());
    }
  }
}

// Places first .. end of a window where a tap lies in the image.
struct Range {
  Index first, end;

  // n pixels, `places` of the window at distance s, tap at `shift` from the first pixel.
  Range(Index n, Index places, Index s, Index shift) {
    first = shift >= 0 ? 0 : (-shift + s - 1) / s;
    end = shift >= n ? 0 : least(places, (n - 1 - shift) / s + 1);
  }
  Index size() const { return most(0, end - first); }
};

// --- tables --------------------------------------------------------------------------------------

// Writes the runs of a product. Steps that follow the last run in both a and b join it.
struct Runs {
  Run* all;
  Index step, ldb;  // distances of two steps
  Index longest;    // of a run: kPieceSteps, or 1 where runs of few steps would be dearer
  Index n = 0;

  void append(Index first, Index b, Index count) {
    while (count > 0) {
      Run* last = n > 0 ? all + n - 1 : nullptr;
      if (last == nullptr || last->count == longest || last->first + last->count * step != first ||
          last->b + last->count * ldb != b) {
        last = all + n++;
        *last = {first, 0, b};
      }
      const Index taken = least(count, longest - last->count);
      last->count += taken;
      first += taken * step;
      b += taken * ldb;
      count -= taken;
    }
  }
};

// The longest run to allow where `count` steps follow each other.
inline Index longest_run(Index count) { return count < 8 ? 1 : kPieceSteps; }

// The most runs that a number of calls with this count make.
inline Index most_runs(Index calls, Index count) {
  return calls * most(least(count, 8), count / kPieceSteps + 2);
}

// Images that are worked on together, so that small ones fill tiles and use weights often.
inline Index images_together(Index pixels, Index frame_bytes) {
  constexpr Index kPixels = 256, kBytes = 512 * 1024, kMost = 64;
  return most(1, least(least(kPixels / most(1, pixels), kBytes / most(1, frame_bytes)), kMost));
}

// --- products of a pass -------------------------------------------------------------------------

// One product for each group, or one for all when they are single channels.
struct Groups {
  bool depthwise;
  Index n, channels, filters;
  Index rows;  // of the kernel, for each tap

  explicit Groups(const Conv& conv) : depthwise(is_depthwise(conv)) {
    n = depthwise ? 1 : conv.groups;
    rows = conv.channels / conv.groups;
    channels = conv.channels / n;
    filters = conv.filters / n;
  }
};

template <class T>
void multiply(Index m, Index n, bool depthwise, const Gather<T>& product) {
  if (depthwise) return multiply_gathered<T, true>(m, n, product);
  multiply_gathered<T, false>(m, n, product);
}

// The images as the frame wants them.
template <class T>
const T* framed(const Frame& frame, Index images, const T* x, T* copies) {
  if (!frame.copied) return x;
  copy_images(frame, images, x, copies);
  return copies;
}

}  // namespace fastnn::FASTNN_ISA::direct
