// Conv2D and Conv1D: y = activation(x * kernel + bias), over images (h, w, channels) or rows
// (l, channels), which are images of height 1.
#include "nn/activation.h"
#include "nn/affine.h"
#include "nn/layer.h"
#include "nn/window.h"

namespace fastnn {
namespace {

constexpr int64_t kLeastWinograd = 16;         // channels and filters from which it wins
constexpr int64_t kTileElements = 16384;       // of a direct kernel's gradient
constexpr int64_t kRoundedElements = 1 << 16;  // of images that are rounded for it at once

template <class T>
class Convolution : public Layer<T> {
 public:
  Convolution(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, 1);
    const size_t axes = node.kind == "conv1d" ? 1 : 2;
    check_image(node, inputs[0], axes);
    const Shape& image = inputs[0].shape;
    conv_.window = read_window(node, image, "kernel_size", true);
    conv_.channels = image.back();
    conv_.filters = size_setting(node, "filters");
    conv_.groups = static_cast<int64_t>(number_within(node, "groups", 1, 1, 2147483647.0));
    check(conv_.channels % conv_.groups == 0 && conv_.filters % conv_.groups == 0, node.name,
          ": expected groups to divide ", conv_.channels, " channels and ", conv_.filters,
          " filters, got ", conv_.groups);
    const Window& w = conv_.window;
    rows_ = checked_multiply(checked_multiply(w.kh, w.kw), conv_.channels / conv_.groups);
    pixels_ = checked_multiply(w.oh, w.ow);
    this->output.shape = axes == 1 ? Shape{w.ow, conv_.filters} : Shape{w.oh, w.ow, conv_.filters};
    activation_ = elementwise_activation(node, "identity");
    check(activation_ != Activation::kGelu, node.name,
          ": expected gelu as a layer of its own, got it fused");
    add_parameters(node, axes);
    choose(node.config.word("convolution", "auto"),
           node.config.word("precision", "float32") == "bf16");
  }

  void forward(const Rows<T>& rows) const override {
    const auto& p = this->parameters;
    const T* bias = p.size() > 1 ? p[1]->value.data() : nullptr;
    if (rows.pass.folded && folded_.used) {
      run(rows, folded_.kernel.data(), folded_.bias.data(), folded_.u.data(), folded_.activation);
    } else {
      run(rows, factors(), bias, u_.data(), activation_);
    }
  }

  // The output's gradient becomes that of x * kernel + bias, in place: the weights phase reads it.
  void backward(const Rows<T>& rows) const override {
    const Kernels<T>& kernels = rows.pass.kernels;
    const int64_t image = pixels_ * conv_.filters;
    T* dz = rows.output_gradient();
    if (activation_ != Activation::kIdentity) {
      kernels.activation_backward(activation_, rows.count * image, nullptr, rows.output(), dz, dz);
    }
    for (int64_t row = 0; row < rows.count && this->extra > 0; ++row) {
      kernels.column_sums(pixels_, conv_.filters, dz + row * image, conv_.filters,
                          rows.extra() + row * conv_.filters);
    }
    if (rounds_) kernels.bf16_round(rows.count * image, dz, dz);  // its float sums are taken
    T* dx = rows.input_gradient(0);
    if (dx == nullptr) return;
    if (winograd_) {
      winograd().backward_inputs(conv_, rows.count, dz, ut_.data(), dx, rows.pass.scratch);
    } else {
      kernels.conv_backward_inputs(conv_, rows.count, dz, factors(), dx, rows.pass.scratch);
    }
  }

  void add_tiles(std::vector<Tile>& tiles) const override {
    if (!this->parameters[0]->trainable) return;
    const int64_t n = conv_.filters, c = conv_.channels;
    if (winograd_) {
      const double cost = 9.0 / 4 * static_cast<double>(pixels_ * n);
      for (int64_t begin = 0; begin < c; begin += block_) {
        const int64_t end = std::min(begin + block_, c);
        tiles.push_back({this->position, 0, begin * n, end * n,
                         cost * static_cast<double>(end - begin), 9, c * n});
      }
    } else {
      for (int64_t piece = 0; piece < pieces(); ++piece) {
        const int64_t begin = rows_ * piece / pieces(), end = rows_ * (piece + 1) / pieces();
        tiles.push_back({this->position, 0, begin * n, end * n,
                         static_cast<double>((end - begin) * n * pixels_)});
      }
    }
    if (this->parameters.size() > 1) {
      tiles.push_back({this->position, 1, 0, n, static_cast<double>(n)});
    }
  }

