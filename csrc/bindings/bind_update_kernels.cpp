// _core.kernels: optimizer steps on parameters and on rows of tables.
#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/kernel_arguments.h"
#include "nn/missed.h"
#include "nn/optimizer.h"

namespace py = pybind11;

namespace fastnn {
namespace {

// Settings by their names in UpdateStep; those left out are zero, gradient_scale one.
template <class T>
UpdateStep<T> update_step(const std::map<std::string, double>& settings) {
  UpdateStep<T> step{};
  step.gradient_scale = 1;
  const std::map<std::string, T UpdateStep<T>::*> numbers = {
      {"rate", &UpdateStep<T>::rate},
      {"weight_decay", &UpdateStep<T>::weight_decay},
      {"l1", &UpdateStep<T>::l1},
      {"l2", &UpdateStep<T>::l2},
      {"clip_value", &UpdateStep<T>::clip_value},
      {"gradient_scale", &UpdateStep<T>::gradient_scale},
      {"momentum", &UpdateStep<T>::momentum},
      {"decay_1", &UpdateStep<T>::decay_1},
      {"decay_2", &UpdateStep<T>::decay_2},
      {"correction_1", &UpdateStep<T>::correction_1},
      {"correction_2", &UpdateStep<T>::correction_2},
      {"epsilon", &UpdateStep<T>::epsilon},
      {"strength_1", &UpdateStep<T>::strength_1},
      {"strength_2", &UpdateStep<T>::strength_2},
      {"beta", &UpdateStep<T>::beta},
      {"power", &UpdateStep<T>::power}};
  const std::map<std::string, bool UpdateStep<T>::*> choices = {
      {"nesterov", &UpdateStep<T>::nesterov},
      {"centered", &UpdateStep<T>::centered},
      {"rowwise", &UpdateStep<T>::rowwise}};
  for (const auto& [name, value] : settings) {
    if (choices.count(name) == 1) {
      step.*choices.at(name) = value != 0;
    } else {
      check(numbers.count(name) == 1, "settings: expected fields of UpdateStep, got ", name);
      step.*numbers.at(name) = static_cast<T>(value);
    }
  }
  return step;
}

Optimizer optimizer_kind(const std::string& optimizer) {
  const auto kind = named<int>(optimizer_names(), optimizer, "optimizer");
  return static_cast<Optimizer>(
      std::min(kind, static_cast<int>(Optimizer::kAdam)));  // adamw is adam
}

// The three slots of w; null for None.
template <class T>
std::array<T*, 3> slot_pointers(std::vector<Optional>& slots, const Shape& shape) {
  check(slots.size() == 3, "slots: expected 3, got ", slots.size());
  std::array<T*, 3> pointers{};
  for (size_t i = 0; i < 3; ++i) {
    pointers[i] = slots[i] ? output<T>(*slots[i], "slots", shape) : nullptr;
  }
  return pointers;
}

// Changes w and the slots in place.
void update(const std::string& isa, const std::string& optimizer,
            const std::map<std::string, double>& settings, py::array& w,
            std::vector<Optional> slots, const py::array& g, bool stream) {
  by_type(w, "w", [&](auto zero) {
    using T = decltype(zero);
    const Shape shape = shape_of(w);
    const auto s = slot_pointers<T>(slots, shape);
    table<T>(isa).update(optimizer_kind(optimizer), update_step<T>(settings), w.size(),
                         output<T>(w, "w", shape), s[0], s[1], s[2], input<T>(g, "g", shape),
                         stream);
  });
}

// The same for some rows, each at most once, of a table w[v, d].
void update_rows(const std::string& isa, const std::string& optimizer,
                 const std::map<std::string, double>& settings, const py::array& rows, py::array& w,
                 std::vector<Optional> slots, const py::array& g) {
  by_type(w, "w", [&](auto zero) {
    using T = decltype(zero);
    const auto [v, d] = matrix(w, "w");
    const int64_t count = rows.size();
    const auto step = update_step<T>(settings);
    const auto s = slot_pointers<T>(slots, step.rowwise ? Shape{v} : Shape{v, d});
    table<T>(isa).update_rows(optimizer_kind(optimizer), step, count, 0, d,
                              ids(rows, "rows", count, v), output<T>(w, "w", {v, d}), s[0], s[1],
                              s[2], input<T>(g, "g", {count, d}));
  });
}

// The same for a table held as bfloat16, the upper halves of float32 numbers. noise: seed, step and
// stream of its random words.
void update_rows_bf16(const std::string& isa, const std::string& optimizer,
                      const std::map<std::string, double>& settings, const py::array& rows,
                      py::array& w, std::vector<Optional> slots, const py::array& g,
                      const std::tuple<uint64_t, uint32_t, uint32_t>& noise) {
  const auto [v, d] = matrix(w, "w");
  const int64_t count = rows.size();
  const auto step = update_step<float>(settings);
  const auto s = slot_pointers<float>(slots, step.rowwise ? Shape{v} : Shape{v, d});
  const auto [seed, number, stream] = noise;
  table<float>(isa).update_rows_bf16(optimizer_kind(optimizer), step, count, 0, d,
                                     ids(rows, "rows", count, v), output<uint16_t>(w, "w", {v, d}),
                                     s[0], s[1], s[2], input<float>(g, "g", {count, d}),
                                     {seed, number, stream});
}

// y[i, d] = w[ids[i], d] of such a table.
py::array gather_bf16(const std::string& isa, const py::array& w, const py::array& rows) {
  const auto [v, d] = matrix(w, "table");
  auto y = new_array<float>({rows.size(), d});
  table<float>(isa).gather_bf16(rows.size(), d, input<uint16_t>(w, "table", {v, d}),
                                ids(rows, "ids", rows.size(), v), y.mutable_data(), d);
  return y;
}

// Brings rows of w[v, d], which have seen the steps before last[v] of a run that began with step t,
// to its end. settings are those of the optimizer.
void catch_up_rows(const std::string& isa, const std::string& optimizer,
                   const std::map<std::string, double>& settings, const std::vector<double>& rates,
                   int64_t t, const std::pair<double, double>& penalties, const py::array& rows,
                   py::array& last, py::array& w, std::vector<Optional> slots) {
  by_type(w, "w", [&](auto zero) {
    using T = decltype(zero);
    const auto [v, d] = matrix(w, "w");
    const OptimizerPlan plan = plan_optimizer({optimizer, {settings, {}, {}}});
    MissedSteps<T> missed(plan, penalties.first, penalties.second);
    missed.begin(rates);
    for (double rate : rates) missed.record(update_step<T>(plan, rate, t++));
    const auto n = static_cast<int64_t>(rates.size());
    const auto s = slot_pointers<T>(slots, plan.rowwise ? Shape{v} : Shape{v, d});
    table<T>(isa).catch_up_rows(
        plan.kind, missed.until(n, n), rows.size(), d, ids(rows, "rows", rows.size(), v),
        output<int32_t>(last, "last", {v}), output<T>(w, "w", {v, d}), s[0], s[1], s[2]);
  });
}

// Changes g in place.
void regularize(const std::string& isa, const py::array& w, double l2, double clip_value,
                py::array& g) {
  by_type(w, "w", [&](auto zero) {
    using T = decltype(zero);
    table<T>(isa).regularize(w.size(), input<T>(w, "w"), static_cast<T>(l2),
                             static_cast<T>(clip_value), output<T>(g, "g", shape_of(w)));
  });
}

// Changes rows of w in place.
void random_rows(const std::string& isa, py::array& w, const py::array& rows) {
  const auto [v, d] = matrix(w, "w");
  const int64_t n = rows.size();
  const int32_t* at = ids(rows, "rows", n, v);
  float* to = output<float>(w, "w", {v, d});
  const Kernels<float>& kernels = table<float>(isa);
  const py::gil_scoped_release released;
  kernels.random_rows(n, d, at, to);
}

}  // namespace

void bind_update_kernels(py::module_& k) {
  const auto isa = py::arg("isa");
  k.def("update_rows", &update_rows, isa, py::arg("optimizer"), py::arg("settings"),
        py::arg("rows"), py::arg("w"), py::arg("slots"), py::arg("g"));
  k.def("update", &update, isa, py::arg("optimizer"), py::arg("settings"), py::arg("w"),
        py::arg("slots"), py::arg("g"), py::arg("stream") = false);
  k.def("regularize", &regularize, isa, py::arg("w"), py::arg("l2"), py::arg("clip_value"),
        py::arg("g"));
  k.def("update_rows_bf16", &update_rows_bf16, isa, py::arg("optimizer"), py::arg("settings"),
        py::arg("rows"), py::arg("w"), py::arg("slots"), py::arg("g"), py::arg("noise"));
  k.def("gather_bf16", &gather_bf16, isa, py::arg("table"), py::arg("ids"));
  k.def("catch_up_rows", &catch_up_rows, isa, py::arg("optimizer"), py::arg("settings"),
        py::arg("rates"), py::arg("t"), py::arg("penalties"), py::arg("rows"), py::arg("last"),
        py::arg("w"), py::arg("slots"));
  k.def("random_rows", &random_rows, isa, py::arg("w"), py::arg("rows"));
}

}  // namespace fastnn
