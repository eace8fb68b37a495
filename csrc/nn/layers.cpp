// The list of layers: name -> maker.
#include "nn/layer.h"

namespace fastnn {
namespace {

template <class T>
struct Entry {
  const char* kind;
  LayerPointer<T> (*make)(const Node&, const std::vector<Value>&);
};

template <class T>
const std::vector<Entry<T>>& entries() {
  static const std::vector<Entry<T>> all = {
      {"dense", make_dense<T>},
      {"embedding", make_embedding<T>},
      {"embedding_bag", make_embedding_bag<T>},
      {"dot", make_dot<T>},
      {"concatenate", make_concatenate<T>},
      {"add", make_add<T>},
      {"multiply", make_multiply<T>},
      {"flatten", make_flatten<T>},
      {"reshape", make_reshape<T>},
      {"activation", make_activation<T>},
      {"rescaling", make_rescaling<T>},
      {"dropout", make_dropout<T>},
      {"gaussian_noise", make_gaussian_noise<T>},
      {"activity_regularization", make_activity_regularization<T>},
  };
  return all;
}

}  // namespace

std::vector<std::string> layer_kinds() {
  std::vector<std::string> kinds = {"input"};
  for (const auto& entry : entries<float>()) kinds.emplace_back(entry.kind);
  return kinds;
}

template <class T>
LayerPointer<T> make_layer(const Node& node, const std::vector<Value>& inputs) {
  std::string names;
  for (const auto& entry : entries<T>()) {
    if (node.kind == entry.kind) return entry.make(node, inputs);
    names += std::string(names.empty() ? "" : ", ") + entry.kind;
  }
  check(false, node.name, ": expected a layer of kind ", names, ", got ", node.kind);
  return nullptr;
}

template LayerPointer<float> make_layer(const Node&, const std::vector<Value>&);
template LayerPointer<double> make_layer(const Node&, const std::vector<Value>&);

}  // namespace fastnn
