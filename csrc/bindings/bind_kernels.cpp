// _core.kernels: each kernel as a function of arrays, for tests and benches; the lists of names.
#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/kernel_arguments.h"
#include "nn/activation.h"
#include "nn/loss.h"
#include "nn/optimizer.h"

namespace py = pybind11;

namespace fastnn {
namespace {

// --- dense ---------------------------------------------------------------------------------------
// repeat: how often to do it, for benches, as the smallest products take less time than a call.

py::array dense_forward(const std::string& isa, const py::array& x, const py::array& w,
                        const Optional& b, const std::string& activation, int64_t repeat) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, k] = matrix(x, "x");
    const int64_t n = matrix(w, "w").second;
    auto y = new_array<T>({m, n});
    const auto f = named<Activation>(activation_names(), activation, "activation");
    const auto *from = input<T>(x, "x", {m, k}), *weights = input<T>(w, "w", {k, n});
    const auto* bias = maybe<T>(b, "b", {n});
    const Kernels<T>& kernels = table<T>(isa);
    for (int64_t i = 0; i < repeat; ++i) {
      kernels.dense_forward(m, k, n, from, k, weights, bias, y.mutable_data(), n, f);
    }
    return y;
  });
}

py::array dense_backward_inputs(const std::string& isa, const py::array& dy, const py::array& w,
                                int64_t repeat) {
  return by_type(dy, "dy", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(dy, "dy");
    const int64_t k = matrix(w, "w").first;
    auto dx = new_array<T>({m, k});
    const Kernels<T>& kernels = table<T>(isa);
    Buffer<T> scratch(kernels.dense_scratch(m, k, n));
    const auto *from = input<T>(dy, "dy"), *weights = input<T>(w, "w", {k, n});
    for (int64_t i = 0; i < repeat; ++i) {
      kernels.dense_backward_inputs(m, k, n, from, n, weights, dx.mutable_data(), k,
                                    scratch.data());
    }
    return dx;
  });
}

py::array dense_backward_weights(const std::string& isa, const py::array& x, const py::array& dy,
                                 int64_t begin, std::optional<int64_t> end, int64_t repeat) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, k] = matrix(x, "x");
    const int64_t n = matrix(dy, "dy").second;
    const int64_t stop = end.value_or(k);
    check(0 <= begin && begin <= stop && stop <= k, "begin: expected 0 <= begin <= end <= ", k,
          ", got ", begin, " and ", stop);
    auto dw = new_array<T>({stop - begin, n});
    const auto *from = input<T>(x, "x"), *gradient = input<T>(dy, "dy", {m, n});
    const Kernels<T>& kernels = table<T>(isa);
    for (int64_t i = 0; i < repeat; ++i) {
      kernels.dense_backward_weights(m, begin, stop, n, from, k, gradient, n, dw.mutable_data());
    }
    return dw;
  });
}

py::array column_sums(const std::string& isa, const py::array& x) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto sums = new_array<T>({n});
    table<T>(isa).column_sums(m, n, input<T>(x, "x"), n, sums.mutable_data());
    return sums;
  });
}

// --- activations ---------------------------------------------------------------------------------

// Writes to out, which may be x.
void activation_forward(const std::string& isa, const py::array& x, py::array& out,
                        const std::string& activation) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    const T* from = input<T>(x, "x");
    table<T>(isa).activation_forward(
        named<Activation>(activation_names(), activation, "activation"), x.size(), from,
        output<T>(out, "out", shape_of(x)));
  });
}

// Writes to out, which may be dy.
void activation_backward(const std::string& isa, const py::array& x, const py::array& y,
                         const py::array& dy, py::array& out, const std::string& activation) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    const Shape shape = shape_of(x);
    table<T>(isa).activation_backward(
        named<Activation>(activation_names(), activation, "activation"), x.size(), input<T>(x, "x"),
        input<T>(y, "y", shape), input<T>(dy, "dy", shape), output<T>(out, "out", shape));
  });
}

py::array softmax_forward(const std::string& isa, const py::array& x) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto y = new_array<T>({m, n});
    table<T>(isa).softmax_forward(m, n, input<T>(x, "x"), y.mutable_data());
    return y;
  });
}

py::array softmax_backward(const std::string& isa, const py::array& y, const py::array& dy) {
  return by_type(y, "y", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(y, "y");
    auto dx = new_array<T>({m, n});
    table<T>(isa).softmax_backward(m, n, input<T>(y, "y"), input<T>(dy, "dy", {m, n}),
                                   dx.mutable_data());
    return dx;
  });
}

// --- losses, metrics, sums -----------------------------------------------------------------------

Pair loss(const std::string& isa, const std::string& kind, const py::array& z,
          const py::array& target, const Optional& weights, double scale, double delta) {
  return by_type(z, "z", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [m, n] = matrix(z, "z");
    auto losses = new_array<T>({m});
    auto dz = new_array<T>({m, n});
    const auto which = named<Loss>(loss_names(), kind, "kind");
    const T* w = maybe<T>(weights, "weights", {m});
    if (which == Loss::kCategoricalCrossentropy) {
      table<T>(isa).loss_labels(m, n, input<T>(z, "z"), ids(target, "target", m, n), w,
                                static_cast<T>(scale), losses.mutable_data(), dz.mutable_data());
    } else {
      table<T>(isa).loss(which, m, n, input<T>(z, "z"), input<T>(target, "target", {m, n}), w,
                         static_cast<T>(scale), static_cast<T>(delta), losses.mutable_data(),
                         dz.mutable_data());
    }
    return {losses, dz};
  });
}

