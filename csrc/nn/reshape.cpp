// Flatten and Reshape: the same numbers under another shape.
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

template <class T>
class Alias : public Layer<T> {
 public:
  Alias(const Node& node, const std::vector<Value>& inputs, const Shape& shape)
      : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, 1);
    check_floats(node, inputs[0]);
    for (int64_t axis : shape) {
      check(axis >= 1, node.name, ": expected axes of at least 1, got shape ", to_string(shape));
    }
    check(size_of(shape) == inputs[0].width(), node.name, ": expected a shape of ",
          inputs[0].width(), " elements for the input ", to_string(inputs[0].shape), ", got ",
          to_string(shape));
    this->output.shape = shape;
  }
  void forward(const Rows<T>&) const override {}
  void backward(const Rows<T>&) const override {}
  bool alias() const override { return true; }
  double work() const override { return 0; }
};

template <class T>
LayerPointer<T> make_flatten(const Node& node, const std::vector<Value>& inputs) {
  check_inputs(node, inputs, 1, 1);
  return std::make_unique<Alias<T>>(node, inputs, Shape{inputs[0].width()});
}

template <class T>
LayerPointer<T> make_reshape(const Node& node, const std::vector<Value>& inputs) {
  const auto found = node.config.shapes.find("shape");
  check(found != node.config.shapes.end(), node.name, ": expected a shape, got nothing");
  return std::make_unique<Alias<T>>(node, inputs, found->second);
}

}  // namespace

const Maker kFlatten{make_flatten<float>, make_flatten<double>};
const Maker kReshape{make_reshape<float>, make_reshape<double>};

}  // namespace fastnn
