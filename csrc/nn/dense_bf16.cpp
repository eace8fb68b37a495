// Dense with precision="bf16": the factors of all products are pairs of bfloat16 numbers. Pairs
// follow the sum: columns of x and rows of the kernel in forward, columns of the gradient and of
// the kernel on the way back, rows of the batch for the gradient of the kernel.
#include "base/denormals.h"
#include "nn/dense.h"

namespace fastnn {
namespace {

constexpr int64_t kTileElements = 8192;  // a tile's gradient stays in the nearer caches
constexpr int64_t kTileUnit = 32;        // rows of tiles: they begin with whole pairs and vectors

int64_t whole(int64_t count) { return (count + kPairUnit - 1) / kPairUnit * kPairUnit; }

// Distance of two rows: one line off, as lines a power of two apart crowd one set of a cache.
int64_t apart(int64_t count) { return whole(count) + kPairUnit; }

Bf16Pair* as_pairs(float* memory) { return reinterpret_cast<Bf16Pair*>(memory); }

class Bf16Dense : public DenseLayer<float> {
 public:
  Bf16Dense(const Node& node, const std::vector<Value>& inputs) : DenseLayer<float>(node, inputs) {
    w_.reset(checked_multiply((k_ + 1) / 2, apart(n_)));
    wt_.reset(checked_multiply((n_ + 1) / 2, apart(k_)));
    if (!parameters[0]->trainable) return;
    extra = checked_multiply(repeats_, kept_row() / 2);
    unit = 2;
  }

  void forward(const Rows<float>& rows) const override {
    const FlushDenormals flush;  // as the instruction does, wherever it is missing
    const Kernels<float>& kernels = rows.pass.kernels;
    const int64_t m = matrix_rows(rows), ldx = apart((k_ + 1) / 2);
    const bool relu = activation_ == Activation::kRelu;
    Bf16Pair* x = as_pairs(rows.pass.scratch);
    float* y = rows.output();
    kernels.bf16_pair_columns(m, k_, rows.input(0), k_, x, ldx);
    kernels.bf16_forward(m, k_, n_, x, ldx, w_.data(), apart(n_), bias(), y, relu);
    if (!relu && activation_ != Activation::kIdentity) {
      kernels.activation_forward(activation_, m * n_, y, y);
    }
  }

  void backward(const Rows<float>& rows) const override {
    const Kernels<float>& kernels = rows.pass.kernels;
    const int64_t m = matrix_rows(rows), lddz = apart((n_ + 1) / 2);
    const float* dz = before_activation(rows);
    if (extra > 0) {
      Bf16Pair* kept = as_pairs(rows.extra());
      kernels.bf16_pair_rows(m, k_, rows.input(0), k_, kept, kept_row());
      kernels.bf16_pair_rows(m, n_, dz, n_, kept + whole(k_), kept_row());
    }
    if (float* dx = rows.input_gradient(0)) {
      Bf16Pair* pairs = as_pairs(rows.pass.scratch);
      kernels.bf16_pair_columns(m, n_, dz, n_, pairs, lddz);
      kernels.bf16_forward(m, n_, k_, pairs, lddz, wt_.data(), apart(k_), nullptr, dx, false);
    }
  }

  void add_tiles(std::vector<Tile>& tiles) const override {
    if (!parameters[0]->trainable) return;
    const int64_t fitting = std::max(kTileElements / n_ / kTileUnit, int64_t{1}) * kTileUnit;
    for (int64_t begin = 0; begin < k_; begin += fitting) {
      const int64_t end = std::min(begin + fitting, k_);
      tiles.push_back({position, 0, begin * n_, end * n_, static_cast<double>((end - begin) * n_)});
    }
    if (parameters.size() > 1) {
      tiles.push_back({position, 1, 0, n_, static_cast<double>(n_)});
    }
  }

  void gradient(const Tile& tile, const Rows<float>& rows, float* g) const override {
    const Kernels<float>& kernels = rows.pass.kernels;
    const int64_t m = matrix_rows(rows);
    if (tile.parameter == 1) {
      kernels.column_sums(m, n_, rows.output_gradient(), n_, g);
    } else {
      const Bf16Pair* kept = as_pairs(rows.extra());
      kernels.bf16_backward_weights(m, tile.begin / n_, tile.end / n_, n_, kept, kept_row(),
                                    kept + whole(k_), kept_row(), g);
    }
  }

  void refresh(const Tile* piece) const override {
    if (piece != nullptr && piece->parameter != 0) return;
    const Kernels<float>& kernels = fastnn::kernels<float>();
    const int64_t begin = piece == nullptr ? 0 : piece->begin / n_;
    const int64_t count = (piece == nullptr ? k_ : piece->end / n_) - begin;
    const float* kernel = parameters[0]->value.data() + begin * n_;
    kernels.bf16_pair_rows(count, n_, kernel, n_, w_.data() + begin / 2 * apart(n_), apart(n_));
    kernels.bf16_pair_transposed(count, n_, kernel, n_, wt_.data() + begin, apart(k_));
  }

  int64_t scratch(int64_t rows) const override {
    return rows * repeats_ * apart((std::max(k_, n_) + 1) / 2);
  }

 private:
  // Per two rows of the matrix, for the weights phase: the pairs of x, then those of the gradient.
  int64_t kept_row() const { return whole(k_) + apart(n_); }

  mutable Buffer<Bf16Pair> w_, wt_;  // pairs of rows, of columns (transposed): see refresh()
};

}  // namespace

LayerPointer<float> make_bf16_dense(const Node& node, const std::vector<Value>& inputs) {
  return std::make_unique<Bf16Dense>(node, inputs);
}

}  // namespace fastnn
