// _core.kernels, fifth part: classes drawn, their scores, and the gradients of those.
#include <pybind11/stl.h>

#include "bindings/kernel_arguments.h"

namespace py = pybind11;

namespace fastnn {
namespace {

// Features of classes: numbers (-1 = none), shares, and vectors.
using Features = std::optional<Triple>;

template <class T>
Classes<T> classes_of(const py::array& v, const Optional& bias, const Features& features) {
  const auto [units, d] = matrix(v, "v");
  Classes<T> classes{units, d,       input<T>(v, "v"), maybe<T>(bias, "bias", {units}),
                     0,     nullptr, nullptr,          nullptr};
  if (!features) return classes;
  const auto& [given, shares, f] = *features;
  const auto [n_features, width] = matrix(f, "f");
  classes.f = input<T>(f, "f", {kAny, d});
  classes.slots = matrix(given, "features").second;
  classes.features = input<int32_t>(given, "features", {units, kAny});
  classes.shares = input<T>(shares, "shares", {units, classes.slots});
  for (int64_t i = 0; i < given.size(); ++i) {
    check(classes.features[i] >= -1 && classes.features[i] < n_features,
          "features: expected values in [-1, ", n_features, "), got ", classes.features[i]);
  }
  return classes;
}

py::array draw_classes(const std::string& isa, int64_t m, int64_t n, int64_t units,
                       const Optional& alias, uint64_t seed, uint32_t step, uint32_t stream,
                       int64_t first) {
  check(m >= 0 && n >= 0 && units >= 1, "units: expected at least 1, got ", units);
  auto ids = new_array<int32_t>({m, n});
  table<float>(isa).draw_classes({seed, step, stream}, first, m, n, units,
                                 maybe<uint32_t>(alias, "alias", {units, 2}), ids.mutable_data(),
                                 n);
  return ids;
}

py::array class_rows(const std::string& isa, const py::array& rows, const py::array& v,
                     const Features& features) {
  return by_type(v, "v", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Classes<T> classes = classes_of<T>(v, {}, features);
    auto y = new_array<T>({rows.size(), classes.d});
    table<T>(isa).class_rows(rows.size(), classes, ids(rows, "ids", rows.size(), classes.units),
                             y.mutable_data());
    return y;
  });
}

// Losses, derivatives of the scores, the gradient of u, and the classes used.
std::tuple<py::array, py::array, py::array, py::array> ranking(
    const std::string& isa, const std::string& kind, const py::array& u, const py::array& drawn,
    const py::array& v, const Optional& bias, const Features& features, double margin,
    const Optional& weights, double scale) {
  using Results = std::tuple<py::array, py::array, py::array, py::array>;
  return by_type(v, "v", [&](auto zero) -> Results {
    using T = decltype(zero);
    const auto chosen = named<Ranking>({"bpr", "warp", "sampled_logistic"}, kind, "kind");
    const Classes<T> classes = classes_of<T>(v, bias, features);
    const auto [m, c] = matrix(drawn, "ids");
    check(c >= 1, "ids: expected a label in each row, got none");
    const int64_t n = chosen == Ranking::kWarp ? 2 : c;
    auto losses = new_array<T>({m}), ds = new_array<T>({m, n}), du = new_array<T>({m, classes.d});
    auto used = new_array<int32_t>({m, 2});
    std::fill_n(used.mutable_data(), used.size(), 0);
    Buffer<T> scratch(c * (classes.d + 1));
    table<T>(isa).ranking(
        chosen, classes,
        {m, c, input<T>(u, "u", {m, classes.d}), ids(drawn, "ids", m * c, classes.units),
         static_cast<T>(margin), maybe<T>(weights, "weights", {m}), static_cast<T>(scale),
         losses.mutable_data(), ds.mutable_data(), used.mutable_data(), du.mutable_data(),
         scratch.data()});
    return Results{losses, ds, du, used};
  });
}

// Losses; z and label become their gradients.
py::array sampled_softmax(const std::string& isa, py::array& z, const py::array& added,
                          py::array& label, const Optional& weights, double scale) {
  return by_type(z, "z", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(z, "z");
    auto losses = new_array<T>({m});
    table<T>(isa).sampled_softmax(m, n, output<T>(z, "z", {m, n}), n, input<T>(added, "added", {n}),
                                  output<T>(label, "label", {m}), maybe<T>(weights, "weights", {m}),
                                  static_cast<T>(scale), losses.mutable_data());
    return losses;
  });
}

