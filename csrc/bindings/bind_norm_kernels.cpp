// _core.kernels: pooling and normalisation. Windows as in the reference.
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "bindings/kernel_arguments.h"
#include "nn/activation.h"

namespace py = pybind11;

namespace fastnn {
namespace {

using Numbers = std::array<int64_t, 12>;

// --- pooling -------------------------------------------------------------------------------------

// Images and channels of an array (images, h, w, channels).
std::pair<int64_t, int64_t> images_of(const py::array& array, const char* name) {
  check(array.ndim() == 4, name, ": expected rank 4, got rank ", array.ndim());
  return {array.shape(0), array.shape(3)};
}

Window pooling_window(const Numbers& numbers) {
  const Window a = window_of(numbers);
  const bool meets = std::max(a.top, a.bottom) < a.kh && std::max(a.left, a.right) < a.kw;
  check(a.dh == 1 && a.dw == 1 && meets,
        "window: expected no dilation and a border below its size");
  check(a.h * a.w < int64_t{1} << 31, "window: expected fewer than 2**31 pixels");
  return a;
}

// y and the chosen pixels.
Pair max_pool_forward(const std::string& isa, const py::array& x, const Numbers& window) {
  return by_type(x, "x", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const Window a = pooling_window(window);
    const auto [m, c] = images_of(x, "x");
    auto y = new_array<T>({m, a.oh, a.ow, c});
    auto chosen = new_array<int32_t>({m, a.oh, a.ow, c});
    table<T>(isa).max_pool_forward(a, m, c, input<T>(x, "x", {m, a.h, a.w, c}), y.mutable_data(),
                                   chosen.mutable_data());
    return {y, chosen};
  });
}

py::array max_pool_backward(const std::string& isa, const py::array& chosen, const py::array& dy,
                            const Numbers& window) {
  return by_type(dy, "dy", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Window a = pooling_window(window);
    const auto [m, c] = images_of(dy, "dy");
    auto dx = new_array<T>({m, a.h, a.w, c});
    table<T>(isa).max_pool_backward(a, m, c, ids(chosen, "chosen", dy.size(), a.h * a.w),
                                    input<T>(dy, "dy", {m, a.oh, a.ow, c}), dx.mutable_data());
    return dx;
  });
}

py::array average_pool_forward(const std::string& isa, const py::array& x, const Numbers& window) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Window a = pooling_window(window);
    const auto [m, c] = images_of(x, "x");
    auto y = new_array<T>({m, a.oh, a.ow, c});
    table<T>(isa).average_pool_forward(a, m, c, input<T>(x, "x", {m, a.h, a.w, c}),
                                       y.mutable_data());
    return y;
  });
}

py::array average_pool_backward(const std::string& isa, const py::array& dy,
                                const Numbers& window) {
  return by_type(dy, "dy", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Window a = pooling_window(window);
    const auto [m, c] = images_of(dy, "dy");
    auto dx = new_array<T>({m, a.h, a.w, c});
    table<T>(isa).average_pool_backward(a, m, c, input<T>(dy, "dy", {m, a.oh, a.ow, c}),
                                        dx.mutable_data());
    return dx;
  });
}

// --- batch normalisation -------------------------------------------------------------------------

// Means and sums of squared deviations.
Pair column_moments(const std::string& isa, const py::array& x) {
  return by_type(x, "x", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    check(m > 0, "x: expected at least one row, got none");
    auto mean = new_array<T>({n}), squares = new_array<T>({n});
    table<T>(isa).column_moments(m, n, input<T>(x, "x"), mean.mutable_data(),
                                 squares.mutable_data());
    return {mean, squares};
  });
}

// Writes activation(x * factor + offset) to out, which may be x.
void scale_columns(const std::string& isa, const py::array& x, const py::array& factor,
                   const py::array& offset, py::array& out, const std::string& activation) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    std::vector<std::string> names = activation_names();
    names.pop_back();  // softmax
    table<T>(isa).scale_columns(
        m, n, input<T>(x, "x"), input<T>(factor, "factor", {n}), input<T>(offset, "offset", {n}),
        named<Activation>(names, activation, "activation"), output<T>(out, "out", {m, n}));
  });
}