  void gradient(const Tile& tile, const Rows<T>& rows, T* g) const override {
    const Kernels<T>& kernels = rows.pass.kernels;
    const int64_t n = conv_.filters, begin = tile.begin / n, end = tile.end / n;
    if (tile.parameter == 1) {
      kernels.column_sums(rows.count, n, rows.extra(), n, g);
    } else if (winograd_) {
      winograd().backward_weights(conv_, rows.count, begin, end, rows.input(0),
                                  rows.output_gradient(), g, rows.pass.scratch);
    } else if (rounds_) {
      rounded_gradient(tile, rows, g);
    } else {
      kernels.conv_backward_weights(conv_, rows.count, begin, end, rows.input(0),
                                    rows.output_gradient(), g, rows.pass.scratch);
    }
  }

  void refresh(const Tile* piece) const override {
    if (piece != nullptr && piece->parameter != 0) return;
    const Parameter<T>& kernel = *this->parameters[0];
    if (rounds_) {
      const int64_t from = piece == nullptr ? 0 : piece->begin;
      const int64_t size = piece == nullptr ? kernel.size() : piece->size();
      fastnn::kernels<T>().bf16_round(size, kernel.value.data() + from, rounded_.data() + from);
    }
    if (!winograd_) return;
    const int64_t begin = piece == nullptr ? 0 : piece->begin / conv_.filters;
    const int64_t end = piece == nullptr ? conv_.channels : piece->end / conv_.filters;
    winograd().transform(conv_, begin, end, this->parameters[0]->value.data(), u_.data(),
                         ut_.data());
  }

  // A batch normalisation and then an activation, when this layer has none itself.
  bool folds(const typename Layer<T>::Others& taken, const Layer<T>& next) const override {
    if (activation_ != Activation::kIdentity) return false;
    const bool activated = !taken.empty() && !is_affine(*taken.back());
    return !activated && (is_affine(next) || activation_of(next) != Activation::kCount);
  }

  void fold(const typename Layer<T>::Others& taken) const override {
    const int64_t n = conv_.filters;
    const Parameter<T>& kernel = *this->parameters[0];
    folded_.used = true;
    folded_.activation = Activation::kIdentity;
    folded_.kernel.reserve(kernel.size());
    folded_.bias.reserve(n);
    std::copy_n(kernel.value.data(), kernel.size(), folded_.kernel.data());
    std::fill_n(folded_.bias.data(), n, T{0});
    if (this->parameters.size() > 1) {
      std::copy_n(this->parameters[1]->value.data(), n, folded_.bias.data());
    }
    Buffer<T> factor(n), offset(n);
    for (const Layer<T>* layer : taken) {
      const auto* affine = dynamic_cast<const Affine<T>*>(layer);
      if (affine == nullptr) {
        folded_.activation = activation_of(*layer);
        continue;
      }
      affine->affine(factor.data(), offset.data());
      for (int64_t i = 0; i < kernel.size(); ++i) folded_.kernel.data()[i] *= factor.data()[i % n];
      for (int64_t i = 0; i < n; ++i) {
        folded_.bias.data()[i] = folded_.bias.data()[i] * factor.data()[i] + offset.data()[i];
      }
    }
    if (rounds_) {
      T* folded = folded_.kernel.data();
      fastnn::kernels<T>().bf16_round(kernel.size(), folded, folded);
    }
    if (!winograd_) return;
    folded_.u.reserve(u_.size());
    winograd().transform(conv_, 0, conv_.channels, folded_.kernel.data(), folded_.u.data(),
                         nullptr);
  }

  int64_t scratch(int64_t rows) const override {
    if (winograd_) return winograd().scratch(conv_, 0);
    return (rounds_ ? lines(rows * image()) : 0) + fastnn::kernels<T>().conv_scratch(conv_);
  }

  int64_t tile_scratch() const override {
    if (winograd_) return winograd().scratch(conv_, block_);
    const int64_t copies = lines(together() * image()) + lines(tile_rows() * conv_.filters);
    return (rounds_ ? copies : 0) + fastnn::kernels<T>().conv_scratch(conv_);
  }

  double work() const override {
    return (winograd_ ? 2.0 : 6.0) * static_cast<double>(rows_ * conv_.filters) *
           static_cast<double>(pixels_);
  }

 private:
  // What prediction runs with when it does the work of later layers too.
  struct Folded {
    bool used = false;
    Buffer<T> kernel, bias, u;
    Activation activation = Activation::kIdentity;
  };

  static bool is_affine(const Layer<T>& layer) {
    return dynamic_cast<const Affine<T>*>(&layer) != nullptr;
  }

  // kCount when the layer is no elementwise activation.
  static Activation activation_of(const Layer<T>& layer) {
    const auto names = activation_names();
    for (size_t i = 0; i < static_cast<size_t>(Activation::kCount); ++i) {
      if (layer.function() == names[i]) return static_cast<Activation>(i);
    }
    return Activation::kCount;
  }

