// The engine: descriptions and arrays in, arrays and reports out. No logic lives here.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/signals.h"
#include "nn/engine.h"

namespace py = pybind11;

namespace fastnn {
namespace {

using Arrays = std::vector<py::array>;
template <class T>
using NamedArrays = std::map<std::string, py::array_t<T>>;

Config to_config(const py::dict& settings) {
  Config config;
  for (const auto& [key, value] : settings) {
    const auto name = py::cast<std::string>(key);
    if (py::isinstance<py::str>(value)) {
      config.words[name] = py::cast<std::string>(value);
    } else if (py::isinstance<py::tuple>(value)) {
      config.shapes[name] = py::cast<Shape>(value);
    } else {
      config.numbers[name] = py::cast<double>(value);
    }
  }
  return config;
}

Spec to_spec(const py::handle& spec) {
  return {py::cast<std::string>(spec.attr("kind")), to_config(py::dict(spec.attr("config")))};
}

Node to_node(const py::handle& node) {
  return {py::cast<std::string>(node.attr("kind")), py::cast<std::string>(node.attr("name")),
          py::cast<std::vector<int>>(node.attr("inputs")),
          to_config(py::dict(node.attr("config")))};
}

std::vector<int64_t> with_rows(int64_t n, const Shape& row) {
  std::vector<int64_t> shape = {n};
  shape.insert(shape.end(), row.begin(), row.end());
  return shape;
}

template <class T>
py::array_t<T> copy_of(const T* values, const Shape& shape) {
  py::array_t<T> copy = new_array<T>(shape);
  std::copy_n(values, size_of(shape), copy.mutable_data());
  return copy;
}

// Checked views of the inputs; the arrays outlive the call.
template <class T>
Examples<T> to_inputs(const Engine<T>& engine, const Arrays& arrays) {
  const Network<T>& network = engine.network();
  check(arrays.size() == network.inputs.size(), "x: expected ", network.inputs.size(),
        " inputs, got ", arrays.size());
  Examples<T> examples;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const auto node = static_cast<size_t>(network.inputs[i]);
    const Value& value = network.values[node];
    const int64_t rows = i == 0 ? kAny : examples.n;
    const auto shape = with_rows(rows, value.shape);
    const std::string& name = network.names[node];
    examples.bytes.push_back(!value.ids && holds<uint8_t>(arrays[i]));
    if (value.ids) {
      examples.inputs.push_back(input<int32_t>(arrays[i], name, shape));
    } else if (examples.bytes.back()) {
      examples.inputs.push_back(input<uint8_t>(arrays[i], name, shape));
    } else {
      examples.inputs.push_back(input<T>(arrays[i], name, shape));
    }
    if (i == 0) examples.n = arrays[0].shape(0);
  }
  return examples;
}

template <class T>
Examples<T> to_examples(const Engine<T>& engine, const Arrays& inputs, const Arrays& targets,
                        const std::optional<py::array>& weights) {
  check(engine.compiled(), "model: expected compile() before this call");
  Examples<T> examples = to_inputs(engine, inputs);
  check(targets.size() == engine.heads().size(), "y: expected ", engine.heads().size(),
        " targets, got ", targets.size());
  for (size_t h = 0; h < targets.size(); ++h) {
    const Head<T>& head = engine.heads()[h];
    const Shape& shape = engine.network().values[static_cast<size_t>(head.output)].shape;
    examples.targets.push_back(
        head.labels
            ? static_cast<const void*>(input<int32_t>(targets[h], "y", {examples.n}))
            : static_cast<const void*>(input<T>(targets[h], "y", with_rows(examples.n, shape))));
  }
  if (weights) examples.weights = input<T>(*weights, "sample_weight", {examples.n});
  return examples;
}

template <class T>
py::dict to_dict(const Report& report, const Engine<T>& engine) {
  std::vector<std::vector<double>> metrics;  // per output
  auto next = report.metrics.begin();
  for (const Head<T>& head : engine.heads()) {
    const auto end = next + static_cast<std::ptrdiff_t>(head.metrics.size());
    metrics.emplace_back(next, end);
    next = end;
  }
  py::dict result;
  result["loss"] = report.loss;
  result["losses"] = report.losses;
  result["metrics"] = metrics;
  result["weight"] = report.weight;
  result["steps"] = report.steps;
  result["n_examples"] = report.examples;
  result["interrupted"] = report.interrupted;
  result["diverged"] = report.diverged;
  return result;
}

template <class T>
py::dict train(Engine<T>& engine, const Arrays& inputs, const Arrays& targets,
               const std::optional<py::array>& weights, int64_t batch_size, bool shuffle,
               uint64_t seed, int64_t epoch, int64_t first_step, const std::vector<double>& rates,
               int threads, const py::object& poll) {
  const Examples<T> examples = to_examples(engine, inputs, targets, weights);
  SignalPoll ask(poll);
  const Run run{batch_size, shuffle, seed,    epoch,
                first_step, rates,   threads, [&] { return ask(); }};
  Report report;
  {
    const py::gil_scoped_release released;
    report = engine.train(examples, run);
  }
  py::dict result = to_dict(report, engine);
  result["exception"] = ask.exception();
  return result;
}

template <class T>
py::dict evaluate(Engine<T>& engine, const Arrays& inputs, const Arrays& targets,
                  const std::optional<py::array>& weights, int64_t /*batch_size*/, int threads) {
  const Examples<T> examples = to_examples(engine, inputs, targets, weights);
  SignalPoll ask;
  Report report;
  {
    const py::gil_scoped_release released;
    report = engine.evaluate(examples, threads, [&] { return ask(); });
  }
  ask.raise();
  return to_dict(report, engine);
}

// The outputs; none of them if asked to look for inputs that are not finite, and there is one.
template <class T>
std::vector<py::array_t<T>> outputs_of(Engine<T>& engine, const Arrays& inputs, int threads,
                                       bool finite) {
  const Examples<T> examples = to_inputs(engine, inputs);
  std::vector<py::array_t<T>> outputs;
  std::vector<T*> pointers;
  for (int node : engine.network().outputs) {
    const Shape& row = engine.network().values[static_cast<size_t>(node)].shape;
    outputs.push_back(new_array<T>(with_rows(examples.n, row)));
    pointers.push_back(outputs.back().mutable_data());
  }
  SignalPoll ask;
  bool done = false;
  {
    const py::gil_scoped_release released;
    done = engine.predict(examples, threads, pointers, finite, [&] { return ask(); });
  }
  ask.raise();
  if (!done) outputs.clear();
  return outputs;
}

template <class T>
std::vector<py::array_t<T>> predict(Engine<T>& engine, const Arrays& inputs, int64_t /*batch_size*/,
                                    int threads) {
  return outputs_of(engine, inputs, threads, false);
}

// The way of one small request: x as it is, if it can be used so; None sends it the long way, where
// it is converted or refused in words.
template <class T>
py::object predict_ready(Engine<T>& engine, const py::object& x) {
  const Network<T>& network = engine.network();
  if (network.inputs.size() != 1 || network.outputs.size() != 1) return py::none();
  const Value& value = network.values[static_cast<size_t>(network.inputs[0])];
  if (value.ids) return py::none();
  // Subclasses have meanings of their own.
  if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_) {
    return py::none();
  }
  const auto array = py::reinterpret_borrow<py::array>(x);
  if (!is_ready<T>(array, with_rows(kAny, value.shape)) || array.size() == 0) return py::none();
  const std::vector<py::array_t<T>> outputs = outputs_of(engine, {array}, 0, true);
  return outputs.empty() ? py::none() : py::object(outputs[0]);
}

