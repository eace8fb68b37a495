// _core.kernels, second half: tables of vectors, rows, random numbers.
#include <pybind11/stl.h>

#include <tuple>

#include "bindings/kernel_arguments.h"

namespace py = pybind11;

namespace fastnn {
namespace {

// --- embeddings ----------------------------------------------------------------------------------

py::array embedding_forward(const std::string& isa, const py::array& v, const py::array& rows) {
  return by_type(v, "v", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [n, d] = matrix(v, "v");
    auto y = new_array<T>({rows.size(), d});
    table<T>(isa).embedding_forward(rows.size(), d, input<T>(v, "v"),
                                    ids(rows, "ids", rows.size(), n), y.mutable_data(), d);
    return y;
  });
}

// Order, distinct ids and where each starts.
Triple sort_ids(const std::string& isa, const py::array& values, int64_t v) {
  const int64_t count = values.size();
  const int32_t* from = ids(values, "ids", count, v);
  auto order = new_array<int32_t>({count});
  std::vector<int32_t> rows(static_cast<size_t>(count) + 1);
  std::vector<int32_t> starts(rows.size() + 1);
  const Kernels<float>& kernels = table<float>(isa);
  Buffer<int32_t> scratch(kernels.sort_scratch(count, v));
  const int64_t distinct = kernels.sort_ids(count, v, from, order.mutable_data(), rows.data(),
                                            starts.data(), scratch.data());
  return {order, py::array_t<int32_t>(distinct, rows.data()),
          py::array_t<int32_t>(distinct + 1, starts.data())};
}

// starts and order as sort_ids gives them.
py::array embedding_sums(const std::string& isa, const py::array& starts, const py::array& order,
                         const py::array& dy) {
  return by_type(dy, "dy", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, d] = matrix(dy, "dy");
    const int64_t count = starts.size() - 1;
    const int32_t* from = ids(starts, "starts", count + 1, order.size() + 1);
    for (int64_t r = 0; r < count; ++r)
      check(from[r] < from[r + 1], "starts: expected rising positions");
    auto g = new_array<T>({count, d});
    table<T>(isa).embedding_sums(count, d, from, ids(order, "order", order.size(), m),
                                 input<T>(dy, "dy"), g.mutable_data());
    return g;
  });
}

BagMode bag_mode(const std::string& mode) {
  return named<BagMode>({"sum", "mean", "sqrtn", "max"}, mode, "mode");
}

// y and, for max, the chosen positions.
Pair bag_forward(const std::string& isa, const std::string& mode, const py::array& v,
                 const py::array& bags, int32_t padding, const Optional& weights) {
  return by_type(v, "v", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [n, d] = matrix(v, "v");
    const auto [m, k] = matrix(bags, "ids");
    auto y = new_array<T>({m, d});
    auto chosen = new_array<int32_t>({m, d});
    table<T>(isa).bag_forward(bag_mode(mode), m, k, d, input<T>(v, "v"), ids(bags, "ids", m * k, n),
                              padding, maybe<T>(weights, "weights", {m, k}), y.mutable_data(),
                              chosen.mutable_data());
    return {y, chosen};
  });
}

// Gradients of the rows looked up and of the weights.
Pair bag_backward(const std::string& isa, const std::string& mode, const py::array& v,
                  const py::array& bags, int32_t padding, const Optional& weights,
                  const py::array& chosen, const py::array& y, const py::array& dy) {
  return by_type(v, "v", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [n, d] = matrix(v, "v");
    const auto [m, k] = matrix(bags, "ids");
    auto dy_ids = new_array<T>({m * k, d});
    auto dweights = new_array<T>({m, k});
    table<T>(isa).bag_backward(
        bag_mode(mode), m, k, d, input<T>(v, "v"), ids(bags, "ids", m * k, n), padding,
        maybe<T>(weights, "weights", {m, k}), input<int32_t>(chosen, "chosen", {m, d}),
        input<T>(y, "y", {m, d}), input<T>(dy, "dy", {m, d}), dy_ids.mutable_data(),
        mode == "max" ? nullptr : dweights.mutable_data());
    return {dy_ids, dweights};
  });
}

// --- rows ----------------------------------------------------------------------------------------

