#include "nn/network.h"

#include <algorithm>

#include "kernels/kernels.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

// A sigmoid at an output becomes a node of its own, so that a loss can start from the logits.
bool splits(const Node& node, bool is_output) {
  const bool activates = node.kind == "dense" || node.kind == "conv2d" || node.kind == "conv1d";
  return is_output && activates && node.config.word("activation", "") == "sigmoid";
}

bool marked(const std::vector<bool>& nodes, size_t node) { return !nodes.empty() && nodes[node]; }

Value input_value(const Node& node) {
  Value value;
  const auto shape = node.config.shapes.find("shape");
  if (shape != node.config.shapes.end()) value.shape = shape->second;
  for (int64_t axis : value.shape) {
    check(axis >= 1, node.name, ": expected axes of at least 1, got shape ",
          to_string(value.shape));
  }
  check(size_of(value.shape) < (int64_t{1} << 31), node.name,
        ": expected fewer than 2**31 numbers a row, got shape ", to_string(value.shape));
  const std::string type = node.config.word("dtype", "float");
  check(type == "float" || type == "ids", node.name, ": expected dtype float or ids, got ", type);
  value.ids = type == "ids";
  value.vocabulary = static_cast<int64_t>(number_within(node, "vocabulary", 0, 0, 2147483647.0));
  return value;
}

}  // namespace

template <class T>
Network<T>::Network(const std::vector<Node>& nodes, const std::vector<int>& described_outputs,
                    const Options& options)
    : options_(options) {
  check(options.convolution == "auto" || options.convolution == "direct" ||
            options.convolution == "winograd",
        "convolution: expected auto, direct or winograd, got ", options.convolution);
  check(options.precision == "float32" || options.precision == "bf16",
        "precision: expected float32 or bf16, got ", options.precision);
  check(options.precision == "float32" || sizeof(T) == 4,
        "precision: expected float32 for dtype float64, got ", options.precision);
  check(!described_outputs.empty(), "outputs: expected at least one, got none");
  for (size_t i = 0; i < nodes.size(); ++i) {
    Node node = nodes[i];
    for (size_t j = 0; j < i; ++j) {
      check(nodes[j].name != node.name, node.name,
            ": expected a name of its own, got a name in use");
    }
    for (int& input : node.inputs) {
      check(input >= 0 && input < static_cast<int>(i), node.name,
            ": expected inputs among earlier nodes, got position ", input);
      input = positions[static_cast<size_t>(input)];
    }
    const bool is_output = std::find(described_outputs.begin(), described_outputs.end(),
                                     static_cast<int>(i)) != described_outputs.end();
    if (splits(node, is_output)) {
      node.config.words["activation"] = "identity";
      add(node, static_cast<int>(i));
      Node activation{"activation", node.name, {n_nodes() - 1}, {}};
      activation.config.words["activation"] = "sigmoid";
      add(activation, static_cast<int>(i));
    } else {
      add(node, static_cast<int>(i));
    }
    positions.push_back(n_nodes() - 1);
  }
  for (int output : described_outputs) {
    check(output >= 0 && output < static_cast<int>(nodes.size()),
          "outputs: expected positions of nodes, got ", output);
    outputs.push_back(positions[static_cast<size_t>(output)]);
    const Value& value = values[static_cast<size_t>(outputs.back())];
    check(!value.ids, nodes[static_cast<size_t>(output)].name,
          ": expected numbers as an output, got ids");
  }
  plan_folds();
}

template <class T>
void Network<T>::add(Node node, int described) {
  node.config.words.emplace("convolution", options_.convolution);
  node.config.words.emplace("precision", options_.precision);
  consumers.emplace_back();
  names.push_back(node.name);
  if (node.kind == "input") return add_input(node);
  std::vector<Value> arguments;
  bool needed = false;
  for (int input : node.inputs) {
    arguments.push_back(values[static_cast<size_t>(input)]);
    needed = needed || needs_gradient[static_cast<size_t>(input)];
    consumers[static_cast<size_t>(input)].push_back(n_nodes());
  }
  check(!node.inputs.empty(), node.name, ": expected an input, got none");
  LayerPointer<T> layer = make_layer<T>(node, arguments);
  layer->position = n_nodes();
  layer->stream = static_cast<uint32_t>(Stream::kLayer) + 4U * static_cast<uint32_t>(described);
  check(layer->output.width() < (int64_t{1} << 31), node.name,
        ": expected fewer than 2**31 numbers a row, got shape ", to_string(layer->output.shape));
  if (const std::string owner = node.config.word("table", ""); !owner.empty()) {
    const auto found = std::find(names.begin(), names.end() - 1, owner);
    const auto at = static_cast<size_t>(found - names.begin());
    check(at + 1 < names.size() && layers[at] != nullptr && layers[at]->table() != nullptr,
          node.name, ": expected the name of an earlier table, got ", owner);
    layer->share_table(*layers[at]->table_parameter());
    needed = needed || layer->table_parameter()->trainable;
  }
  for (auto& parameter : layer->parameters) {
    needed = needed || parameter->trainable;
    parameters.push_back(parameter.get());
  }
  values.push_back(layer->output);
  needs_gradient.push_back(needed);
  layers.push_back(std::move(layer));
}

