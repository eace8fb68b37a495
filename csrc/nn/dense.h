// What the two dense layers plan alike: y = activation(x @ kernel + bias) on the last axis.
#pragma once

#include "nn/activation.h"
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {

template <class T>
class DenseLayer : public Layer<T> {
 public:
  DenseLayer(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, 1);
    check_floats(node, inputs[0]);
    const Shape& shape = inputs[0].shape;
    check(!shape.empty(), node.name, ": expected an input with a last axis, got shape ()");
    k_ = shape.back();
    n_ = size_setting(node, "units");
    repeats_ = k_ == 0 ? 0 : size_of(shape) / k_;
    activation_ = elementwise_activation(node, "identity");
    check(activation_ != Activation::kGelu, node.name,
          ": expected gelu as a layer of its own, got it fused");
    const bool trainable = node.config.number("trainable", 1) != 0;
    this->add_parameter("kernel", {k_, n_}, number_within(node, "kernel_l1", 0, 0, 1e30),
                        number_within(node, "kernel_l2", 0, 0, 1e30), trainable);
    if (node.config.number("use_bias", 1) != 0) {
      this->add_parameter("bias", {n_}, number_within(node, "bias_l1", 0, 0, 1e30),
                          number_within(node, "bias_l2", 0, 0, 1e30), trainable);
    }
    this->output.shape = shape;
    this->output.shape.back() = n_;
  }

  double work() const override { return 6.0 * static_cast<double>(repeats_ * k_ * n_); }

 protected:
  int64_t matrix_rows(const Rows<T>& rows) const { return rows.count * repeats_; }

  const T* bias() const {
    return this->parameters.size() > 1 ? this->parameters[1]->value.data() : nullptr;
  }

  // The output's gradient becomes that of x @ kernel + bias, in place: the weights phase reads it.
  T* before_activation(const Rows<T>& rows) const {
    T* dz = rows.output_gradient();
    if (activation_ != Activation::kIdentity) {
      rows.pass.kernels.activation_backward(activation_, matrix_rows(rows) * n_, nullptr,
                                            rows.output(), dz, dz);
    }
    return dz;
  }

  int64_t k_ = 0, n_ = 0;
  int64_t repeats_ = 1;  // rows of the matrix per row of the batch
  Activation activation_ = Activation::kIdentity;
};

// With factors rounded to bfloat16.
LayerPointer<float> make_bf16_dense(const Node& node, const std::vector<Value>& inputs);

}  // namespace fastnn