template <class T>
std::pair<double, NamedArrays<T>> gradients(Engine<T>& engine, const Arrays& inputs,
                                            const Arrays& targets,
                                            const std::optional<py::array>& weights) {
  const Examples<T> examples = to_examples(engine, inputs, targets, weights);
  std::map<std::string, std::vector<T>> found;
  double loss = 0;
  {
    const py::gil_scoped_release released;
    loss = engine.gradients(examples, found);
  }
  NamedArrays<T> arrays;
  for (const auto& [name, values] : found) {
    arrays[name] = copy_of(values.data(), engine.parameter(name).shape);
  }
  return {loss, arrays};
}

// Takes a lock of the model without the interpreter: whoever holds it may need Python to go on.
template <class Lock, class T>
Lock locked(Engine<T>& engine) {
  const py::gil_scoped_release released;
  return Lock(engine.mutex());
}

using Reading = std::shared_lock<std::shared_mutex>;
using Writing = std::unique_lock<std::shared_mutex>;

template <class T>
py::dict state(Engine<T>& engine) {
  const auto lock = locked<Reading>(engine);
  py::dict arrays;
  arrays["step"] = engine.step();
  for (const Parameter<T>* parameter : engine.parameters()) {
    for (int slot = 0; slot < 3; ++slot) {
      if (parameter->slots[slot].size() == 0) continue;
      const std::string name = parameter->name + ":" + engine.optimizer().slot_names[slot];
      arrays[py::str(name)] = copy_of(parameter->slots[slot].data(), parameter->slot_shape());
    }
  }
  return arrays;
}