template <class T>
void Network<T>::add_input(const Node& node) {
  inputs.push_back(n_nodes());
  values.push_back(input_value(node));
  needs_gradient.push_back(false);
  layers.push_back(nullptr);
}

// A layer takes over its only user, and then that one's, as long as no output lies between. What a
// loss may start from, the value before an activation at an output, stays too.
template <class T>
void Network<T>::plan_folds() {
  const auto is_output = [this](int node) {
    return std::find(outputs.begin(), outputs.end(), node) != outputs.end();
  };
  folded_into.assign(layers.size(), -1);
  folds_.resize(layers.size());
  for (size_t node = 0; node < layers.size(); ++node) {
    if (layers[node] == nullptr || folded_into[node] >= 0) continue;
    for (auto last = static_cast<int>(node);;) {
      const std::vector<int>& users = consumers[static_cast<size_t>(last)];
      if (users.size() != 1 || is_output(last)) break;
      const Layer<T>& next = *layers[static_cast<size_t>(users[0])];
      if (is_output(users[0]) && !next.function().empty()) break;
      if (next.sources.size() != 1 || !layers[node]->folds(folds_[node], next)) break;
      last = users[0];
      folds_[node].push_back(&next);
      folded_into[static_cast<size_t>(last)] = static_cast<int>(node);
    }
  }
}

template <class T>
void Network<T>::fold() const {
  for (size_t node = 0; node < layers.size(); ++node) {
    if (!folds_[node].empty()) layers[node]->fold(folds_[node]);
  }
}

template <class T>
std::vector<bool> Network<T>::folded() const {
  std::vector<bool> folded;
  for (int by : folded_into) folded.push_back(by >= 0);
  return folded;
}

template <class T>
void Network<T>::forward(const Memory<T>& memory, const Pass<T>& pass, int64_t first, int64_t count,
                         const std::vector<bool>& idle, Span nodes) const {
  for (size_t node = nodes.begin; node < nodes.end; ++node) {
    if (layers[node] == nullptr || idle[node]) continue;
    layers[node]->forward(Rows<T>(*layers[node], memory, pass, first, count));
  }
}

template <class T>
int64_t Network<T>::scratch(int64_t rows, const std::vector<bool>& unused) const {
  int64_t most = 0;
  for (size_t node = 0; node < layers.size(); ++node) {
    if (layers[node] == nullptr || marked(unused, node)) continue;
    most = std::max(most, layers[node]->scratch(rows));
  }
  return most;
}

template <class T>
int64_t Network<T>::unit() const {
  int64_t unit = 1;
  for (const auto& layer : layers) {
    if (layer != nullptr) unit = std::max(unit, layer->unit);
  }
  return unit;
}

template <class T>
int64_t Network<T>::row_elements(const std::vector<bool>& unused) const {
  int64_t sum = 1;
  for (size_t node = 0; node < values.size(); ++node) {
    if (!marked(unused, node)) sum = checked_add(sum, checked_multiply(2, values[node].width()));
  }
  return sum;
}

template <class T>
double Network<T>::work(const std::vector<bool>& unused) const {
  double sum = 0;
  for (size_t node = 0; node < layers.size(); ++node) {
    if (layers[node] != nullptr && !marked(unused, node)) sum += layers[node]->work();
  }
  return sum;
}

// --- Arena ---------------------------------------------------------------------------------------

template <class T>
Arena<T>::Arena(const Network<T>& network, int64_t rows, const std::vector<int>& heads,
                const std::vector<bool>& unused)
    : rows_(rows) {
  plan_values(network, !heads.empty(), unused);
  if (!heads.empty()) plan_gradients(network, heads);
}

template <class T>
T* Arena<T>::take(int64_t elements) {
  pieces_.emplace_back(std::max<int64_t>(1, elements));
  return pieces_.back().data();
}