  void add_parameters(const Node& node, size_t axes) {
    const bool trainable = node.config.number("trainable", 1) != 0;
    const Window& w = conv_.window;
    Shape shape = {w.kh, w.kw, conv_.channels / conv_.groups, conv_.filters};
    if (axes == 1) shape.erase(shape.begin());
    this->add_parameter("kernel", shape, number_within(node, "kernel_l1", 0, 0, 1e30),
                        number_within(node, "kernel_l2", 0, 0, 1e30), trainable);
    if (node.config.number("use_bias", 1) == 0) return;
    this->add_parameter("bias", {conv_.filters}, number_within(node, "bias_l1", 0, 0, 1e30),
                        number_within(node, "bias_l2", 0, 0, 1e30), trainable);
    if (trainable) this->extra = conv_.filters;  // sums of the bias' gradient, one per row
  }

  void choose(const std::string& convolution, bool bf16) {
    const Window& w = conv_.window;
    const bool exists = sizeof(T) == 4 && w.kh == 3 && w.kw == 3 && w.sh == 1 && w.sw == 1 &&
                        w.dh == 1 && w.dw == 1 && conv_.groups == 1 && w.top < 3 && w.left < 3 &&
                        w.bottom < 3 && w.right < 3 && conv_.channels >= kLeastWinograd &&
                        conv_.filters >= kLeastWinograd;
    winograd_ = exists && convolution != "direct";
    bf16_ = bf16;
    rounds_ = bf16 && !winograd_;
    if (rounds_) rounded_.reset(this->parameters[0]->size());
    if (!winograd_) return;
    block_ = winograd().block(conv_);
    u_.reset(winograd().weights(conv_));
    ut_.reset(winograd().weights(conv_));
  }

  void run(const Rows<T>& rows, const T* kernel, const T* bias, const T* u,
           Activation activation) const {
    const Kernels<T>& kernels = rows.pass.kernels;
    const T* x = rows.input(0);
    T* scratch = rows.pass.scratch;
    if (winograd_) {
      winograd().forward(conv_, rows.count, x, u, bias, rows.output(), activation, scratch);
      return;
    }
    if (rounds_) {
      kernels.bf16_round(rows.count * image(), x, scratch);
      x = scratch;
      scratch += lines(rows.count * image());
    }
    kernels.conv_forward(conv_, rows.count, x, kernel, bias, rows.output(), activation, scratch);
  }

  // With rounded images, some at a time: the gradient was rounded in place.
  void rounded_gradient(const Tile& tile, const Rows<T>& rows, T* g) const {
    const Kernels<T>& kernels = rows.pass.kernels;
    const int64_t n = conv_.filters, begin = tile.begin / n, end = tile.end / n;
    T* x = rows.pass.scratch;
    T* sums = x + lines(together() * image());
    T* scratch = sums + lines(tile_rows() * n);
    for (int64_t first = 0; first < rows.count; first += together()) {
      const int64_t count = std::min(together(), rows.count - first);
      kernels.bf16_round(count * image(), rows.input(0) + first * image(), x);
      kernels.conv_backward_weights(conv_, count, begin, end, x,
                                    rows.output_gradient() + first * pixels_ * n,
                                    first == 0 ? g : sums, scratch);
      if (first > 0) kernels.add(tile.size(), g, sums, g);
    }
  }

  const Winograd<T>& winograd() const {
    const Kernels<T>& kernels = fastnn::kernels<T>();
    return bf16_ ? kernels.winograd_bf16 : kernels.winograd;
  }

  // The kernel as the direct convolution takes it.
  const T* factors() const { return rounds_ ? rounded_.data() : this->parameters[0]->value.data(); }

  static int64_t lines(int64_t count) { return (count + 15) / 16 * 16; }  // whole ones
  int64_t image() const { return this->inputs[0].width(); }
  int64_t together() const { return std::max<int64_t>(1, kRoundedElements / image()); }
  int64_t pieces() const { return std::max<int64_t>(1, rows_ * conv_.filters / kTileElements); }
  int64_t tile_rows() const { return (rows_ + pieces() - 1) / pieces(); }  // at most

  Conv conv_ = {};
  int64_t rows_ = 0, pixels_ = 0;  // of the kernel, of the output
  Activation activation_ = Activation::kIdentity;
  bool winograd_ = false;
  bool bf16_ = false;          // factors of products are rounded:
  bool rounds_ = false;        // ... by this layer, as Winograd's kernels do it themselves
  mutable Buffer<T> rounded_;  // the kernel, kept up to date by refresh()
  int64_t block_ = 0;          // channels of a piece of work
  mutable Buffer<T> u_, ut_;   // transformed weights, kept up to date by refresh()
  mutable Folded folded_;
};

}  // namespace

const Maker kConvolution = maker_of<Convolution>;

}  // namespace fastnn
