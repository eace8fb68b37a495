// _core.kernels, Winograd's convolution: float32 alone.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "bindings/kernel_arguments.h"
#include "nn/activation.h"

namespace py = pybind11;

namespace fastnn {
namespace {

using Border = std::array<int64_t, 4>;  // top, left, bottom, right

Conv convolution(int64_t h, int64_t w, int64_t channels, int64_t filters, const Border& border) {
  const auto [top, left, bottom, right] = border;
  for (const int64_t pixels : border) {
    check(0 <= pixels && pixels <= 2, "border: expected 0, 1 or 2, got ", pixels);
  }
  const Window window = {
      h, w, 3, 3, 1, 1, 1, 1, top, left, bottom, right, h + top + bottom - 2, w + left + right - 2};
  check(h > 0 && w > 0 && window.oh > 0 && window.ow > 0,
        "border: expected images of 3 x 3 or more with it, got ", window.oh + 2, " x ",
        window.ow + 2);
  check(channels > 0 && filters > 0, "filters: expected channels and filters, got ", channels,
        " and ", filters);
  return {window, channels, filters, 1};
}

Shape images(const py::array& array, const char* name) {
  check(array.ndim() == 4, name, ": expected rank 4, got rank ", array.ndim());
  return shape_of(array);
}

const Winograd<float>& winograd(const std::string& isa, const std::string& precision) {
  const Kernels<float>& kernels = table<float>(isa);
  const bool bf16 = named<int>({"float32", "bf16"}, precision, "precision") == 1;
  return bf16 ? kernels.winograd_bf16 : kernels.winograd;
}

// begin .. end of the channels; none: to the last.
std::pair<int64_t, int64_t> channel_range(int64_t channels, int64_t begin,
                                          std::optional<int64_t> end) {
  const int64_t stop = end.value_or(channels);
  check(0 <= begin && begin <= stop && stop <= channels,
        "begin: expected 0 <= begin <= end <= ", channels, ", got ", begin, " and ", stop);
  return {begin, stop};
}

// u and ut of w[3, 3, channels, filters], zeros but for channels begin .. end.
Pair winograd_transform(const std::string& isa, const py::array& w, int64_t begin,
                        std::optional<int64_t> end, const std::string& precision) {
  const Shape shape = images(w, "w");
  const auto [first, stop] = channel_range(shape[2], begin, end);
  const auto* from = input<float>(w, "w", {3, 3, shape[2], shape[3]});
  check(precision != "bf16" || first % 2 == 0, "begin: expected an even number, got ", first);
  const Conv conv = convolution(3, 3, shape[2], shape[3], {});
  const Winograd<float>& kernels = winograd(isa, precision);
  const int64_t size = kernels.weights(conv);
  auto u = new_array<float>({size});
  auto ut = new_array<float>({size});
  std::fill_n(u.mutable_data(), size, 0.0F);
  std::fill_n(ut.mutable_data(), size, 0.0F);
  kernels.transform(conv, first, stop, from, u.mutable_data(), ut.mutable_data());
  return {u, ut};
}

py::array winograd_forward(const std::string& isa, const py::array& x, const py::array& u,
                           const Optional& b, int64_t filters, const Border& border,
                           const std::string& activation, const std::string& precision) {
  const Shape shape = images(x, "x");
  const Conv conv = convolution(shape[1], shape[2], shape[3], filters, border);
  const Winograd<float>& kernels = winograd(isa, precision);
  auto y = new_array<float>({shape[0], conv.window.oh, conv.window.ow, filters});
  Buffer<float> scratch(kernels.scratch(conv, 0));
  kernels.forward(conv, shape[0], input<float>(x, "x"),
                  input<float>(u, "u", {kernels.weights(conv)}), maybe<float>(b, "b", {filters}),
                  y.mutable_data(), named<Activation>(activation_names(), activation, "activation"),
                  scratch.data());
  return y;
}

py::array winograd_backward_inputs(const std::string& isa, const py::array& dy, const py::array& ut,
                                   int64_t channels, const Border& border,
                                   const std::string& precision) {
  const Shape shape = images(dy, "dy");
  const auto [top, left, bottom, right] = border;
  const int64_t h = shape[1] + 2 - top - bottom, w = shape[2] + 2 - left - right;
  const Conv conv = convolution(h, w, channels, shape[3], border);
  const Winograd<float>& kernels = winograd(isa, precision);
  auto dx = new_array<float>({shape[0], h, w, channels});
  Buffer<float> scratch(kernels.scratch(conv, 0));
  kernels.backward_inputs(conv, shape[0], input<float>(dy, "dy"),
                          input<float>(ut, "ut", {kernels.weights(conv)}), dx.mutable_data(),
                          scratch.data());
  return dx;
}

py::array winograd_backward_weights(const std::string& isa, const py::array& x, const py::array& dy,
                                    const Border& border, int64_t begin, std::optional<int64_t> end,
                                    const std::string& precision) {
  const Shape shape = images(x, "x");
  const int64_t filters = images(dy, "dy")[3];
  const auto [first, stop] = channel_range(shape[3], begin, end);
  const Conv conv = convolution(shape[1], shape[2], shape[3], filters, border);
  const Winograd<float>& kernels = winograd(isa, precision);
  auto dw = new_array<float>({3, 3, stop - first, filters});
  Buffer<float> scratch(kernels.scratch(conv, stop - first));
  kernels.backward_weights(
      conv, shape[0], first, stop, input<float>(x, "x"),
      input<float>(dy, "dy", {shape[0], conv.window.oh, conv.window.ow, filters}),
      dw.mutable_data(), scratch.data());
  return dw;
}

}  // namespace

void bind_winograd_kernels(py::module_& k) {
  const auto isa = py::arg("isa"), x = py::arg("x"), dy = py::arg("dy"), border = py::arg("border");
  const auto begin = py::arg("begin") = 0;
  const auto end = py::arg("end") = py::none();
  const auto precision = py::arg("precision") = "float32";
  k.def("winograd_transform", &winograd_transform, isa, py::arg("w"), begin, end, precision);
  k.def("winograd_forward", &winograd_forward, isa, x, py::arg("u"), py::arg("b"),
        py::arg("filters"), border, py::arg("activation") = "identity", precision);
  k.def("winograd_backward_inputs", &winograd_backward_inputs, isa, dy, py::arg("ut"),
        py::arg("channels"), border, precision);
  k.def("winograd_backward_weights", &winograd_backward_weights, isa, x, dy, border, begin, end,
        precision);
}

}  // namespace fastnn