// All arrays are checked before the first is copied.
template <class T>
void set_state(Engine<T>& engine, const py::dict& arrays) {
  check(arrays.contains("step"), "state: expected step, got nothing");
  const auto step = py::cast<int64_t>(arrays["step"]);
  check(step >= 0, "step: expected at least 0, got ", step);
  const auto lock = locked<Writing>(engine);
  std::vector<std::pair<Buffer<T>*, const T*>> copies;
  for (Parameter<T>* parameter : engine.parameters()) {
    for (int slot = 0; slot < 3; ++slot) {
      if (parameter->slots[slot].size() == 0) continue;
      const std::string name = parameter->name + ":" + engine.optimizer().slot_names[slot];
      check(arrays.contains(name), "state: expected ", name, ", got nothing");
      const auto array = py::cast<py::array>(arrays[py::str(name)]);
      copies.emplace_back(&parameter->slots[slot], input<T>(array, name, parameter->slot_shape()));
    }
  }
  check(copies.size() + 1 == arrays.size(), "state: expected ", copies.size() + 1, " entries, got ",
        arrays.size());
  for (const auto& [slot, values] : copies) std::copy_n(values, slot->size(), slot->data());
  engine.set_step(step);
}

template <class T>
std::unique_ptr<Engine<T>> make_engine(const py::list& nodes, const std::vector<int>& outputs,
                                       const std::string& convolution,
                                       const std::string& precision) {
  std::vector<Node> described;
  for (const auto& node : nodes) described.push_back(to_node(node));
  return std::make_unique<Engine<T>>(described, outputs, Options{convolution, precision});
}

template <class T>
std::vector<py::tuple> shapes(const Engine<T>& engine) {
  std::vector<py::tuple> shapes;
  for (const Shape& shape : engine.shapes()) shapes.push_back(py::tuple(py::cast(shape)));
  return shapes;
}

template <class T>
std::vector<std::pair<std::string, py::tuple>> parameters(const Engine<T>& engine) {
  std::vector<std::pair<std::string, py::tuple>> list;
  for (const auto* p : engine.parameters()) {
    list.emplace_back(p->name, py::tuple(py::cast(p->shape)));
  }
  return list;
}

template <class T>
py::array_t<T> get(Engine<T>& engine, const std::string& parameter) {
  const auto lock = locked<Reading>(engine);
  const Parameter<T>& found = engine.parameter(parameter);
  py::array_t<T> copy = new_array<T>(found.shape);
  found.read(0, found.size(), copy.mutable_data());
  return copy;
}

template <class T>
void set(Engine<T>& engine, const std::string& parameter, const py::array& array) {
  const auto lock = locked<Writing>(engine);
  const Parameter<T>& held = engine.parameter(parameter);
  engine.set(parameter, 0, held.size(), input<T>(array, parameter, held.shape));
}

// Rows first .. of a parameter, so that initial values need no copy of it.
template <class T>
void set_rows(Engine<T>& engine, const std::string& parameter, int64_t first,
              const py::array& array) {
  const auto lock = locked<Writing>(engine);
  Shape shape = engine.parameter(parameter).shape;
  const int64_t rows = shape[0], width = size_of(shape) / rows;
  shape[0] = kAny;
  const T* values = input<T>(array, parameter, shape);
  check(first >= 0 && first <= rows - array.shape(0), "first: expected rows within ", rows,
        ", got ", array.shape(0), " from ", first);
  engine.set(parameter, first * width, array.shape(0) * width, values);
}

// Whether a parameter has its values already, from a file.
template <class T>
bool kept(Engine<T>& engine, const std::string& parameter) {
  return engine.parameter(parameter).kept;
}

