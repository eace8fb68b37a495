#include "nn/scores.h"

#include <cmath>

#include "nn/planning.h"

namespace fastnn {
namespace {

constexpr int64_t kTileElements = 8192;  // a tile's gradient stays in the nearer caches
constexpr int64_t kBlockClasses = 1024;  // scored at a time, which bounds the scratch
constexpr int64_t kLine = 16;            // elements that begin on a cache line in either type

// A whole number in [0, most]; 0 when left out.
int64_t count_setting(const Node& node, const std::string& name, double most) {
  const double value = number_within(node, name, 0, 0, most);
  check(value == std::floor(value), node.name, ": expected ", name, " to be a whole number, got ",
        value);
  return static_cast<int64_t>(value);
}

// y[m, n] = x[m, d] @ v[n, d]^T.
template <class T>
void products(const Kernels<T>& kernels, int64_t m, int64_t n, int64_t d, const T* x, const T* v,
              T* y, T* scratch) {
  for (int64_t begin = 0; begin < n; begin += kBlockClasses) {
    kernels.dense_backward_inputs(m, std::min(kBlockClasses, n - begin), d, x, d, v + begin * d,
                                  y + begin, n, scratch);
  }
}

// Tiles of rows of a table of gradients.
void add_row_tiles(int position, int parameter, int64_t rows, int64_t d, std::vector<Tile>& tiles) {
  const int64_t fitting = std::max<int64_t>(1, kTileElements / d);
  for (int64_t begin = 0; begin < rows; begin += fitting) {
    const int64_t end = std::min(rows, begin + fitting);
    tiles.push_back(
        {position, parameter, begin * d, end * d, static_cast<double>((end - begin) * d)});
  }
}

}  // namespace

template <class T>
Scores<T>::Scores(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
  check_inputs(node, inputs, 1, 1);
  check_floats(node, inputs[0]);
  check(inputs[0].shape.size() == 1, node.name, ": expected an input of shape (d,), got shape ",
        to_string(inputs[0].shape));
  units_ = size_setting(node, "units");
  d_ = inputs[0].shape[0];
  n_features_ = count_setting(node, "n_features", 16777215);
  slots_ = count_setting(node, "features_per_unit", 2147483647);
  check((slots_ > 0) == (n_features_ > 0), node.name,
        ": expected features_per_unit of at least 1 with n_features, else 0, got ", slots_);
  const std::string update = sparse_update(node);
  check(update != "exact", node.name, ": expected sparse_update touched or dense, got exact");
  every_row_ = update == "dense";
  const double l1 = number_within(node, "embeddings_l1", 0, 0, 1e30);
  const double l2 = number_within(node, "embeddings_l2", 0, 0, 1e30);
  const bool trainable = node.config.number("trainable", 1) != 0;
  this->add_parameter("embeddings", {units_, d_}, l1, l2, trainable).table = true;
  if (node.config.number("use_bias", 1) != 0) {
    bias_ = &this->add_parameter("bias", {units_}, 0, 0, trainable);
  }
  if (n_features_ > 0) {
    feature_vectors_ =
        &this->add_parameter("feature_embeddings", {n_features_, d_}, l1, l2, trainable);
    feature_vectors_->table = true;
    given_ = &this->add_parameter("features", {units_, slots_}, 0, 0, false);
    shares_ = &this->add_parameter("feature_weights", {units_, slots_}, 0, 0, false);
    std::fill_n(given_->value.data(), given_->size(), T{-1});
    features_.reset(given_->size());
    refresh(nullptr);
    this->extra = n_features_;
  }
  this->output.shape = {units_};
}

// What is no number of a feature counts as none.
template <class T>
void Scores<T>::refresh(const Tile* piece) const {
  if (piece != nullptr || n_features_ == 0) return;
  const T* given = given_->value.data();
  for (int64_t i = 0; i < features_.size(); ++i) {
    const T feature = given[i];
    const bool good = feature >= 0 && feature < static_cast<T>(n_features_);
    features_.data()[i] = good ? static_cast<int32_t>(feature) : -1;
  }
}

template <class T>
Classes<T> Scores<T>::classes() const {
  Classes<T> classes{units_, d_, vectors().value.data(), nullptr, 0, nullptr, nullptr, nullptr};
  if (bias_ != nullptr) classes.bias = bias_->value.data();
  if (n_features_ > 0) {
    classes.slots = slots_;
    classes.features = features_.data();
    classes.shares = shares_->value.data();
    classes.f = feature_vectors_->value.data();
  }
  return classes;
}

// The scores of the own rows; then those of the features, which classes add up.
template <class T>
void Scores<T>::forward(const Rows<T>& rows) const {
  const Kernels<T>& kernels = rows.pass.kernels;
  const T* x = rows.input(0);
  T* y = rows.output();
  products(kernels, rows.count, units_, d_, x, vectors().value.data(), y, rows.pass.scratch);
  if (bias_ != nullptr) {
    for (int64_t i = 0; i < rows.count; ++i)
      kernels.add(units_, y + i * units_, bias_->value.data(), y + i * units_);
  }
  if (n_features_ == 0) return;
  T* z = rows.pass.scratch;
  products(kernels, rows.count, n_features_, d_, x, feature_vectors_->value.data(), z,
           z + (rows.count * n_features_ + kLine - 1) / kLine * kLine);
  kernels.feature_scores(rows.count, n_features_, classes(), z, y);
}

template <class T>
void Scores<T>::backward(const Rows<T>& rows) const {
  const Kernels<T>& kernels = rows.pass.kernels;
  const T* dy = rows.output_gradient();
  T* dx = rows.input_gradient(0);
  if (dx != nullptr) {
    kernels.dense_forward(rows.count, units_, d_, dy, units_, vectors().value.data(), nullptr, dx,
                          d_, Activation::kIdentity);
  }
  if (n_features_ == 0) return;
  T* dz = rows.extra();
  kernels.feature_scores_backward(rows.count, n_features_, classes(), dy, dz);
  if (dx == nullptr) return;
  T* more = rows.pass.scratch;
  kernels.dense_forward(rows.count, n_features_, d_, dz, n_features_,
                        feature_vectors_->value.data(), nullptr, more, d_, Activation::kIdentity);
  kernels.add(rows.count * d_, dx, more, dx);
}

template <class T>
void Scores<T>::add_tiles(std::vector<Tile>& tiles) const {
  if (!vectors().trainable) return;
  add_row_tiles(this->position, 0, units_, d_, tiles);
  if (bias_ != nullptr) add_row_tiles(this->position, 1, units_, 1, tiles);
  if (n_features_ > 0) {
    add_row_tiles(this->position, bias_ != nullptr ? 2 : 1, n_features_, d_, tiles);
  }
}

template <class T>
void Scores<T>::gradient(const Tile& tile, const Rows<T>& rows, T* g) const {
  const Kernels<T>& kernels = rows.pass.kernels;
  const Parameter<T>* parameter = this->parameters[static_cast<size_t>(tile.parameter)].get();
  if (parameter == bias_) {
    kernels.column_sums(rows.count, tile.end - tile.begin, rows.output_gradient() + tile.begin,
                        units_, g);
    return;
  }
  const bool features = parameter == feature_vectors_;
  kernels.dense_backward_weights(rows.count, tile.begin / d_, tile.end / d_, d_,
                                 features ? rows.extra() : rows.output_gradient(),
                                 features ? n_features_ : units_, rows.input(0), d_, g);
}

template <class T>
int64_t Scores<T>::scratch(int64_t rows) const {
  const Kernels<T>& kernels = fastnn::kernels<T>();
  const int64_t own = kernels.dense_scratch(rows, std::min(kBlockClasses, units_), d_);
  if (n_features_ == 0) return own;
  const int64_t z = (rows * n_features_ + kLine - 1) / kLine * kLine;
  const int64_t most = std::min(kBlockClasses, n_features_);
  return std::max({own, z + kernels.dense_scratch(rows, most, d_), rows * d_});
}

template class Scores<float>;
template class Scores<double>;

const Maker kScores = maker_of<Scores>;

}  // namespace fastnn
