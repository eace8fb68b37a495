// Dense: y = activation(x @ kernel + bias) on the last axis.
#include "nn/activation.h"
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

constexpr int64_t kTileElements = 8192;  // a tile's gradient stays in the nearer caches
constexpr int64_t kLeastTileRows = 14;   // one row of register tiles

template <class T>
class Dense : public Layer<T> {
 public:
  Dense(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
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

  void forward(const Rows<T>& rows) const override {
    const auto& p = this->parameters;
    const T* bias = p.size() > 1 ? p[1]->value.data() : nullptr;
    rows.pass.kernels.dense_forward(rows.count * repeats_, k_, n_, rows.input(0), k_,
                                    p[0]->value.data(), bias, rows.output(), n_, activation_);
  }

  // The output's gradient becomes that of x @ kernel + bias, in place: the weights phase reads it.
  void backward(const Rows<T>& rows) const override {
    const int64_t m = rows.count * repeats_;
    T* dz = rows.output_gradient();
    if (activation_ != Activation::kIdentity) {
      rows.pass.kernels.activation_backward(activation_, m * n_, nullptr, rows.output(), dz, dz);
    }
    if (T* dx = rows.input_gradient(0)) {
      rows.pass.kernels.dense_backward_inputs(m, k_, n_, dz, n_, this->parameters[0]->value.data(),
                                              dx, k_, rows.pass.scratch);
    }
  }

  void add_tiles(std::vector<Tile>& tiles) const override {
    if (!this->parameters[0]->trainable) return;
    const int64_t fitting = std::max(kTileElements / n_, kLeastTileRows);
    const int64_t pieces = std::max<int64_t>(1, (k_ + fitting - 1) / fitting);
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t begin = k_ * piece / pieces, end = k_ * (piece + 1) / pieces;
      tiles.push_back(
          {this->position, 0, begin * n_, end * n_, static_cast<double>((end - begin) * n_)});
    }
    if (this->parameters.size() > 1) {
      tiles.push_back({this->position, 1, 0, n_, static_cast<double>(n_)});
    }
  }

  void gradient(const Tile& tile, const Rows<T>& rows, T* g) const override {
    const int64_t m = rows.count * repeats_;
    if (tile.parameter == 1) {
      rows.pass.kernels.column_sums(m, n_, rows.output_gradient(), n_, g);
    } else {
      rows.pass.kernels.dense_backward_weights(m, tile.begin / n_, tile.end / n_, n_, rows.input(0),
                                               k_, rows.output_gradient(), n_, g);
    }
  }

  int64_t scratch(int64_t rows) const override {
    return fastnn::kernels<T>().dense_scratch(rows * repeats_, k_, n_);
  }

  double work() const override { return 6.0 * static_cast<double>(repeats_ * k_ * n_); }

 private:
  int64_t k_ = 0, n_ = 0;
  int64_t repeats_ = 1;  // rows of the matrix per row of the batch
  Activation activation_ = Activation::kIdentity;
};

}  // namespace

const Maker kDense = maker_of<Dense>;

}  // namespace fastnn
