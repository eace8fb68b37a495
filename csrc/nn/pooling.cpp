// Pooling: the greatest or the mean of every window of an image, or of the whole image, per
// channel.
#include "nn/layer.h"
#include "nn/window.h"

namespace fastnn {
namespace {

template <class T>
class Pooling : public Layer<T> {
 public:
  Pooling(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, 1);
    check_image(node, inputs[0]);
    const Shape& image = inputs[0].shape;
    const bool global = node.kind.compare(0, 7, "global_") == 0;
    channels_ = image[2];
    greatest_ = node.kind.find("max") != std::string::npos;
    if (global) {
      window_ = {image[0], image[1], image[0], image[1], 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
      this->output.shape = {channels_};
    } else {
      window_ = read_window(node, image, "pool_size", false);
      this->output.shape = {window_.oh, window_.ow, channels_};
    }
    if (greatest_) this->marks = this->output.width();  // where each maximum was
  }

  void forward(const Rows<T>& rows) const override {
    const Kernels<T>& kernels = rows.pass.kernels;
    if (greatest_) {
      int32_t* chosen = rows.pass.folded ? nullptr : rows.marks();
      kernels.max_pool_forward(window_, rows.count, channels_, rows.input(0), rows.output(),
                               chosen);
    } else {
      kernels.average_pool_forward(window_, rows.count, channels_, rows.input(0), rows.output());
    }
  }

  void backward(const Rows<T>& rows) const override {
    const Kernels<T>& kernels = rows.pass.kernels;
    T* dx = rows.input_gradient(0);
    if (dx == nullptr) return;
    if (greatest_) {
      kernels.max_pool_backward(window_, rows.count, channels_, rows.marks(),
                                rows.output_gradient(), dx);
    } else {
      kernels.average_pool_backward(window_, rows.count, channels_, rows.output_gradient(), dx);
    }
  }

  double work() const override {
    const auto pixels = static_cast<double>(window_.kh) * static_cast<double>(window_.kw);
    return 2.0 * pixels * static_cast<double>(this->output.width());
  }

 private:
  Window window_ = {};
  int64_t channels_ = 1;
  bool greatest_ = false;
};

}  // namespace

const Maker kPooling = maker_of<Pooling>;

}  // namespace fastnn
