// Scores of many classes: y = x @ v^T + bias, where v may be sums of an own row and of features'.
#pragma once

#include "nn/layer.h"

namespace fastnn {

template <class T>
class Scores : public Layer<T> {
 public:
  Scores(const Node& node, const std::vector<Value>& inputs);

  void forward(const Rows<T>& rows) const override;
  void backward(const Rows<T>& rows) const override;
  void add_tiles(std::vector<Tile>& tiles) const override;
  void gradient(const Tile& tile, const Rows<T>& rows, T* g) const override;
  void refresh(const Tile* piece) const override;
  int64_t scratch(int64_t rows) const override;
  double work() const override { return 6.0 * static_cast<double>(units_ * d_); }

  // The classes as kernels read them.
  Classes<T> classes() const;
  // The tables that a loss which samples trains: classes, their biases (or null), features.
  Parameter<T>& vectors() const { return *this->parameters[0]; }
  Parameter<T>* bias() const { return bias_; }
  Parameter<T>* feature_vectors() const { return feature_vectors_; }
  int64_t n_features() const { return n_features_; }
  bool every_row() const { return every_row_; }

 private:
  int64_t units_ = 0, d_ = 0, n_features_ = 0, slots_ = 0;
  bool every_row_ = false;
  Parameter<T>*bias_ = nullptr, *feature_vectors_ = nullptr, *given_ = nullptr, *shares_ = nullptr;
  mutable Buffer<int32_t> features_;  // the parameter `features` as whole numbers
};

// The layer as scores; null when it is another.
template <class T>
const Scores<T>* as_scores(const Layer<T>* layer) {
  return dynamic_cast<const Scores<T>*>(layer);
}

}  // namespace fastnn
