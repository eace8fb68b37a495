// Batch normalisation: each channel brought to mean 0 and variance 1 over the batch, then scaled.
// Ioffe and Szegedy, "Batch normalization", 2015.
#include "nn/affine.h"
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

template <class T>
class BatchNormalization : public Layer<T>, public Affine<T> {
 public:
  BatchNormalization(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    check(!this->output.shape.empty(), node.name,
          ": expected an input with a last axis, got shape ()");
    c_ = this->output.shape.back();
    pixels_ = this->output.width() / c_;
    momentum_ = number_within(node, "momentum", 0.99, 0, 1);
    epsilon_ = number_within(node, "epsilon", 1e-3, 0, 1e30);
    trainable_ = node.config.number("trainable", 1) != 0;
    if (node.config.number("scale", 1) != 0) gamma_ = add(node, "gamma");
    if (node.config.number("center", 1) != 0) beta_ = add(node, "beta");
    mean_ = add(node, "moving_mean");
    variance_ = add(node, "moving_variance");
    if (!trainable_) return;
    this->shared = kShared * c_;
    if (pixels_ > 1) this->extra = 2 * c_;
  }

  bool mixes_rows() const override { return trainable_; }

  // --- statistics ------------------------------------------------------------------------------

  // Mean and squared deviations of the pixels of each row; a row of one pixel is its own mean.
  void collect(const Rows<T>& rows) const override {
    if (pixels_ == 1) return;
    for (int64_t row = 0; row < rows.count; ++row) {
      T* own = rows.extra() + row * 2 * c_;
      rows.pass.kernels.column_moments(pixels_, c_, rows.input(0) + row * pixels_ * c_, own,
                                       own + c_);
    }
  }

  void combine(const Rows<T>& batch, int part, int parts) const override {
    T* shared = batch.shared();
    const T* means = pixels_ == 1 ? batch.input(0) : batch.extra();
    const int64_t stride = pixels_ == 1 ? c_ : 2 * c_;
    const auto pixels = static_cast<double>(pixels_), rows = static_cast<double>(batch.count);
    for (int64_t c = c_ * part / parts; c < c_ * (part + 1) / parts; ++c) {
      double sum = 0, squares = 0;
      for (int64_t row = 0; row < batch.count; ++row) {
        sum += static_cast<double>(means[row * stride + c]);
      }
      const double mean = sum / rows;
      for (int64_t row = 0; row < batch.count; ++row) {
        const double off = static_cast<double>(means[row * stride + c]) - mean;
        squares += pixels * off * off;
        if (pixels_ > 1) squares += static_cast<double>(means[row * stride + c_ + c]);
      }
      const double variance = squares / (rows * pixels);
      shared[kMean * c_ + c] = static_cast<T>(mean);
      shared[kVariance * c_ + c] = static_cast<T>(variance);
      shared[kInverse * c_ + c] =
          set_affine(c, mean, variance, shared + kFactor * c_, shared + kOffset * c_);
    }
  }

  // Sums over the pixels of each row of the gradient, and of its product with the normalised value.
  void collect_backward(const Rows<T>& rows) const override {
    if (pixels_ == 1) return;
    const T* shared = rows.shared();
    for (int64_t row = 0; row < rows.count; ++row) {
      const int64_t at = row * pixels_ * c_;
      T* own = rows.extra() + row * 2 * c_;
      rows.pass.kernels.batch_norm_sums(pixels_, c_, rows.input(0) + at,
                                        rows.output_gradient() + at, shared + kMean * c_,
                                        shared + kInverse * c_, own, own + c_);
    }
  }

  void combine_backward(const Rows<T>& batch, int part, int parts) const override {
    T* shared = batch.shared();
    const double n = static_cast<double>(batch.count) * static_cast<double>(pixels_);
    for (int64_t c = c_ * part / parts; c < c_ * (part + 1) / parts; ++c) {
      double sum = 0, product = 0;
      for (int64_t row = 0; row < batch.count; ++row) {
        if (pixels_ > 1) {
          const T* own = batch.extra() + row * 2 * c_;
          sum += static_cast<double>(own[c]);
          product += static_cast<double>(own[c_ + c]);
        } else {
          const auto dy = static_cast<double>(batch.output_gradient()[row * c_ + c]);
          sum += dy;
          product += dy *
                     (static_cast<double>(batch.input(0)[row * c_ + c]) -
                      static_cast<double>(shared[kMean * c_ + c])) *
                     static_cast<double>(shared[kInverse * c_ + c]);
        }
      }
      shared[kSum * c_ + c] = static_cast<T>(sum);
      shared[kProduct * c_ + c] = static_cast<T>(product);
      shared[kMeanGradient * c_ + c] = static_cast<T>(sum / n);
      shared[kMeanProduct * c_ + c] = static_cast<T>(product / n);
    }
  }

  void finish(const Rows<T>& batch) const override {
    const T* shared = batch.shared();
    move(this->parameters[static_cast<size_t>(mean_)]->value.data(), shared + kMean * c_);
    move(this->parameters[static_cast<size_t>(variance_)]->value.data(), shared + kVariance * c_);
  }