py::array metric(const std::string& isa, const std::string& kind, const py::array& z,
                 const py::array& target, const Optional& weights, double threshold) {
  return by_type(z, "z", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(z, "z");
    auto out = new_array<T>({m});
    const Kernels<T>& kernels = table<T>(isa);
    const T* w = maybe<T>(weights, "weights", {m});
    const T* from = input<T>(z, "z");
    const int which = named<int>({"squared", "absolute", "binary", "labels"}, kind, "kind");
    if (which == 3) {
      kernels.metric_labels(m, n, from, ids(target, "target", m, n), w, out.mutable_data());
      return out;
    }
    const T* t = input<T>(target, "target", {m, n});
    if (which == 0) kernels.metric_squared(m, n, from, t, w, out.mutable_data());
    if (which == 1) kernels.metric_absolute(m, n, from, t, w, out.mutable_data());
    if (which == 2) {
      kernels.metric_binary(m, n, from, t, w, static_cast<T>(threshold), out.mutable_data());
    }
    return out;
  });
}

double sum(const std::string& isa, const py::array& x) {
  return by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    return table<T>(isa).sum(x.size(), input<T>(x, "x"));
  });
}

double sum_squares(const std::string& isa, const py::array& x) {
  return by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    return table<T>(isa).sum_squares(x.size(), input<T>(x, "x"));
  });
}

Pair activity_penalty(const std::string& isa, const py::array& x, double l1, double l2,
                      const Optional& weights, double scale, const py::array& dy) {
  return by_type(x, "x", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto penalties = new_array<T>({m});
    std::fill_n(penalties.mutable_data(), m, T{0});
    auto dx = new_array<T>({m, n});
    table<T>(isa).activity_penalty(m, n, input<T>(x, "x"), static_cast<T>(l1), static_cast<T>(l2),
                                   maybe<T>(weights, "weights", {m}), static_cast<T>(scale),
                                   penalties.mutable_data(), input<T>(dy, "dy", {m, n}),
                                   dx.mutable_data());
    return {penalties, dx};
  });
}

// The operations done, and the sum of the chains.
std::pair<double, float> multiply_adds(const std::string& isa, int64_t rounds) {
  float sum = 0.0F;
  const double operations = table<float>(isa).multiply_adds(rounds, &sum);
  return {operations, sum};
}

}  // namespace

void bind_kernels(py::module_& m) {
  m.def("instruction_sets", &instruction_sets);
  m.def("instruction_set", [] { return std::string(instruction_set(chosen_instruction_set())); });
  m.def("activations", &activation_names);
  m.def("losses", &loss_names);
  m.def("optimizers", &optimizer_names);
  py::module_ k = m.def_submodule("kernels", "One function per kernel; isa names its table.");
  const auto isa = py::arg("isa");
  const auto repeat = py::arg("repeat") = 1;
  k.def("dense_forward", &dense_forward, isa, py::arg("x"), py::arg("w"), py::arg("b"),
        py::arg("activation") = "identity", repeat);
  k.def("dense_backward_inputs", &dense_backward_inputs, isa, py::arg("dy"), py::arg("w"), repeat);
  k.def("dense_backward_weights", &dense_backward_weights, isa, py::arg("x"), py::arg("dy"),
        py::arg("begin") = 0, py::arg("end") = py::none(), repeat);
  k.def("column_sums", &column_sums, isa, py::arg("x"));
  k.def("activation_forward", &activation_forward, isa, py::arg("x"), py::arg("out"),
        py::arg("activation"));
  k.def("activation_backward", &activation_backward, isa, py::arg("x"), py::arg("y"), py::arg("dy"),
        py::arg("out"), py::arg("activation"));
  k.def("softmax_forward", &softmax_forward, isa, py::arg("x"));
  k.def("softmax_backward", &softmax_backward, isa, py::arg("y"), py::arg("dy"));
  k.def("loss", &loss, isa, py::arg("kind"), py::arg("z"), py::arg("target"), py::arg("weights"),
        py::arg("scale") = 1.0, py::arg("delta") = 1.0);
  k.def("metric", &metric, isa, py::arg("kind"), py::arg("z"), py::arg("target"),
        py::arg("weights"), py::arg("threshold") = 0.0);
  k.def("sum", &sum, isa, py::arg("x"));
  k.def("sum_squares", &sum_squares, isa, py::arg("x"));
  k.def("activity_penalty", &activity_penalty, isa, py::arg("x"), py::arg("l1"), py::arg("l2"),
        py::arg("weights"), py::arg("scale"), py::arg("dy"));
  k.def("multiply_adds", &multiply_adds, isa, py::arg("rounds"),
        py::call_guard<py::gil_scoped_release>());
  bind_update_kernels(k);
  bind_row_kernels(m, k);
  bind_winograd_kernels(k);
  bind_bf16_kernels(k);
  bind_ranking_kernels(k);
}

}  // namespace fastnn