py::array gather_rows(const std::string& isa, const py::array& x, const Optional& rows) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [all, n] = matrix(x, "x");
    const int64_t m = rows ? rows->size() : all;
    auto y = new_array<T>({m, n});
    table<T>(isa).gather_rows(m, n, input<T>(x, "x"), rows ? ids(*rows, "rows", m, all) : nullptr,
                              y.mutable_data());
    return y;
  });
}

// Writes to out, whose type is that of the numbers.
void gather_bytes(const std::string& isa, const py::array& x, const Optional& rows,
                  py::array& out) {
  by_type(out, "out", [&](auto zero) {
    using T = decltype(zero);
    const auto [all, n] = matrix(x, "x");
    const int64_t m = rows ? rows->size() : all;
    table<T>(isa).gather_bytes(m, n, input<uint8_t>(x, "x"),
                               rows ? ids(*rows, "rows", m, all) : nullptr,
                               output<T>(out, "out", {m, n}));
  });
}

py::array dot_forward(const std::string& isa, const py::array& a, const py::array& b) {
  return by_type(a, "a", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, d] = matrix(a, "a");
    auto y = new_array<T>({m});
    table<T>(isa).dot_forward(m, d, input<T>(a, "a"), input<T>(b, "b", {m, d}), y.mutable_data());
    return y;
  });
}

Pair dot_backward(const std::string& isa, const py::array& a, const py::array& b,
                  const py::array& dy) {
  return by_type(a, "a", [&](auto zero) -> Pair {
    using T = decltype(zero);
    const auto [m, d] = matrix(a, "a");
    auto da = new_array<T>({m, d});
    auto db = new_array<T>({m, d});
    table<T>(isa).dot_backward(m, d, input<T>(a, "a"), input<T>(b, "b", {m, d}),
                               input<T>(dy, "dy", {m}), da.mutable_data(), db.mutable_data());
    return {da, db};
  });
}

// Writes x to the first columns of out.
void copy_columns(const std::string& isa, const py::array& x, py::array& out) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    const int64_t width = matrix(out, "out").second;
    check(width >= n, "out: expected ", n, " columns or more, got ", width);
    table<T>(isa).copy_columns(m, n, input<T>(x, "x"), n, output<T>(out, "out", {m, width}), width);
  });
}

// Writes a + b or a * b to out, which may be a or b.
template <bool kMultiply>
void combine(const std::string& isa, const py::array& a, const py::array& b, py::array& out) {
  by_type(a, "a", [&](auto zero) {
    using T = decltype(zero);
    const Kernels<T>& kernels = table<T>(isa);
    const auto kernel = kMultiply ? kernels.multiply : kernels.add;
    kernel(a.size(), input<T>(a, "a"), input<T>(b, "b", shape_of(a)),
           output<T>(out, "out", shape_of(a)));
  });
}

// Writes x * factor + offset to out, which may be x.
void scale(const std::string& isa, const py::array& x, double factor, double offset,
           py::array& out) {
  by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    table<T>(isa).scale(x.size(), input<T>(x, "x"), static_cast<T>(factor), static_cast<T>(offset),
                        output<T>(out, "out", shape_of(x)));
  });
}

// --- random numbers ------------------------------------------------------------------------------

py::array dropout(const std::string& isa, const py::array& x, double rate, uint64_t seed,
                  uint32_t step, uint32_t stream, int64_t first) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto y = new_array<T>({m, n});
    table<T>(isa).dropout({seed, step, stream}, first, m, n, static_cast<T>(rate), input<T>(x, "x"),
                          y.mutable_data());
    return y;
  });
}

py::array gaussian_noise(const std::string& isa, const py::array& x, double stddev, uint64_t seed,
                         uint32_t step, uint32_t stream, int64_t first) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, n] = matrix(x, "x");
    auto y = new_array<T>({m, n});
    table<T>(isa).gaussian_noise({seed, step, stream}, first, m, n, static_cast<T>(stddev),
                                 input<T>(x, "x"), y.mutable_data());
    return y;
  });
}

// A vector of n, as a size checked before memory is asked for.
Shape vector_of(int64_t n) {
  check(n >= 0, "n: expected 0 or more, got ", n);
  return {n};
}

template <bool kNormal>
py::array_t<double> random_numbers(const Kernels<double>& kernels, uint64_t seed, uint32_t stream,
                                   int64_t n, int64_t first) {
  check(first >= 0 && first % 4 == 0, "first: expected a multiple of 4, got ", first);
  auto out = new_array<double>(vector_of(n));
  const auto kernel = kNormal ? kernels.random_normal : kernels.random_uniform;
  kernel(seed, stream, first, n, 0.0, 1.0, out.mutable_data());
  return out;
}

