// A planned graph: layers in order, shapes, parameters; and passes over rows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/layer.h"

namespace fastnn {

template <class T>
class Network {
 public:
  // Refuses a graph that does not fit, naming the node and both shapes.
  Network(const std::vector<Node>& nodes, const std::vector<int>& outputs);

  // All layers forward over `count` rows from `first`; nodes marked idle are left out.
  void forward(const Memory<T>& memory, const Pass<T>& pass, int64_t first, int64_t count,
               const std::vector<bool>& idle) const;

  int n_nodes() const { return static_cast<int>(values.size()); }
  int64_t scratch(int64_t rows) const;  // elements one thread needs
  int64_t row_elements() const;         // of all values and gradients
  double work() const;                  // operations per row of a training step

  std::vector<Value> values;            // by node
  std::vector<LayerPointer<T>> layers;  // by node; null for inputs
  std::vector<std::string> names;       // by node
  std::vector<int> inputs, outputs;     // nodes
  std::vector<int> positions;           // node of each described node
  std::vector<bool> needs_gradient;     // a trainable parameter lies at or before the node
  std::vector<std::vector<int>> consumers;
  std::vector<Parameter<T>*> parameters;

 private:
  void add(const Node& node, int described);
  void add_input(const Node& node);
};

// The memory of a batch of `rows` rows, all in one piece.
template <class T>
class Arena {
 public:
  // heads: the nodes whose gradient a loss writes; with none, no gradients are planned and inputs
  // are borrowed (set_input), not copied.
  Arena(const Network<T>& network, int64_t rows, const std::vector<int>& heads);

  // The backward pass over rows whose losses have written head_gradient(h).
  void backward(const Network<T>& network, const Pass<T>& pass, int64_t first, int64_t count) const;

  T* head_gradient(size_t head) const { return head_gradients_[head]; }
  void set_input(int node, const void* rows, bool ids);
  // Copies of inputs, filled by gathering.
  T* input_rows(int node) const { return memory.values[static_cast<size_t>(node)]; }
  int32_t* input_ids(int node) const {
    return const_cast<int32_t*>(memory.ids[static_cast<size_t>(node)]);
  }

  Memory<T> memory;

 private:
  void plan_values(const Network<T>& network, bool training);
  void plan_gradients(const Network<T>& network, const std::vector<int>& heads);
  T* take(int64_t elements);
  void follow_aliases();

  int64_t rows_;
  std::vector<Buffer<T>> pieces_;
  std::vector<Buffer<int32_t>> whole_pieces_;
  std::vector<T*> head_gradients_;
  std::vector<std::vector<T*>> merged_;             // by node: further gradients to add to its own
  std::vector<std::pair<size_t, size_t>> aliases_;  // nodes that share the values of another
};

}  // namespace fastnn
