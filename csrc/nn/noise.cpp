// Elementwise layers with one or two numbers: Dropout, GaussianNoise, Rescaling,
// ActivityRegularization.
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

template <class T>
void copy(const Rows<T>& rows, int64_t width, const T* from, T* to) {
  const int64_t count = rows.count * width;
  rows.pass.kernels.copy_columns(1, count, from, count, to, count);
}

template <class T>
class Dropout : public Layer<T> {
 public:
  Dropout(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    rate_ = static_cast<T>(number_within(node, "rate", 0, 0, 1));
  }
  void forward(const Rows<T>& rows) const override { apply(rows, rows.input(0), rows.output()); }
  // The mask is a function of its place, so backward draws the same one again.
  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) apply(rows, rows.output_gradient(), dx);
  }

 private:
  void apply(const Rows<T>& rows, const T* from, T* to) const {
    const int64_t width = this->output.width();
    if (!rows.pass.training || rate_ == 0) return copy(rows, width, from, to);
    NoiseKey key = rows.pass.noise;
    key.stream = this->stream;
    rows.pass.kernels.dropout(key, rows.first, rows.count, width, rate_, from, to);
  }
  T rate_ = 0;
};

template <class T>
class GaussianNoise : public Layer<T> {
 public:
  GaussianNoise(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    stddev_ = static_cast<T>(number_within(node, "stddev", 0, 0, 1e30));
  }
  void forward(const Rows<T>& rows) const override {
    const int64_t width = this->output.width();
    if (!rows.pass.training || stddev_ == 0) {
      return copy(rows, width, rows.input(0), rows.output());
    }
    NoiseKey key = rows.pass.noise;
    key.stream = this->stream;
    rows.pass.kernels.gaussian_noise(key, rows.first, rows.count, width, stddev_, rows.input(0),
                                     rows.output());
  }
  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0))
      copy(rows, this->output.width(), rows.output_gradient(), dx);
  }

 private:
  T stddev_ = 0;
};

template <class T>
class Rescaling : public Layer<T> {
 public:
  Rescaling(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    scale_ = static_cast<T>(number_within(node, "scale", 1, -1e30, 1e30));
    offset_ = static_cast<T>(number_within(node, "offset", 0, -1e30, 1e30));
  }
  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.scale(rows.count * this->output.width(), rows.input(0), scale_, offset_,
                            rows.output());
  }
  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) {
      rows.pass.kernels.scale(rows.count * this->output.width(), rows.output_gradient(), scale_,
                              T{0}, dx);
    }
  }

 private:
  T scale_ = 1, offset_ = 0;
};

template <class T>
class ActivityRegularization : public Layer<T> {
 public:
  ActivityRegularization(const Node& node, const std::vector<Value>& inputs)
      : Layer<T>(node, inputs) {
    this->output = same_as_only_input(node, inputs);
    l1_ = static_cast<T>(number_within(node, "l1", 0, 0, 1e30));
    l2_ = static_cast<T>(number_within(node, "l2", 0, 0, 1e30));
  }
  void forward(const Rows<T>& rows) const override {
    const int64_t width = this->output.width();
    copy(rows, width, rows.input(0), rows.output());
    if (rows.pass.penalties != nullptr) {
      penalty(rows, rows.pass.penalties + rows.first, nullptr, nullptr);
    }
  }
  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) penalty(rows, nullptr, rows.output_gradient(), dx);
  }

 private:
  void penalty(const Rows<T>& rows, T* penalties, const T* dy, T* dx) const {
    const T* weights = rows.pass.row_weights;
    rows.pass.kernels.activity_penalty(rows.count, this->output.width(), rows.input(0), l1_, l2_,
                                       weights == nullptr ? nullptr : weights + rows.first,
                                       rows.pass.row_scale, penalties, dy, dx);
  }
  T l1_ = 0, l2_ = 0;
};

}  // namespace

const Maker kDropout = maker_of<Dropout>;
const Maker kGaussianNoise = maker_of<GaussianNoise>;
const Maker kRescaling = maker_of<Rescaling>;
const Maker kActivityRegularization = maker_of<ActivityRegularization>;

}  // namespace fastnn
