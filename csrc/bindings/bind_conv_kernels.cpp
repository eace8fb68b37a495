// _core.kernels: direct convolution. Window and groups as in the reference.
#include <pybind11/stl.h>

#include <optional>

#include "bindings/bindings.h"
#include "bindings/kernel_arguments.h"
#include "nn/activation.h"

namespace py = pybind11;

namespace fastnn {
namespace {

using Numbers = std::array<int64_t, 12>;

Shape image_shape(int64_t images, const Conv& conv) {
  return {images, conv.window.h, conv.window.w, conv.channels};
}

Shape output_shape(int64_t images, const Conv& conv) {
  return {images, conv.window.oh, conv.window.ow, conv.filters};
}

Shape kernel_shape(const Conv& conv) {
  return {conv.window.kh, conv.window.kw, conv.channels / conv.groups, conv.filters};
}

// Images of rank 4, and how many.
int64_t count_images(const py::array& array, const char* name) {
  check(array.ndim() == 4, name, ": expected rank 4, got rank ", array.ndim());
  return array.shape(0);
}

Conv conv_of(const Numbers& window, int64_t channels, int64_t filters, int64_t groups) {
  check(
      groups > 0 && channels > 0 && filters > 0 && channels % groups == 0 && filters % groups == 0,
      "groups: expected a divisor of ", channels, " channels and ", filters, " filters, got ",
      groups);
  return {window_of(window), channels, filters, groups};
}

py::array conv_forward(const std::string& isa, const py::array& x, const py::array& w,
                       const Optional& b, const Numbers& window, int64_t groups,
                       const std::string& activation) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const int64_t images = count_images(x, "x");
    count_images(w, "w");
    const Conv conv = conv_of(window, x.shape(3), w.shape(3), groups);
    auto y = new_array<T>(output_shape(images, conv));
    const Kernels<T>& kernels = table<T>(isa);
    Buffer<T> scratch(kernels.conv_scratch(conv));
    kernels.conv_forward(
        conv, images, input<T>(x, "x", image_shape(images, conv)),
        input<T>(w, "w", kernel_shape(conv)), maybe<T>(b, "b", {conv.filters}), y.mutable_data(),
        named<Activation>(activation_names(), activation, "activation"), scratch.data());
    return y;
  });
}

py::array conv_backward_inputs(const std::string& isa, const py::array& dy, const py::array& w,
                               const Numbers& window, int64_t groups) {
  return by_type(dy, "dy", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const int64_t images = count_images(dy, "dy");
    count_images(w, "w");
    const Conv conv = conv_of(window, w.shape(2) * groups, w.shape(3), groups);
    auto dx = new_array<T>(image_shape(images, conv));
    const Kernels<T>& kernels = table<T>(isa);
    Buffer<T> scratch(kernels.conv_scratch(conv));
    kernels.conv_backward_inputs(conv, images, input<T>(dy, "dy", output_shape(images, conv)),
                                 input<T>(w, "w", kernel_shape(conv)), dx.mutable_data(),
                                 scratch.data());
    return dx;
  });
}

// Rows begin .. end of dw[kh * kw * channels / groups, filters].
py::array conv_backward_weights(const std::string& isa, const py::array& x, const py::array& dy,
                                const Numbers& window, int64_t groups, int64_t begin,
                                std::optional<int64_t> end) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const int64_t images = count_images(x, "x");
    count_images(dy, "dy");
    const Conv conv = conv_of(window, x.shape(3), dy.shape(3), groups);
    const int64_t all = conv.window.kh * conv.window.kw * (conv.channels / groups);
    const int64_t stop = end.value_or(all);
    check(0 <= begin && begin <= stop && stop <= all, "begin: expected 0 <= begin <= end <= ", all,
          ", got ", begin, " and ", stop);
    auto dw = new_array<T>({stop - begin, conv.filters});
    const Kernels<T>& kernels = table<T>(isa);
    Buffer<T> scratch(kernels.conv_scratch(conv));
    kernels.conv_backward_weights(
        conv, images, begin, stop, input<T>(x, "x", image_shape(images, conv)),
        input<T>(dy, "dy", output_shape(images, conv)), dw.mutable_data(), scratch.data());
    return dw;
  });
}

}  // namespace

void bind_conv_kernels(py::module_& m) {
  py::module_ k = m.attr("kernels");
  const auto isa = py::arg("isa"), window = py::arg("window");
  k.def("conv_forward", &conv_forward, isa, py::arg("x"), py::arg("w"), py::arg("b"), window,
        py::arg("groups") = 1, py::arg("activation") = "identity");
  k.def("conv_backward_inputs", &conv_backward_inputs, isa, py::arg("dy"), py::arg("w"), window,
        py::arg("groups") = 1);
  k.def("conv_backward_weights", &conv_backward_weights, isa, py::arg("x"), py::arg("dy"), window,
        py::arg("groups") = 1, py::arg("begin") = 0, py::arg("end") = py::none());
}

}  // namespace fastnn