// Adds to out.
void add_scaled_rows(const std::string& isa, const py::array& factors, const py::array& x,
                     py::array& out) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    const auto [m, d] = matrix(x, "x");
    table<T>(isa).add_scaled_rows(m, d, input<T>(factors, "factors", {m}), input<T>(x, "x"),
                                  output<T>(out, "out", {m, d}));
  });
}

py::array weighted_sums(const std::string& isa, const py::array& starts, const py::array& order,
                        const py::array& coefficients, const py::array& x) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, d] = matrix(x, "x");
    const auto [rows, k] = matrix(coefficients, "coefficients");
    check(rows == m && k >= 1, "coefficients: expected shape (", m, ", k)");
    const int64_t count = starts.size() - 1;
    const int32_t* from = ids(starts, "starts", count + 1, order.size() + 1);
    for (int64_t r = 0; r < count; ++r)
      check(from[r] <= from[r + 1], "starts: expected rising positions");
    auto g = new_array<T>({count, d});
    table<T>(isa).weighted_sums(count, d, from, ids(order, "order", order.size(), m * k), k,
                                input<T>(coefficients, "coefficients"), input<T>(x, "x"),
                                g.mutable_data());
    return g;
  });
}

py::array feature_coefficients(const std::string& isa, const py::array& rows,
                               const py::array& factors, const py::array& v,
                               const Triple& features) {
  return by_type(v, "v", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Classes<T> classes = classes_of<T>(v, {}, features);
    auto out = new_array<T>({rows.size(), classes.slots});
    table<T>(isa).feature_coefficients(
        rows.size(), classes, ids(rows, "ids", rows.size(), classes.units),
        input<T>(factors, "factors", {rows.size()}), out.mutable_data());
    return out;
  });
}

// Adds the scores of features z to those of classes, out.
void feature_scores(const std::string& isa, const py::array& z, const py::array& v,
                    const Triple& features, py::array& out) {
  by_type(v, "v", [&](auto zero) {
    using T = decltype(zero);
    const Classes<T> classes = classes_of<T>(v, {}, features);
    const auto [m, n] = matrix(z, "z");
    table<T>(isa).feature_scores(m, n, classes,
                                 input<T>(z, "z", {m, std::get<2>(features).shape(0)}),
                                 output<T>(out, "out", {m, classes.units}));
  });
}

py::array feature_scores_backward(const std::string& isa, const py::array& dy, const py::array& v,
                                  const Triple& features) {
  return by_type(v, "v", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Classes<T> classes = classes_of<T>(v, {}, features);
    const int64_t m = matrix(dy, "dy").first, n = std::get<2>(features).shape(0);
    auto dz = new_array<T>({m, n});
    table<T>(isa).feature_scores_backward(m, n, classes, input<T>(dy, "dy", {m, classes.units}),
                                          dz.mutable_data());
    return dz;
  });
}

}  // namespace

void bind_ranking_kernels(py::module_& k) {
  const auto isa = py::arg("isa");
  k.def("draw_classes", &draw_classes, isa, py::arg("m"), py::arg("n"), py::arg("units"),
        py::arg("alias"), py::arg("seed"), py::arg("step"), py::arg("stream"),
        py::arg("first") = 0);
  k.def("class_rows", &class_rows, isa, py::arg("ids"), py::arg("v"),
        py::arg("features") = py::none());
  k.def("ranking", &ranking, isa, py::arg("kind"), py::arg("u"), py::arg("ids"), py::arg("v"),
        py::arg("bias"), py::arg("features") = py::none(), py::arg("margin") = 1.0,
        py::arg("weights") = py::none(), py::arg("scale") = 1.0);
  k.def("sampled_softmax", &sampled_softmax, isa, py::arg("z"), py::arg("added"), py::arg("label"),
        py::arg("weights") = py::none(), py::arg("scale") = 1.0);
  k.def("add_scaled_rows", &add_scaled_rows, isa, py::arg("factors"), py::arg("x"), py::arg("out"));
  k.def("weighted_sums", &weighted_sums, isa, py::arg("starts"), py::arg("order"),
        py::arg("coefficients"), py::arg("x"));
  k.def("feature_coefficients", &feature_coefficients, isa, py::arg("ids"), py::arg("factors"),
        py::arg("v"), py::arg("features"));
  k.def("feature_scores", &feature_scores, isa, py::arg("z"), py::arg("v"), py::arg("features"),
        py::arg("out"));
  k.def("feature_scores_backward", &feature_scores_backward, isa, py::arg("dy"), py::arg("v"),
        py::arg("features"));
}

}  // namespace fastnn
