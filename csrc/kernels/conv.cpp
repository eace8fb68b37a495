// Convolution, the direct way: any window, stride, dilation and groups. All three passes are
// gathered products: tables say where the rows and steps of each lie in a bordered image.
#include "kernels/activations.h"
#include "kernels/conv_inputs.h"
#include "kernels/conv_taps.h"
#include "kernels/conv_weights.h"

namespace fastnn::FASTNN_ISA::direct {
namespace {

// --- forward -------------------------------------------------------------------------------------

// y as rows of pixels; the steps are the channels under the taps.
template <class T>
struct Forward {
  Frame frame;
  Index together, longest, n_runs;
  Index *from, *to;
  Run* runs;
  T* copies;

  Forward(const Conv& conv, Arena& arena) : frame(input_frame(conv)) {
    const Window& o = conv.window;
    const Index channels = conv.channels / conv.groups;
    longest = longest_run(conv.groups == 1 && o.dw == 1 ? channels * o.kw : channels);
    together = images_together(o.oh * o.ow, frame.size() * static_cast<Index>(sizeof(T)));
    from = arena.take<Index>(together * o.oh * o.ow);
    to = arena.take<Index>(together * o.oh * o.ow);
    runs = arena.take<Run>(most_runs(o.kh * o.kw, channels));
    copies = arena.take<T>(frame.copied ? together * frame.size() : 0);
  }

  void fill(const Conv& conv, Index images) {
    const Window& o = conv.window;
    Index row = 0;
    for (Index image = 0; image < least(together, images); ++image) {
      for (Index i = 0; i < o.oh; ++i) {
        const Index first = image * frame.size() + i * o.sh * frame.row();
        for (Index j = 0; j < o.ow; ++j, ++row) {
          from[row] = first + j * o.sw * frame.pixel();
          to[row] = row * conv.filters;
        }
      }
    }
    const Index channels = conv.channels / conv.groups;
    Runs steps = {runs, 1, conv.filters, longest};
    for (Index tap = 0; tap < o.kh * o.kw; ++tap) {
      steps.append(tap / o.kw * o.dh * frame.row() + tap % o.kw * o.dw * frame.pixel(),
                   tap * channels * conv.filters, channels);
    }
    n_runs = steps.n;
  }
};

template <class T>
void forward_rows(const Conv& conv, Index images, const T* x, const T* w, const T* b, bool relu,
                  T* y, Arena arena) {
  Forward<T> plan(conv, arena);
  plan.fill(conv, images);
  const Groups groups(conv);
  const Index pixels = conv.window.oh * conv.window.ow;
  for (Index first = 0; first < images; first += plan.together) {
    const Index count = least(plan.together, images - first);
    const Index image = conv.window.h * conv.window.w * conv.channels;
    const T* a = framed(plan.frame, count, x + first * image, plan.copies);
    T* c = y + first * pixels * conv.filters;
    for (Index g = 0; g < groups.n; ++g) {
      const Index at = g * groups.filters;
      multiply<T>(count * pixels, groups.filters, groups.depthwise,
                  {a + g * groups.channels, plan.from, plan.runs, plan.n_runs, plan.longest == 1, 1,
                   w + at, conv.filters, 0, b == nullptr ? b : b + at, false, c + at, plan.to, relu,
                   conv.window.kh * conv.window.kw == 1});
    }
  }
}

template <class T>
Planes<T> forward_planes(const Conv& conv, Arena& arena) {
  const Window& o = conv.window;
  return {o, input_frame(conv), conv.filters, o.oh, o.ow, arena};
}

template <class T>
void conv_forward(const Conv& conv, Index images, const T* x, const T* w, const T* b, T* y,
                  Activation activation, T* scratch) {
  const Window& o = conv.window;
  const Index inputs = o.h * o.w * conv.channels, outputs = o.oh * o.ow * conv.filters;
  const bool few = suits_planes<T>(conv, conv.filters, conv.channels);
  const bool by_tap = !few && forward_suits_taps(conv);
  const bool relu = activation == Activation::kRelu && !by_tap;
  Arena arena = {reinterpret_cast<char*>(scratch)};
  if (few) {
    Planes<T> planes = forward_planes<T>(conv, arena);
    planes.fill(o, conv.channels * conv.filters, conv.filters, 1, 1);
    for (Index i = 0; i < images; ++i) {
      planes.load(x + i * inputs);
      planes.run(w, conv.filters, b, 0, relu, y + i * outputs);
    }
  } else if (by_tap) {
    forward_by_tap(conv, images, x, w, b, y, arena);
  } else {
    forward_rows(conv, images, x, w, b, relu, y, arena);
  }
  if (!relu && activation != Activation::kIdentity) activate(activation, images * outputs, y, y);
}

// --- memory --------------------------------------------------------------------------------------

template <class T>
Index conv_scratch(const Conv& conv) {
  const Window& o = conv.window;
  Arena forward = {nullptr}, inputs = {nullptr}, weights = {nullptr};
  if (suits_planes<T>(conv, conv.filters, conv.channels)) {
    forward_planes<T>(conv, forward);
  } else if (forward_suits_taps(conv)) {
    forward_taps<T>(conv, forward);
  } else {
    Forward<T>(conv, forward);
  }
  if (suits_planes<T>(conv, conv.channels, conv.filters)) {
    backward_planes<T>(conv, inputs);
  } else if (inputs_suit_taps(conv)) {
    backward_taps<T>(conv, inputs);
  } else {
    BackwardInputs<T>(conv, inputs);
  }
  BackwardWeights<T>(conv, 0, o.kh * o.kw * (conv.channels / conv.groups), weights);
  return most(forward.used, most(inputs.used, weights.used)) / static_cast<Index>(sizeof(T));
}

}  // namespace
}  // namespace fastnn::FASTNN_ISA::direct

namespace fastnn::FASTNN_ISA {

template <class T>
void add_conv(Kernels<T>& table) {
  table.conv_forward = direct::conv_forward<T>;
  table.conv_backward_inputs = direct::conv_backward_inputs<T>;
  table.conv_backward_weights = direct::conv_backward_weights<T>;
  table.conv_scratch = direct::conv_scratch<T>;
}
template void add_conv<float>(Kernels<float>&);
template void add_conv<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
