// A planned graph: layers in order, shapes, parameters; and passes over rows.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/layer.h"

namespace fastnn {

// Choices of speed and rounding that hold for every layer (docs/design.md, section 3).
struct Options {
  std::string convolution = "auto", precision = "float32";
};

// Nodes begin .. end of a network.
struct Span {
  size_t begin, end;
};

template <class T>
class Network {
 public:
  // Refuses a graph that does not fit, naming the node and both shapes.
  Network(const std::vector<Node>& nodes, const std::vector<int>& outputs,
          const Options& options = {});

  // Layers forward over `count` rows from `first`; nodes marked idle are left out.
  void forward(const Memory<T>& memory, const Pass<T>& pass, int64_t first, int64_t count,
               const std::vector<bool>& idle, Span nodes) const;
  void forward(const Memory<T>& memory, const Pass<T>& pass, int64_t first, int64_t count,
               const std::vector<bool>& idle) const {
    forward(memory, pass, first, count, idle, {0, layers.size()});
  }

  // Lets layers take over the work of those folded into them, with the weights of now.
  void fold() const;
  // Nodes whose work others do in prediction; their values are those others' values.
  std::vector<bool> folded() const;

  int n_nodes() const { return static_cast<int>(values.size()); }
  int64_t scratch(int64_t rows, const std::vector<bool>& unused = {}) const;  // for one thread
  int64_t unit() const;                                              // the largest of the layers
  int64_t row_elements(const std::vector<bool>& unused = {}) const;  // values and gradients
  double work(const std::vector<bool>& unused = {}) const;  // operations of a row of a step

  std::vector<Value> values;            // by node
  std::vector<LayerPointer<T>> layers;  // by node; null for inputs
  std::vector<std::string> names;       // by node
  std::vector<int> inputs, outputs;     // nodes
  std::vector<int> positions;           // node of each described node
  std::vector<bool> needs_gradient;     // a trainable parameter lies at or before the node
  std::vector<std::vector<int>> consumers;
  std::vector<Parameter<T>*> parameters;
  std::vector<int> folded_into;  // by node, in prediction: who does its work, or -1

 private:
  void add(Node node, int described);
  void add_input(const Node& node);
  void plan_folds();

  const Options options_;
  std::vector<std::vector<const Layer<T>*>> folds_;  // by node: the layers folded into it, in order
};

// The memory of a batch of `rows` rows, all in one piece.
template <class T>
class Arena {
 public:
  // heads: the nodes whose gradient a loss writes; with none, no gradients are planned and inputs
  // are borrowed (set_input), not copied. Nodes that are unused have no memory.
  Arena(const Network<T>& network, int64_t rows, const std::vector<int>& heads,
        const std::vector<bool>& unused = {});

  // The backward pass over rows, from the last node to the first; the losses have written
  // head_gradient(h).
  void backward(const Network<T>& network, const Pass<T>& pass, int64_t first, int64_t count,
                Span nodes) const;
  // The gradient of a node's output, once its users have written theirs.
  void merge(const Network<T>& network, const Kernels<T>& kernels, size_t node, int64_t first,
             int64_t count) const;

  T* head_gradient(size_t head) const { return head_gradients_[head]; }
  void set_input(int node, const void* rows, bool ids);
  // A place for rows that are converted, when inputs are borrowed.
  T* own_input(int node, int64_t width);
  // Copies of inputs, filled by gathering.
  T* input_rows(int node) const { return memory.values[static_cast<size_t>(node)]; }
  int32_t* input_ids(int node) const {
    return const_cast<int32_t*>(memory.ids[static_cast<size_t>(node)]);
  }

  Memory<T> memory;

 private:
  void plan_values(const Network<T>& network, bool training, const std::vector<bool>& unused);
  void plan_gradients(const Network<T>& network, const std::vector<int>& heads);
  T* take(int64_t elements);
  void follow_aliases();

  int64_t rows_;
  std::vector<Buffer<T>> pieces_;
  std::map<int, Buffer<T>> own_inputs_;
  std::vector<Buffer<int32_t>> whole_pieces_;
  std::vector<T*> head_gradients_;
  std::vector<std::vector<T*>> merged_;             // by node: further gradients to add to its own
  std::vector<std::pair<size_t, size_t>> aliases_;  // nodes that share the values of another
};

}  // namespace fastnn
