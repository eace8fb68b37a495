// Layers that join several values: Dot, Concatenate, Add, Multiply.
#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {
namespace {

template <class T>
class Dot : public Layer<T> {
 public:
  Dot(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 2, 2);
    for (const Value& input : inputs) check_floats(node, input);
    check(inputs[0].shape == inputs[1].shape && !inputs[0].shape.empty(), node.name,
          ": expected two inputs of one shape, got ", to_string(inputs[0].shape), " and ",
          to_string(inputs[1].shape));
    this->output.shape = inputs[0].shape;
    d_ = inputs[0].shape.back();
    this->output.shape.back() = 1;
  }

  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.dot_forward(rows.count * this->output.width(), d_, rows.input(0),
                                  rows.input(1), rows.output());
  }

  void backward(const Rows<T>& rows) const override {
    rows.pass.kernels.dot_backward(rows.count * this->output.width(), d_, rows.input(0),
                                   rows.input(1), rows.output_gradient(), rows.input_gradient(0),
                                   rows.input_gradient(1));
  }

  double work() const override { return 6.0 * static_cast<double>(this->inputs[0].width()); }

 private:
  int64_t d_ = 0;
};

template <class T>
class Concatenate : public Layer<T> {
 public:
  Concatenate(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, inputs.size());
    Shape shape = inputs[0].shape;
    check(!shape.empty(), node.name, ": expected inputs with a last axis, got shape ()");
    shape.back() = 0;
    for (const Value& input : inputs) {
      check_floats(node, input);
      Shape rest = input.shape;
      if (!rest.empty()) rest.back() = 0;
      Shape joined = shape;
      joined.back() = 0;
      check(rest == joined, node.name, ": expected inputs that differ in the last axis alone, got ",
            to_string(inputs[0].shape), " and ", to_string(input.shape));
      shape.back() = checked_add(shape.back(), input.shape.back());
    }
    this->output.shape = shape;
    n_ = shape.back();
    repeats_ = n_ == 0 ? 0 : this->output.width() / n_;
  }

  void forward(const Rows<T>& rows) const override {
    int64_t column = 0;
    for (size_t i = 0; i < this->inputs.size(); ++i) {
      const int64_t width = this->inputs[i].shape.back();
      rows.pass.kernels.copy_columns(rows.count * repeats_, width, rows.input(i), width,
                                     rows.output() + column, n_);
      column += width;
    }
  }

  void backward(const Rows<T>& rows) const override {
    int64_t column = 0;
    for (size_t i = 0; i < this->inputs.size(); ++i) {
      const int64_t width = this->inputs[i].shape.back();
      if (T* dx = rows.input_gradient(i)) {
        rows.pass.kernels.copy_columns(rows.count * repeats_, width,
                                       rows.output_gradient() + column, n_, dx, width);
      }
      column += width;
    }
  }

 private:
  int64_t n_ = 0, repeats_ = 1;
};

// Shapes of Add and Multiply.
Value same_as_every_input(const Node& node, const std::vector<Value>& inputs) {
  check_inputs(node, inputs, 2, std::max<size_t>(2, inputs.size()));
  for (const Value& input : inputs) {
    check_floats(node, input);
    check(input.shape == inputs[0].shape, node.name, ": expected inputs of one shape, got ",
          to_string(inputs[0].shape), " and ", to_string(input.shape));
  }
  return inputs[0];
}

template <class T>
class Add : public Layer<T> {
 public:
  Add(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_every_input(node, inputs);
  }

  void forward(const Rows<T>& rows) const override {
    const int64_t count = rows.count * this->output.width();
    rows.pass.kernels.add(count, rows.input(0), rows.input(1), rows.output());
    for (size_t i = 2; i < this->inputs.size(); ++i) {
      rows.pass.kernels.add(count, rows.output(), rows.input(i), rows.output());
    }
  }

  void backward(const Rows<T>& rows) const override {
    const int64_t count = rows.count * this->output.width();
    for (size_t i = 0; i < this->inputs.size(); ++i) {
      if (T* dx = rows.input_gradient(i)) {
        rows.pass.kernels.copy_columns(1, count, rows.output_gradient(), count, dx, count);
      }
    }
  }
};

template <class T>
class Multiply : public Layer<T> {
 public:
  Multiply(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output = same_as_every_input(node, inputs);
  }

  void forward(const Rows<T>& rows) const override {
    const int64_t count = rows.count * this->output.width();
    rows.pass.kernels.multiply(count, rows.input(0), rows.input(1), rows.output());
    for (size_t i = 2; i < this->inputs.size(); ++i) {
      rows.pass.kernels.multiply(count, rows.output(), rows.input(i), rows.output());
    }
  }

  void backward(const Rows<T>& rows) const override {
    const int64_t count = rows.count * this->output.width();
    for (size_t i = 0; i < this->inputs.size(); ++i) {
      T* dx = rows.input_gradient(i);
      if (dx == nullptr) continue;
      const T* product = rows.output_gradient();
      for (size_t j = 0; j < this->inputs.size(); ++j) {
        if (j == i) continue;
        rows.pass.kernels.multiply(count, product, rows.input(j), dx);
        product = dx;
      }
    }
  }
};

}  // namespace

const Maker kDot = maker_of<Dot>;
const Maker kConcatenate = maker_of<Concatenate>;
const Maker kAdd = maker_of<Add>;
const Maker kMultiply = maker_of<Multiply>;

}  // namespace fastnn