Pair batch_norm_sums(const std::string& isa, const py::array& x, const py::array& dy,
                     const py::array& mean, const py::array& inverse) {
  return by_type(x, "x", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto sums = new_array<T>({n}), products = new_array<T>({n});
    table<T>(isa).batch_norm_sums(m, n, input<T>(x, "x"), input<T>(dy, "dy", {m, n}),
                                  input<T>(mean, "mean", {n}), input<T>(inverse, "inverse", {n}),
                                  sums.mutable_data(), products.mutable_data());
    return {sums, products};
  });
}

// Writes dx to out, which may be dy.
void batch_norm_backward(const std::string& isa, const py::array& x, const py::array& dy,
                         const py::array& mean, const py::array& inverse, const py::array& a,
                         const py::array& b, const py::array& factor, py::array& out) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    table<T>(isa).batch_norm_backward(
        m, n, input<T>(x, "x"), input<T>(dy, "dy", {m, n}), input<T>(mean, "mean", {n}),
        input<T>(inverse, "inverse", {n}), input<T>(a, "a", {n}), input<T>(b, "b", {n}),
        input<T>(factor, "factor", {n}), output<T>(out, "out", {m, n}));
  });
}

// --- layer normalisation -------------------------------------------------------------------------

// y and what backward needs.
Pair layer_norm_forward(const std::string& isa, const py::array& x, const Optional& gamma,
                        const Optional& beta, double epsilon) {
  return by_type(x, "x", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto y = new_array<T>({m, n}), kept = new_array<T>({m, 2});
    table<T>(isa).layer_norm_forward(m, n, input<T>(x, "x"), maybe<T>(gamma, "gamma", {n}),
                                     maybe<T>(beta, "beta", {n}), static_cast<T>(epsilon),
                                     y.mutable_data(), kept.mutable_data());
    return {y, kept};
  });
}

py::array layer_norm_backward(const std::string& isa, const py::array& x, const py::array& dy,
                              const Optional& gamma, const py::array& kept) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto dx = new_array<T>({m, n});
    table<T>(isa).layer_norm_backward(m, n, input<T>(x, "x"), input<T>(dy, "dy", {m, n}),
                                      maybe<T>(gamma, "gamma", {n}), input<T>(kept, "kept", {m, 2}),
                                      dx.mutable_data());
    return dx;
  });
}

py::array layer_norm_gamma(const std::string& isa, const py::array& x, const py::array& dy,
                           const py::array& kept) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto dgamma = new_array<T>({n});
    table<T>(isa).layer_norm_gamma(m, n, input<T>(x, "x"), input<T>(dy, "dy", {m, n}),
                                   input<T>(kept, "kept", {m, 2}), dgamma.mutable_data());
    return dgamma;
  });
}

}  // namespace

void bind_norm_kernels(py::module_& m) {
  py::module_ k = m.attr("kernels");
  const auto isa = py::arg("isa"), x = py::arg("x"), dy = py::arg("dy"), mean = py::arg("mean"),
             inverse = py::arg("inverse"), factor = py::arg("factor"), out = py::arg("out"),
             gamma = py::arg("gamma"), kept = py::arg("kept"), window = py::arg("window");
  k.def("max_pool_forward", &max_pool_forward, isa, x, window);
  k.def("max_pool_backward", &max_pool_backward, isa, py::arg("chosen"), dy, window);
  k.def("average_pool_forward", &average_pool_forward, isa, x, window);
  k.def("average_pool_backward", &average_pool_backward, isa, dy, window);
  k.def("column_moments", &column_moments, isa, x);
  k.def("scale_columns", &scale_columns, isa, x, factor, py::arg("offset"), out,
        py::arg("activation") = "identity");
  k.def("batch_norm_sums", &batch_norm_sums, isa, x, dy, mean, inverse);
  k.def("batch_norm_backward", &batch_norm_backward, isa, x, dy, mean, inverse, py::arg("a"),
        py::arg("b"), factor, out);
  k.def("layer_norm_forward", &layer_norm_forward, isa, x, gamma, py::arg("beta"),
        py::arg("epsilon"));
  k.def("layer_norm_backward", &layer_norm_backward, isa, x, dy, gamma, kept);
  k.def("layer_norm_gamma", &layer_norm_gamma, isa, x, dy, kept);
}

}  // namespace fastnn
