// Dense, with factors as they are.
#include "nn/dense.h"

#include <type_traits>

namespace fastnn {
namespace {

constexpr int64_t kLeastTileRows = 14;  // one row of register tiles

template <class T>
class Dense : public DenseLayer<T> {
 public:
  using DenseLayer<T>::DenseLayer;

  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.dense_forward(this->matrix_rows(rows), k_, n_, rows.input(0), k_,
                                    this->parameters[0]->value.data(), this->bias(), rows.output(),
                                    n_, activation_);
  }

  void backward(const Rows<T>& rows) const override {
    const T* dz = this->before_activation(rows);
    if (T* dx = rows.input_gradient(0)) {
      rows.pass.kernels.dense_backward_inputs(this->matrix_rows(rows), k_, n_, dz, n_,
                                              this->parameters[0]->value.data(), dx, k_,
                                              rows.pass.scratch);
    }
  }

  void add_tiles(std::vector<Tile>& tiles) const override {
    if (!this->parameters[0]->trainable) return;
    const int64_t fitting = std::max(fastnn::kernels<T>().dense_elements / n_, kLeastTileRows);
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
    const int64_t m = this->matrix_rows(rows);
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

 private:
  using DenseLayer<T>::k_, DenseLayer<T>::n_, DenseLayer<T>::repeats_, DenseLayer<T>::activation_;
};

template <class T>
LayerPointer<T> make_dense(const Node& node, const std::vector<Value>& inputs) {
  if constexpr (std::is_same_v<T, float>) {
    if (node.config.word("precision", "float32") == "bf16") return make_bf16_dense(node, inputs);
  }
  return std::make_unique<Dense<T>>(node, inputs);
}

}  // namespace

const Maker kDense{make_dense<float>, make_dense<double>};

}  // namespace fastnn
