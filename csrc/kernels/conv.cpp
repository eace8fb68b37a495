// Convolution, the direct way: any window, stride, dilation and groups. All three passes are
// gathered products: tables say where the rows and steps of each lie in a bordered image.
#include "kernels/activations.h"
#include "kernels/conv_product.h"
#include "kernels/rows.h"

namespace fastnn::FASTNN_ISA {
namespace {

Index most(Index a, Index b) { return a > b ? a : b; }

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
bool is_depthwise(const Conv& conv) { return conv.groups > 1 && conv.groups == conv.channels; }

// The images, for forward and backward_weights.
Frame input_frame(const Conv& conv) {
  const Window& o = conv.window;
  const Index repeats = is_depthwise(conv) ? conv.filters / conv.groups : 1;
  const Index rows = (o.oh - 1) * o.sh + (o.kh - 1) * o.dh + 1;
  const Index columns = (o.ow - 1) * o.sw + (o.kw - 1) * o.dw + 1;
  if (repeats == 1 && o.top == 0 && o.left == 0 && rows <= o.h && columns <= o.w) {
    return {o.h, o.w, conv.channels, 1, o.h, o.w, 0, 0, false};
  }
  return {o.h, o.w, conv.channels, repeats, rows, columns, o.top, o.left, true};
}

// The gradients of the outputs, for backward_inputs: pixel i meets tap p at output
// (i + top) / sh - p * dh / sh, where the remainders agree.
Frame output_frame(const Conv& conv) {
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

// --- tables --------------------------------------------------------------------------------------

// Appends steps first, first + step ...; they join the last run when they follow it.
struct Runs {
  Run* all;
  Index step, n = 0;

  void append(Index first, Index count) {
    while (count > 0) {
      Run* last = n > 0 ? all + n - 1 : nullptr;
      if (last == nullptr || last->count == kPieceSteps ||
          last->first + last->count * step != first) {
        last = all + n++;
        *last = {first, 0};
      }
      const Index taken = least(count, kPieceSteps - last->count);
      last->count += taken;
      first += taken * step;
      count -= taken;
    }
  }
  // The most that a number of calls with this count can make.
  static Index limit(Index calls, Index count) { return calls * (count / kPieceSteps + 2); }
};

// Images that are worked on together, so that small ones fill tiles and use weights often.
Index images_together(Index pixels, Index frame_bytes) {
  constexpr Index kPixels = 256, kBytes = 512 * 1024, kMost = 64;
  return most(1, least(least(kPixels / most(1, pixels), kBytes / most(1, frame_bytes)), kMost));
}

template <class T>
void multiply(Index m, Index n, bool depthwise, const Gather<T>& product) {
  if (depthwise) return multiply_gathered<T, true>(m, n, product);
  multiply_gathered<T, false>(m, n, product);
}

// --- forward -------------------------------------------------------------------------------------

template <class T>
struct Forward {
  Frame frame;
  Index together;  // images
  Index rows, n_runs;
  Index *from, *to;
  Run* runs;
  T* copies;

  Forward(const Conv& conv, Arena& arena) : frame(input_frame(conv)) {
    const Window& o = conv.window;
    together = images_together(o.oh * o.ow, frame.size() * static_cast<Index>(sizeof(T)));
    rows = together * o.oh * o.ow;
    from = arena.take<Index>(rows);
    to = arena.take<Index>(rows);
    runs = arena.take<Run>(Runs::limit(o.kh * o.kw, conv.channels / conv.groups));
    copies = arena.take<T>(frame.copied ? together * frame.size() : 0);
  }

  void fill(const Conv& conv) {
    const Window& o = conv.window;
    Index row = 0;
    for (Index image = 0; image < together; ++image) {
      for (Index i = 0; i < o.oh; ++i) {
        const Index first = image * frame.size() + i * o.sh * frame.row();
        for (Index j = 0; j < o.ow; ++j, ++row) {
          from[row] = first + j * o.sw * frame.pixel();
          to[row] = row * conv.filters;
        }
      }
    }
    Runs steps = {runs, 1};
    for (Index p = 0; p < o.kh; ++p) {
      for (Index q = 0; q < o.kw; ++q) {
        steps.append(p * o.dh * frame.row() + q * o.dw * frame.pixel(),
                     conv.channels / conv.groups);
      }
    }
    n_runs = steps.n;
  }
};

template <class T>
void conv_forward(const Conv& conv, Index images, const T* x, const T* w, const T* b, T* y,
                  Activation activation, T* scratch) {
  Arena arena = {reinterpret_cast<char*>(scratch)};
  Forward<T> plan(conv, arena);
  plan.fill(conv);
  const bool depthwise = is_depthwise(conv);
  const Index groups = depthwise ? 1 : conv.groups;
  const Index channels = conv.channels / groups, filters = conv.filters / groups;
  const Index pixels = conv.window.oh * conv.window.ow;
  const bool relu = activation == Activation::kRelu;
  for (Index first = 0; first < images; first += plan.together) {
    const Index count = least(plan.together, images - first);
    const T* a = x + first * conv.window.h * conv.window.w * conv.channels;
    T* c = y + first * pixels * conv.filters;
    if (plan.frame.copied) {
      copy_images(plan.frame, count, a, plan.copies);
      a = plan.copies;
    }
    for (Index g = 0; g < groups; ++g) {
      multiply<T>(
          count * pixels, filters, depthwise,
          {a + g * channels, plan.from, plan.runs, plan.n_runs, 1, w + g * filters, conv.filters, 0,
           b == nullptr ? b : b + g * filters, false, c + g * filters, plan.to, relu});
    }
    if (!relu && activation != Activation::kIdentity) {
      activate(activation, count * pixels * conv.filters, c, c);
    }
  }
}

// --- gradient of the inputs ----------------------------------------------------------------------

// Pixels that lie alike to the strides, and so meet the same taps.
struct Phase {
  Index pixels, row;        // in an image; where the tables of rows begin
  Index run, n_runs, taps;  // where its runs begin; taps before it
};

// dx as rows of pixels, gathered from dy by the taps they meet, last tap first.
template <class T>
struct BackwardInputs {
  Frame frame;
  Index together, n_phases, repeats;
  Index *from, *to;
  Run* runs;
  Phase* phases;
  T *copies, *w, *dx;  // dx: before the repeats of a channel are added

  BackwardInputs(const Conv& conv, Arena& arena) : frame(output_frame(conv)) {
    const Window& o = conv.window;
    repeats = is_depthwise(conv) ? conv.filters / conv.groups : 1;
    together = images_together(o.h * o.w, frame.size() * static_cast<Index>(sizeof(T)));
    n_phases = o.sh * o.sw;
    from = arena.take<Index>(together * o.h * o.w);
    to = arena.take<Index>(together * o.h * o.w);
    runs = arena.take<Run>(Runs::limit(o.kh * o.kw, conv.filters / conv.groups));
    phases = arena.take<Phase>(n_phases);
    copies = arena.take<T>(frame.copied ? together * frame.size() : 0);
    w = arena.take<T>(o.kh * o.kw * conv.channels / conv.groups * conv.filters);
    dx = arena.take<T>(repeats > 1 ? together * o.h * o.w * conv.filters : 0);
  }

  // The rows of one phase, in all images.
  Index fill_rows(const Window& o, Index phase_h, Index phase_w, Index depth, Index row) {
    const Index begin = row;
    for (Index image = 0; image < together; ++image) {
      for (Index i = 0; i < o.h; ++i) {
        if ((i + o.top) % o.sh != phase_h) continue;
        const Index up = (i + o.top) / o.sh + frame.top;
        for (Index j = 0; j < o.w; ++j) {
          if ((j + o.left) % o.sw != phase_w) continue;
          from[row] = image * frame.size() + up * frame.row() +
                      ((j + o.left) / o.sw + frame.left) * frame.pixel();
          to[row++] = ((image * o.h + i) * o.w + j) * depth;
        }
      }
    }
    return row - begin;
  }

  // The taps of one phase, and their weights: transposed, group by group, or as they are.
  Index fill_taps(const Conv& conv, Index phase_h, Index phase_w, const T* weights, Runs& steps,
                  Index taps) {
    const Window& o = conv.window;
    const bool depthwise = is_depthwise(conv);
    const Index channels = conv.channels / conv.groups, filters = conv.filters / conv.groups;
    const Index matrix = channels * filters, all = o.kh * o.kw;
    const Index begin = taps;
    for (Index p = o.kh - 1; p >= 0; --p) {
      if (p * o.dh % o.sh != phase_h) continue;
      for (Index q = o.kw - 1; q >= 0; --q) {
        if (q * o.dw % o.sw != phase_w) continue;
        steps.append(-(p * o.dh / o.sh) * frame.row() - q * o.dw / o.sw * frame.pixel(),
                     depthwise ? 1 : filters);
        const T* tap = weights + (p * o.kw + q) * channels * conv.filters;
        if (depthwise) copy_row(conv.filters, tap, w + taps * conv.filters);
        for (Index g = 0; g < conv.groups && !depthwise; ++g) {
          T* to_tap = w + (g * all + taps) * matrix;
          for (Index c = 0; c < channels; ++c) {
            for (Index f = 0; f < filters; ++f) {
              to_tap[f * channels + c] = tap[c * conv.filters + g * filters + f];
            }
          }
        }
        ++taps;
      }
    }
    return taps - begin;
  }

  void fill(const Conv& conv, const T* weights) {
    const Window& o = conv.window;
    Runs steps = {runs, 1};
    Index row = 0, taps = 0;
    for (Index phase = 0; phase < n_phases; ++phase) {
      const Index phase_h = phase / o.sw, phase_w = phase % o.sw;
      phases[phase] = {0, row, steps.n, 0, taps};
      // A run may not go on from one phase to the next.
      Runs own = {runs + steps.n, 1};
      taps += fill_taps(conv, phase_h, phase_w, weights, own, taps);
      phases[phase].n_runs = own.n;
      steps.n += own.n;
      const Index rows = fill_rows(o, phase_h, phase_w, conv.channels * repeats, row);
      phases[phase].pixels = rows / together;
      row += rows;
    }
  }
};

// dx[pixels, channels] = sums over the repeats of each channel.
template <class T>
void add_repeats(Index count, Index repeats, const T* from, T* dx) {
  for (Index i = 0; i < count; ++i, from += repeats) {
    T sum = from[0];
    for (Index r = 1; r < repeats; ++r) sum += from[r];
    dx[i] = sum;
  }
}

template <class T>
void conv_backward_inputs(const Conv& conv, Index images, const T* dy, const T* w, T* dx,
                          T* scratch) {
  Arena arena = {reinterpret_cast<char*>(scratch)};
  BackwardInputs<T> plan(conv, arena);
  plan.fill(conv, w);
  const Window& o = conv.window;
  const bool depthwise = is_depthwise(conv);
  const Index groups = depthwise ? 1 : conv.groups;
  const Index channels = depthwise ? conv.filters : conv.channels / groups;
  const Index filters = depthwise ? 1 : conv.filters / groups;
  const Index pixels = o.h * o.w;
  for (Index first = 0; first < images; first += plan.together) {
    const Index count = least(plan.together, images - first);
    const T* a = dy + first * o.oh * o.ow * conv.filters;
    T* result = dx + first * pixels * conv.channels;
    T* c = plan.repeats > 1 ? plan.dx : result;
    if (plan.frame.copied) {
      copy_images(plan.frame, count, a, plan.copies);
      a = plan.copies;
    }
    for (Index i = 0; i < plan.n_phases; ++i) {
      const Phase& phase = plan.phases[i];
      const Index rows = count * phase.pixels;
      const Index* to = plan.to + phase.row;
      for (Index r = 0; r < rows && phase.n_runs == 0; ++r) {
        fill_row(conv.channels * plan.repeats, T(0), c + to[r]);
      }
      for (Index g = 0; g < groups && phase.n_runs > 0; ++g) {
        const T* b = plan.w + (g * o.kh * o.kw + phase.taps) * channels * filters;
        multiply<T>(rows, channels, depthwise,
                    {a + g * filters, plan.from + phase.row, plan.runs + phase.run, phase.n_runs, 1,
                     b, channels, 0, nullptr, false, c + g * channels, to, false});
      }
    }
    if (plan.repeats > 1) add_repeats(count * pixels * conv.channels, plan.repeats, c, result);
  }
}

// --- gradient of the weights ---------------------------------------------------------------------

// dw[rows, filters] = rows of the images, shifted by a tap, times dy; the steps are pixels.
template <class T>
struct BackwardWeights {
  Frame frame;
  Index together, runs_of_image;
  Index *from, *to;
  Run* runs;
  T* copies;

  BackwardWeights(const Conv& conv, Index rows, Arena& arena) : frame(input_frame(conv)) {
    const Window& o = conv.window;
    together = images_together(o.oh * o.ow, frame.size() * static_cast<Index>(sizeof(T)));
    from = arena.take<Index>(rows);
    to = arena.take<Index>(rows);
    runs = arena.take<Run>(together * Runs::limit(o.oh, o.ow));
    copies = arena.take<T>(frame.copied ? together * frame.size() : 0);
  }

  void fill(const Conv& conv, Index begin, Index end) {
    const Window& o = conv.window;
    const Index channels = conv.channels / conv.groups;
    for (Index r = begin; r < end; ++r) {
      const Index tap = r / channels;
      from[r - begin] =
          tap / o.kw * o.dh * frame.row() + tap % o.kw * o.dw * frame.pixel() + r % channels;
      to[r - begin] = (r - begin) * conv.filters;
    }
  }

  // The pixels of `images` images.
  Index fill_runs(const Window& o, Index images) {
    Runs steps = {runs, o.sw * frame.pixel()};
    for (Index image = 0; image < images; ++image) {
      for (Index i = 0; i < o.oh; ++i) {
        steps.append(image * frame.size() + i * o.sh * frame.row(), o.ow);
      }
    }
    return steps.n;
  }
};

template <class T>
void conv_backward_weights(const Conv& conv, Index images, Index begin, Index end, const T* x,
                           const T* dy, T* dw, T* scratch) {
  Arena arena = {reinterpret_cast<char*>(scratch)};
  BackwardWeights<T> plan(conv, end - begin, arena);
  plan.fill(conv, begin, end);
  const Window& o = conv.window;
  const bool depthwise = is_depthwise(conv);
  const Index groups = depthwise ? 1 : conv.groups;
  const Index channels = conv.channels / groups, filters = conv.filters / groups;
  if (images == 0) fill_row((end - begin) * conv.filters, T(0), dw);
  for (Index first = 0; first < images; first += plan.together) {
    const Index count = least(plan.together, images - first);
    const T* a = x + first * o.h * o.w * conv.channels;
    const T* b = dy + first * o.oh * o.ow * conv.filters;
    if (plan.frame.copied) {
      copy_images(plan.frame, count, a, plan.copies);
      a = plan.copies;
    }
    const Index n_runs = plan.fill_runs(o, count);
    for (Index g = 0; g < groups; ++g) {
      multiply<T>(
          end - begin, filters, depthwise,
          {a + g * channels, plan.from, plan.runs, n_runs, o.sw * plan.frame.pixel(),
           b + g * filters, conv.filters, 0, nullptr, first > 0, dw + g * filters, plan.to, false});
    }
  }
}

// --- memory --------------------------------------------------------------------------------------

template <class T>
Index conv_scratch(const Conv& conv) {
  const Window& o = conv.window;
  Arena forward = {nullptr}, inputs = {nullptr}, weights = {nullptr};
  Forward<T>(conv, forward);
  BackwardInputs<T>(conv, inputs);
  BackwardWeights<T>(conv, o.kh * o.kw * (conv.channels / conv.groups), weights);
  return most(forward.used, most(inputs.used, weights.used)) / static_cast<Index>(sizeof(T));
}

}  // namespace

template <class T>
void add_conv(Kernels<T>& table) {
  table.conv_forward = conv_forward<T>;
  table.conv_backward_inputs = conv_backward_inputs<T>;
  table.conv_backward_weights = conv_backward_weights<T>;
  table.conv_scratch = conv_scratch<T>;
}
template void add_conv<float>(Kernels<float>&);
template void add_conv<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