  // --- rows ------------------------------------------------------------------------------------

  void forward(const Rows<T>& rows) const override {
    const int64_t m = rows.count * pixels_;
    if (by_batch(rows)) {
      const T* shared = rows.shared();
      rows.pass.kernels.scale_columns(m, c_, rows.input(0), shared + kFactor * c_,
                                      shared + kOffset * c_, Activation::kIdentity, rows.output());
    } else {
      T* factor = rows.pass.scratch;
      affine(factor, factor + c_);
      rows.pass.kernels.scale_columns(m, c_, rows.input(0), factor, factor + c_,
                                      Activation::kIdentity, rows.output());
    }
  }

  void backward(const Rows<T>& rows) const override {
    T* dx = rows.input_gradient(0);
    if (dx == nullptr) return;
    const int64_t m = rows.count * pixels_;
    if (by_batch(rows)) {
      const T* shared = rows.shared();
      rows.pass.kernels.batch_norm_backward(
          m, c_, rows.input(0), rows.output_gradient(), shared + kMean * c_, shared + kInverse * c_,
          shared + kMeanGradient * c_, shared + kMeanProduct * c_, shared + kFactor * c_, dx);
      return;
    }
    T *factor = rows.pass.scratch, *zeros = factor + c_;
    affine(factor, zeros);
    std::fill_n(zeros, c_, T{0});
    rows.pass.kernels.scale_columns(m, c_, rows.output_gradient(), factor, zeros,
                                    Activation::kIdentity, dx);
  }

  int64_t scratch(int64_t /*rows*/) const override { return 2 * c_; }

  // --- weights ---------------------------------------------------------------------------------

  void add_tiles(std::vector<Tile>& tiles) const override {
    if (!trainable_) return;
    for (int i : {gamma_, beta_}) {
      if (i >= 0) tiles.push_back({this->position, i, 0, c_, static_cast<double>(c_)});
    }
  }

  void gradient(const Tile& tile, const Rows<T>& rows, T* g) const override {
    const int64_t from = tile.parameter == gamma_ ? kProduct : kSum;
    std::copy_n(rows.shared() + from * c_, c_, g);
  }

  void affine(T* factor, T* offset) const override {
    const T* mean = this->parameters[static_cast<size_t>(mean_)]->value.data();
    const T* variance = this->parameters[static_cast<size_t>(variance_)]->value.data();
    for (int64_t c = 0; c < c_; ++c) {
      set_affine(c, static_cast<double>(mean[c]), static_cast<double>(variance[c]), factor, offset);
    }
  }

  double work() const override { return 12.0 * static_cast<double>(this->output.width()); }

 private:
  // What lies in Memory::shared, each c_ elements.
  enum : int64_t {
    kMean,
    kVariance,
    kInverse,
    kFactor,
    kOffset,
    kSum,
    kProduct,
    kMeanGradient,
    kMeanProduct,
    kShared
  };

  int add(const Node& node, const std::string& parameter) {
    const bool learned = parameter == "gamma" || parameter == "beta";
    const double l1 = learned ? number_within(node, parameter + "_l1", 0, 0, 1e30) : 0;
    const double l2 = learned ? number_within(node, parameter + "_l2", 0, 0, 1e30) : 0;
    this->add_parameter(parameter, {c_}, l1, l2, trainable_ && learned);
    return static_cast<int>(this->parameters.size()) - 1;
  }

  bool by_batch(const Rows<T>& rows) const { return trainable_ && rows.pass.statistics; }

  T value(int parameter, int64_t c, T otherwise) const {
    return parameter < 0 ? otherwise
                         : this->parameters[static_cast<size_t>(parameter)]->value.data()[c];
  }

  // y = x * factor + offset of channel c; returns 1 / sqrt(variance + epsilon).
  T set_affine(int64_t c, double mean, double variance, T* factor, T* offset) const {
    const double inverse = 1 / std::sqrt(variance + epsilon_);
    const double scale = inverse * static_cast<double>(value(gamma_, c, T{1}));
    factor[c] = static_cast<T>(scale);
    offset[c] = static_cast<T>(static_cast<double>(value(beta_, c, T{0})) - mean * scale);
    return static_cast<T>(inverse);
  }

  void move(T* moving, const T* batch) const {
    for (int64_t c = 0; c < c_; ++c) {
      moving[c] = static_cast<T>(momentum_ * static_cast<double>(moving[c]) +
                                 (1 - momentum_) * static_cast<double>(batch[c]));
    }
  }

  int64_t c_ = 1, pixels_ = 1;
  double momentum_ = 0, epsilon_ = 0;
  bool trainable_ = true;
  int gamma_ = -1, beta_ = -1, mean_ = 0, variance_ = 0;  // among the parameters
};

}  // namespace

const Maker kBatchNormalization = maker_of<BatchNormalization>;

}  // namespace fastnn