template <class T>
void Arena<T>::plan_values(const Network<T>& network, bool training,
                           const std::vector<bool>& unused) {
  const auto n = static_cast<size_t>(network.n_nodes());
  memory.values.assign(n, nullptr);
  memory.ids.assign(n, nullptr);
  memory.gradients.assign(n, nullptr);
  memory.extras.assign(n, nullptr);
  memory.shared.assign(n, nullptr);
  memory.marks.assign(n, nullptr);
  memory.edges.resize(n);
  for (size_t node = 0; node < n; ++node) {
    const Layer<T>* layer = network.layers[node].get();
    const int64_t width =
        marked(unused, node) ? 0 : checked_multiply(network.values[node].width(), rows_);
    if (layer == nullptr) {
      if (!training) continue;
      if (network.values[node].ids) {
        whole_pieces_.emplace_back(std::max<int64_t>(1, width));
        memory.ids[node] = whole_pieces_.back().data();
      } else {
        memory.values[node] = take(width);
      }
      continue;
    }
    memory.edges[node].assign(layer->sources.size(), nullptr);
    if (marked(unused, node)) continue;
    if (layer->alias()) {
      aliases_.emplace_back(node, static_cast<size_t>(layer->sources[0]));
    } else if (!training && network.folded_into[node] >= 0) {
      aliases_.emplace_back(node, static_cast<size_t>(network.folded_into[node]));
    } else {
      memory.values[node] = take(width);
    }
    if (training && layer->extra > 0) {
      const int64_t whole = (rows_ + layer->unit - 1) / layer->unit * layer->unit;
      memory.extras[node] = take(checked_multiply(layer->extra, whole));
    }
    if (training && layer->shared > 0) memory.shared[node] = take(layer->shared);
    if (layer->marks > 0) {
      whole_pieces_.emplace_back(checked_multiply(layer->marks, rows_));
      memory.marks[node] = whole_pieces_.back().data();
    }
  }
  follow_aliases();
}

template <class T>
void Arena<T>::follow_aliases() {
  for (const auto& [node, source] : aliases_) memory.values[node] = memory.values[source];
}

template <class T>
void Arena<T>::set_input(int node, const void* rows, bool ids) {
  if (ids) {
    memory.ids[static_cast<size_t>(node)] = static_cast<const int32_t*>(rows);
  } else {
    memory.values[static_cast<size_t>(node)] = const_cast<T*>(static_cast<const T*>(rows));
    follow_aliases();
  }
}

template <class T>
T* Arena<T>::own_input(int node, int64_t width) {
  Buffer<T>& own = own_inputs_[node];
  own.reserve(checked_multiply(rows_, width));
  return own.data();
}

// From the last node to the first, every use of a value gets its own gradient; the value's gradient
// is the first of them, to which backward adds the others. An alias shares its gradient with its
// use.
template <class T>
void Arena<T>::plan_gradients(const Network<T>& network, const std::vector<int>& heads) {
  head_gradients_.assign(heads.size(), nullptr);
  merged_.resize(network.layers.size());
  for (int node = network.n_nodes() - 1; node >= 0; --node) {
    const auto at = static_cast<size_t>(node);
    if (!network.needs_gradient[at]) continue;
    const int64_t size = checked_multiply(network.values[at].width(), rows_);
    std::vector<T*> uses;
    for (size_t user = at + 1; user < network.layers.size(); ++user) {
      if (network.layers[user] == nullptr || memory.gradients[user] == nullptr) continue;
      const Layer<T>& layer = *network.layers[user];
      for (size_t i = 0; i < layer.sources.size(); ++i) {
        if (layer.sources[i] != node) continue;
        memory.edges[user][i] = layer.alias() ? memory.gradients[user] : take(size);
        uses.push_back(memory.edges[user][i]);
      }
    }
    for (size_t head = 0; head < heads.size(); ++head) {
      if (heads[head] != node) continue;
      head_gradients_[head] = take(size);
      uses.push_back(head_gradients_[head]);
    }
    if (uses.empty()) continue;
    memory.gradients[at] = uses[0];
    merged_[at].assign(uses.begin() + 1, uses.end());
  }
}

template <class T>
void Arena<T>::merge(const Network<T>& network, const Kernels<T>& kernels, size_t node,
                     int64_t first, int64_t count) const {
  const int64_t width = network.values[node].width();
  T* own = memory.gradients[node] + first * width;
  for (const T* other : merged_[node]) {
    kernels.add(count * width, own, other + first * width, own);
  }
}

template <class T>
void Arena<T>::backward(const Network<T>& network, const Pass<T>& pass, int64_t first,
                        int64_t count, Span nodes) const {
  for (size_t node = nodes.end; node-- > nodes.begin;) {
    if (network.layers[node] == nullptr || memory.gradients[node] == nullptr) continue;
    // The gradient of a layer that mixes rows was merged when its rows were collected.
    const Layer<T>& layer = *network.layers[node];
    if (!layer.mixes_rows()) merge(network, pass.kernels, node, first, count);
    layer.backward(Rows<T>(layer, memory, pass, first, count));
  }
}

template class Network<float>;
template class Network<double>;
template class Arena<float>;
template class Arena<double>;

}  // namespace fastnn
