// The kernels of bfloat16 factors, for tests and benches; pairs are uint32.
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/kernel_arguments.h"

namespace py = pybind11;

namespace fastnn {
namespace {

int64_t whole(int64_t count) { return (count + kPairUnit - 1) / kPairUnit * kPairUnit; }

py::array bf16_round(const std::string& isa, const py::array& x) {
  const auto* from = input<float>(x, "x");
  auto y = new_array<float>(shape_of(x));
  table<float>(isa).bf16_round(x.size(), from, y.mutable_data());
  return y;
}

py::array bf16_pair_columns(const std::string& isa, const py::array& x) {
  const auto [m, n] = matrix(x, "x");
  const int64_t width = whole((n + 1) / 2);
  auto to = new_array<Bf16Pair>({m, width});
  table<float>(isa).bf16_pair_columns(m, n, input<float>(x, "x"), n, to.mutable_data(), width);
  return to;
}

py::array bf16_pair_rows(const std::string& isa, const py::array& x) {
  const auto [m, n] = matrix(x, "x");
  auto to = new_array<Bf16Pair>({(m + 1) / 2, whole(n)});
  table<float>(isa).bf16_pair_rows(m, n, input<float>(x, "x"), n, to.mutable_data(), whole(n));
  return to;
}

py::array bf16_pair_transposed(const std::string& isa, const py::array& x) {
  const auto [m, n] = matrix(x, "x");
  auto to = new_array<Bf16Pair>({(n + 1) / 2, whole(m)});
  std::fill_n(to.mutable_data(), to.size(), Bf16Pair{0});
  table<float>(isa).bf16_pair_transposed(m, n, input<float>(x, "x"), n, to.mutable_data(),
                                         whole(m));
  return to;
}

// y[m, n] from pairs of columns x[m, ..] and of rows w[(k + 1) / 2, ..].
py::array bf16_forward(const std::string& isa, const py::array& x, const py::array& w,
                       const Optional& b, int64_t k, int64_t n, bool relu) {
  const int64_t m = matrix(x, "x").first, ldx = whole((k + 1) / 2);
  check(k >= 0 && n >= 0, "k, n: expected no negative sizes, got ", k, " and ", n);
  auto y = new_array<float>({m, n});
  table<float>(isa).bf16_forward(m, k, n, input<Bf16Pair>(x, "x", {m, ldx}), ldx,
                                 input<Bf16Pair>(w, "w", {(k + 1) / 2, whole(n)}), whole(n),
                                 maybe<float>(b, "b", {n}), y.mutable_data(), relu);
  return y;
}

// dw[end - begin, n] from pairs of rows x[pairs, ..] and dy[pairs, ..].
py::array bf16_backward_weights(const std::string& isa, const py::array& x, const py::array& dy,
                                int64_t begin, int64_t end, int64_t n) {
  const auto [pairs, width] = matrix(x, "x");
  check(0 <= begin && begin <= end && end <= width, "begin: expected 0 <= begin <= end <= ", width,
        ", got ", begin, " and ", end);
  check(n >= 0, "n: expected no negative size, got ", n);
  auto dw = new_array<float>({end - begin, n});
  table<float>(isa).bf16_backward_weights(2 * pairs, begin, end, n, input<Bf16Pair>(x, "x"), width,
                                          input<Bf16Pair>(dy, "dy", {pairs, whole(n)}), whole(n),
                                          dw.mutable_data());
  return dw;
}

}  // namespace

void bind_bf16_kernels(py::module_& k) {
  const auto isa = py::arg("isa"), x = py::arg("x");
  k.def("bf16_round", &bf16_round, isa, x);
  k.def("bf16_pair_columns", &bf16_pair_columns, isa, x);
  k.def("bf16_pair_rows", &bf16_pair_rows, isa, x);
  k.def("bf16_pair_transposed", &bf16_pair_transposed, isa, x);
  k.def("bf16_forward", &bf16_forward, isa, x, py::arg("w"), py::arg("b"), py::arg("k"),
        py::arg("n"), py::arg("relu") = false);
  k.def("bf16_backward_weights", &bf16_backward_weights, isa, x, py::arg("dy"), py::arg("begin"),
        py::arg("end"), py::arg("n"));
}

}  // namespace fastnn