py::array_t<int32_t> epoch_order(const Kernels<double>& kernels, uint64_t seed, uint32_t epoch,
                                 int64_t n) {
  check(n < int64_t{1} << 31, "n: expected fewer than 2**31, got ", n);
  auto order = new_array<int32_t>(vector_of(n));
  kernels.epoch_order(seed, epoch, n, order.mutable_data());
  return order;
}

// The same three with the table in use (m), and with one that is named (k).
void bind_random(py::module_& m, py::module_& k) {
  using Isa = const std::string&;
  const auto isa = py::arg("isa"), seed = py::arg("seed"), n = py::arg("n");
  m.def(
      "random_uniform",
      [](uint64_t s, uint32_t stream, int64_t count, int64_t from) {
        return random_numbers<false>(kernels<double>(), s, stream, count, from);
      },
      seed, py::arg("stream"), n, py::arg("first") = 0);
  m.def(
      "random_normal",
      [](uint64_t s, uint32_t stream, int64_t count, int64_t from) {
        return random_numbers<true>(kernels<double>(), s, stream, count, from);
      },
      seed, py::arg("stream"), n, py::arg("first") = 0);
  m.def(
      "epoch_order",
      [](uint64_t s, uint32_t epoch, int64_t count) {
        return epoch_order(kernels<double>(), s, epoch, count);
      },
      seed, py::arg("epoch"), n);
  k.def(
      "random_uniform",
      [](Isa name, uint64_t s, uint32_t stream, int64_t count) {
        return random_numbers<false>(table<double>(name), s, stream, count, 0);
      },
      isa, seed, py::arg("stream"), n);
  k.def(
      "random_normal",
      [](Isa name, uint64_t s, uint32_t stream, int64_t count) {
        return random_numbers<true>(table<double>(name), s, stream, count, 0);
      },
      isa, seed, py::arg("stream"), n);
  k.def(
      "epoch_order",
      [](Isa name, uint64_t s, uint32_t epoch, int64_t count) {
        return epoch_order(table<double>(name), s, epoch, count);
      },
      isa, seed, py::arg("epoch"), n);
}

}  // namespace

void bind_row_kernels(py::module_& m, py::module_& k) {
  const auto isa = py::arg("isa"), v = py::arg("v"), rows = py::arg("ids");
  k.def("embedding_forward", &embedding_forward, isa, v, rows);
  k.def("sort_ids", &sort_ids, isa, rows, v);
  k.def("embedding_sums", &embedding_sums, isa, py::arg("starts"), py::arg("order"), py::arg("dy"));
  k.def("bag_forward", &bag_forward, isa, py::arg("mode"), v, rows, py::arg("padding"),
        py::arg("weights"));
  k.def("bag_backward", &bag_backward, isa, py::arg("mode"), v, rows, py::arg("padding"),
        py::arg("weights"), py::arg("chosen"), py::arg("y"), py::arg("dy"));
  k.def("gather_rows", &gather_rows, isa, py::arg("x"), py::arg("rows"));
  k.def("gather_bytes", &gather_bytes, isa, py::arg("x"), py::arg("rows"), py::arg("out"));
  k.def("dot_forward", &dot_forward, isa, py::arg("a"), py::arg("b"));
  k.def("dot_backward", &dot_backward, isa, py::arg("a"), py::arg("b"), py::arg("dy"));
  k.def("copy_columns", &copy_columns, isa, py::arg("x"), py::arg("out"));
  k.def("add", &combine<false>, isa, py::arg("a"), py::arg("b"), py::arg("out"));
  k.def("multiply", &combine<true>, isa, py::arg("a"), py::arg("b"), py::arg("out"));
  k.def("scale", &scale, isa, py::arg("x"), py::arg("factor"), py::arg("offset"), py::arg("out"));
  for (const auto& [name, kernel] :
       {std::pair{"dropout", &dropout}, std::pair{"gaussian_noise", &gaussian_noise}}) {
    k.def(name, kernel, isa, py::arg("x"), py::arg("amount"), py::arg("seed"), py::arg("step"),
          py::arg("stream"), py::arg("first") = 0);
  }
  bind_random(m, k);
}

}  // namespace fastnn
