// Activation: an elementwise function or softmax over the last axis.
#include "nn/activation.h"

#include <iterator>

#include "kernels/activations.h"
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {

std::vector<std::string> activation_names() {
  // Every instruction set holds the same list.
  const auto& elementwise = baseline::Activations::names;
  std::vector<std::string> names(std::begin(elementwise), std::end(elementwise));
  names.emplace_back("softmax");
  return names;
}

Activation elementwise_activation(const Node& node, const std::string& otherwise) {
  const std::string wanted = node.config.word("activation", otherwise);
  const auto names = activation_names();
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (wanted == names[i] && wanted != "softmax") return static_cast<Activation>(i);
    list += (i > 0 ? ", " : "") + names[i];
  }
  check(wanted != "softmax", node.name, ": expected softmax as a layer of its own, got it fused");
  check(false, node.name, ": expected activation to be one of ", list, ", got ", wanted);
  return Activation::kIdentity;
}

namespace {

template <class T>
class Elementwise : public Layer<T> {
 public:
  Elementwise(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    function_ = elementwise_activation(node, "identity");
  }

  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.activation_forward(function_, rows.count * this->output.width(),
                                         rows.input(0), rows.output());
  }

  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) {
      rows.pass.kernels.activation_backward(function_, rows.count * this->output.width(),
                                            rows.input(0), rows.output(), rows.output_gradient(),
                                            dx);
    }
  }

  std::string function() const override {
    return activation_names()[static_cast<size_t>(function_)];
  }

 private:
  Activation function_ = Activation::kIdentity;
};

template <class T>
class Softmax : public Layer<T> {
 public:
  Softmax(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    check(!this->output.shape.empty(), node.name, ": expected a last axis, got shape ()");
    n_ = this->output.shape.back();
    repeats_ = this->output.width() / n_;
  }

  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.softmax_forward(rows.count * repeats_, n_, rows.input(0), rows.output());
  }

  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) {
      rows.pass.kernels.softmax_backward(rows.count * repeats_, n_, rows.output(),
                                         rows.output_gradient(), dx);
    }
  }

  std::string function() const override { return "softmax"; }

 private:
  int64_t n_ = 1, repeats_ = 1;
};

template <class T>
LayerPointer<T> make_activation(const Node& node, const std::vector<Value>& inputs) {
  if (node.config.word("activation", "") == "softmax") {
    return std::make_unique<Softmax<T>>(node, inputs);
  }
  return std::make_unique<Elementwise<T>>(node, inputs);
}

}  // namespace

const Maker kActivation{make_activation<float>, make_activation<double>};

}  // namespace fastnn
