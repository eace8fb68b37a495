// Images moved at random in training, with borders of zeros, and dropout of their channels:
// RandomFlip, RandomTranslation, RandomCrop, ZeroPadding2D, SpatialDropout2D.
#include <algorithm>

#include "nn/layer.h"
#include "nn/window.h"

namespace fastnn {
namespace {

// The one image (h, w, channels) a layer takes.
const Shape& only_image(const Node& node, const std::vector<Value>& inputs) {
  check_inputs(node, inputs, 1, 1);
  check_image(node, inputs[0]);
  return inputs[0].shape;
}

// Where this layer's random numbers of a batch come from.
template <class T>
NoiseKey key_of(const Layer<T>& layer, const Pass<T>& pass) {
  NoiseKey key = pass.noise;
  key.stream = layer.stream;
  return key;
}

Moves nothing_moves(const Shape& image) {
  return {image[0], image[1], image[2], image[0], image[1], 0, 0, false, false, false};
}

Moves read_flip(const Node& node, const Shape& image) {
  const std::string mode = node.config.word("mode", "horizontal");
  check(mode == "horizontal" || mode == "vertical" || mode == "both", node.name,
        ": expected mode to be one of horizontal, vertical, both, got ", mode);
  Moves moves = nothing_moves(image);
  moves.horizontal = mode != "vertical";
  moves.vertical = mode != "horizontal";
  return moves;
}

int64_t read_pixels(const Node& node, const std::string& name) {
  const double pixels = number_within(node, name, 0, 0, 1 << 30);
  check(pixels == std::floor(pixels), node.name, ": expected ", name,
        " to be a whole number of pixels, got ", pixels);
  return static_cast<int64_t>(pixels);
}

Moves read_translation(const Node& node, const Shape& image) {
  const std::string fill = node.config.word("fill", "constant");
  check(fill == "constant" || fill == "nearest", node.name,
        ": expected fill to be one of constant, nearest, got ", fill);
  Moves moves = nothing_moves(image);
  moves.rows = read_pixels(node, "height");
  moves.columns = read_pixels(node, "width");
  moves.nearest = fill == "nearest";
  return moves;
}

Moves read_crop(const Node& node, const Shape& image) {
  Moves moves = nothing_moves(image);
  moves.oh = size_setting(node, "height");
  moves.ow = size_setting(node, "width");
  check(moves.oh <= moves.h && moves.ow <= moves.w, node.name, ": expected a crop of at most ",
        to_string(Shape{moves.h, moves.w}), ", got ", to_string(Shape{moves.oh, moves.ow}));
  return moves;
}

// The moves are functions of an image's place, so backward draws the same ones again.
template <class T>
class Mover : public Layer<T> {
 public:
  Mover(const Node& node, const std::vector<Value>& inputs, const Moves& moves)
      : Layer<T>(node, inputs), moves_(moves) {
    this->output.shape = {moves.oh, moves.ow, moves.channels};
  }
  void forward(const Rows<T>& rows) const override {
    const NoiseKey key = key_of(*this, rows.pass);
    rows.pass.kernels.move_images(moves_, rows.pass.training ? &key : nullptr, rows.first,
                                  rows.count, rows.input(0), rows.output());
  }
  void backward(const Rows<T>& rows) const override {
    T* dx = rows.input_gradient(0);
    if (dx == nullptr) return;
    const NoiseKey key = key_of(*this, rows.pass);
    rows.pass.kernels.move_images_backward(moves_, rows.pass.training ? &key : nullptr, rows.first,
                                           rows.count, rows.output_gradient(), dx);
  }

 private:
  const Moves moves_;
};

template <Moves (*read)(const Node&, const Shape&), class T>
LayerPointer<T> make_mover(const Node& node, const std::vector<Value>& inputs) {
  return std::make_unique<Mover<T>>(node, inputs, read(node, only_image(node, inputs)));
}
template <Moves (*read)(const Node&, const Shape&)>
constexpr Maker maker_of_mover{make_mover<read, float>, make_mover<read, double>};

template <class T>
class ZeroPadding2D : public Layer<T> {
 public:
  ZeroPadding2D(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    const Shape& image = only_image(node, inputs);
    const Shape border = windows::numbers(node, "padding", 4, 0);  // top, bottom, left, right
    const int64_t width = image[1] + border[2] + border[3];
    this->output.shape = {image[0] + border[0] + border[1], width, image[2]};
    static_cast<void>(this->output.width());  // throws before a product below overflows
    rows_ = image[0];
    row_ = image[1] * image[2];
    wide_row_ = width * image[2];
    start_ = border[0] * wide_row_ + border[2] * image[2];
  }
  void forward(const Rows<T>& rows) const override {
    const int64_t from = this->inputs[0].width(), to = this->output.width();
    std::fill_n(rows.output(), rows.count * to, T{0});
    for (int64_t i = 0; i < rows.count; ++i) {
      rows.pass.kernels.copy_columns(rows_, row_, rows.input(0) + i * from, row_,
                                     rows.output() + i * to + start_, wide_row_);
    }
  }
  void backward(const Rows<T>& rows) const override {
    T* dx = rows.input_gradient(0);
    if (dx == nullptr) return;
    const int64_t to = this->inputs[0].width(), from = this->output.width();
    for (int64_t i = 0; i < rows.count; ++i) {
      rows.pass.kernels.copy_columns(rows_, row_, rows.output_gradient() + i * from + start_,
                                     wide_row_, dx + i * to, row_);
    }
  }

 private:
  int64_t rows_ = 0, row_ = 0, wide_row_ = 0;  // of the image; elements of its rows, and bordered
  int64_t start_ = 0;                          // of the image among the border's elements
};

template <class T>
class SpatialDropout2D : public Layer<T> {
 public:
  SpatialDropout2D(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    this->output.shape = only_image(node, inputs);
    rate_ = static_cast<T>(number_within(node, "rate", 0, 0, 1));
  }
  void forward(const Rows<T>& rows) const override { apply(rows, rows.input(0), rows.output()); }
  void backward(const Rows<T>& rows) const override {
    if (T* dx = rows.input_gradient(0)) apply(rows, rows.output_gradient(), dx);
  }

 private:
  void apply(const Rows<T>& rows, const T* from, T* to) const {
    const Shape& image = this->output.shape;
    if (!rows.pass.training || rate_ == 0) {
      const int64_t count = rows.count * this->output.width();
      return rows.pass.kernels.copy_columns(1, count, from, count, to, count);
    }
    rows.pass.kernels.channel_dropout(key_of(*this, rows.pass), rows.first, rows.count,
                                      image[0] * image[1], image[2], rate_, from, to);
  }
  T rate_ = 0;
};

}  // namespace

const Maker kRandomFlip = maker_of_mover<read_flip>;
const Maker kRandomTranslation = maker_of_mover<read_translation>;
const Maker kRandomCrop = maker_of_mover<read_crop>;
const Maker kZeroPadding2D = maker_of<ZeroPadding2D>;
const Maker kSpatialDropout2D = maker_of<SpatialDropout2D>;

}  // namespace fastnn