template <class T>
std::pair<double, double> norms(Engine<T>& engine, const std::string& parameter) {
  const auto lock = locked<Reading>(engine);
  const py::gil_scoped_release released;
  return engine.norms(parameter);
}

template <class T>
void compile(Engine<T>& engine, const py::list& losses, const std::vector<double>& loss_weights,
             const py::object& optimizer, const std::vector<std::vector<std::string>>& metrics) {
  std::vector<Spec> specs;
  for (const auto& loss : losses) specs.push_back(to_spec(loss));
  const Spec rule = to_spec(optimizer);
  const py::gil_scoped_release released;
  engine.compile(specs, loss_weights, rule, metrics);
}

template <class T>
void exclude_negatives(Engine<T>& engine, int64_t input_position, const py::array& indptr,
                       const py::array& indices) {
  const auto* starts = input<int64_t>(indptr, "indptr", {kAny});
  check(indptr.size() > 0 && starts[0] == 0 && starts[indptr.size() - 1] == indices.size(),
        "indptr: expected positions from 0 to ", indices.size());
  const auto* classes = input<int32_t>(indices, "indices", {kAny});
  const py::gil_scoped_release released;
  engine.exclude_negatives(input_position, starts, indptr.size(), classes);
}

template <class T>
void bind_engine(py::module_& m, const char* name) {
  py::class_<Engine<T>>(m, name)
      .def(py::init(&make_engine<T>), py::arg("nodes"), py::arg("outputs"),
           py::arg("convolution") = "auto", py::arg("precision") = "float32")
      .def("shapes", &shapes<T>)
      .def("parameters", &parameters<T>)
      .def("get", &get<T>, py::arg("name"))
      .def("set", &set<T>, py::arg("name"), py::arg("array"))
      .def("set_rows", &set_rows<T>, py::arg("name"), py::arg("first"), py::arg("array"))
      .def("kept", &kept<T>, py::arg("name"))
      .def("norms", &norms<T>, py::arg("name"))
      .def("compile", &compile<T>, py::arg("losses"), py::arg("loss_weights"), py::arg("optimizer"),
           py::arg("metrics"))
      .def("exclude_negatives", &exclude_negatives<T>, py::arg("position"), py::arg("indptr"),
           py::arg("indices"))
      .def("state", &state<T>)
      .def("set_state", &set_state<T>, py::arg("state"))
      .def("train", &train<T>, py::arg("inputs"), py::arg("targets"), py::arg("weights"),
           py::arg("batch_size"), py::arg("shuffle"), py::arg("seed"), py::arg("epoch"),
           py::arg("first_step"), py::arg("rates"), py::arg("threads") = 0,
           py::arg("poll") = py::none())
      .def("evaluate", &evaluate<T>, py::arg("inputs"), py::arg("targets"), py::arg("weights"),
           py::arg("batch_size") = 0, py::arg("threads") = 0)
      .def("predict_ready", &predict_ready<T>, py::arg("x"))
      .def("predict", &predict<T>, py::arg("inputs"), py::arg("batch_size") = 0,
           py::arg("threads") = 0)
      .def("gradients", &gradients<T>, py::arg("inputs"), py::arg("targets"), py::arg("weights"));
}

}  // namespace

void bind_model(py::module_& m) {
  bind_engine<float>(m, "Engine32");
  bind_engine<double>(m, "Engine64");
  m.def(
      "Engine",
      [](const py::object& nodes, const py::object& outputs, const std::string& dtype,
         const std::string& convolution, const std::string& precision) {
        check(dtype == "float32" || dtype == "float64", "dtype: expected float32 or float64, got ",
              dtype);
        const py::module_ core = py::module_::import("fastnn._core");
        return core.attr(dtype == "float32" ? "Engine32" : "Engine64")(nodes, outputs, convolution,
                                                                       precision);
      },
      py::arg("nodes"), py::arg("outputs"), py::arg("dtype") = "float32",
      py::arg("convolution") = "auto", py::arg("precision") = "float32");
  m.def("layer_kinds", &layer_kinds);
  m.def("metrics", &metric_names);
  m.def("sampled_losses", &sampled_loss_names);
  m.def("default_threads", &default_threads);
  m.def("set_threads", &set_threads, py::arg("threads"));
}

}  // namespace fastnn
