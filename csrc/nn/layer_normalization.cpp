// Layer normalisation: the last axis of every position brought to mean 0 and variance 1, then
// scaled. Ba, Kiros and Hinton, "Layer normalization", 2016.
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

template <class T>
class LayerNormalization : public Layer<T> {
 public:
  LayerNormalization(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    check(!this->output.shape.empty(), node.name,
          ": expected an input with a last axis, got shape ()");
    n_ = this->output.shape.back();
    repeats_ = this->output.width() / n_;
    epsilon_ = static_cast<T>(number_within(node, "epsilon", 1e-3, 0, 1e30));
    if (node.config.number("scale", 1) != 0) gamma_ = add(node, "gamma");
    if (node.config.number("center", 1) != 0) beta_ = add(node, "beta");
    this->extra = 2 * repeats_;
  }

  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.layer_norm_forward(rows.count * repeats_, n_, rows.input(0), value(gamma_),
                                         value(beta_), epsilon_, rows.output(), rows.extra());
  }

  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) {
      rows.pass.kernels.layer_norm_backward(rows.count * repeats_, n_, rows.input(0),
                                            rows.output_gradient(), value(gamma_), rows.extra(),
                                            dx);
    }
  }

  void add_tiles(std::vector<Tile>& tiles) const override {
    for (int i : {gamma_, beta_}) {
      if (i < 0 || !this->parameters[static_cast<size_t>(i)]->trainable) continue;
      tiles.push_back({this->position, i, 0, n_, static_cast<double>(n_ * repeats_)});
    }
  }

  void gradient(const Tile& tile, const Rows<T>& rows, T* g) const override {
    const int64_t m = rows.count * repeats_;
    if (tile.parameter == gamma_) {
      rows.pass.kernels.layer_norm_gamma(m, n_, rows.input(0), rows.output_gradient(), rows.extra(),
                                         g);
    } else {
      rows.pass.kernels.column_sums(m, n_, rows.output_gradient(), n_, g);
    }
  }

  double work() const override { return 14.0 * static_cast<double>(this->output.width()); }

 private:
  int add(const Node& node, const std::string& parameter) {
    this->add_parameter(parameter, {n_}, number_within(node, parameter + "_l1", 0, 0, 1e30),
                        number_within(node, parameter + "_l2", 0, 0, 1e30),
                        node.config.number("trainable", 1) != 0);
    return static_cast<int>(this->parameters.size()) - 1;
  }

  const T* value(int parameter) const {
    return parameter < 0 ? nullptr : this->parameters[static_cast<size_t>(parameter)]->value.data();
  }

  int64_t n_ = 1, repeats_ = 1;  // width, and positions per row of the batch
  T epsilon_ = 0;
  int gamma_ = -1, beta_ = -1;  // among the parameters
};

}  // namespace

const Maker kLayerNormalization = maker_of<LayerNormalization>;

}  // namespace fastnn
