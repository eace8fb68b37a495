// The window of a convolution or a pooling, planned from a node's settings and checked against the
// image. Rows (l, c) are images of height 1.
#pragma once

#include <string>

#include "nn/planning.h"

namespace fastnn {
namespace windows {

// How a window walks along one axis.
struct Axis {
  int64_t n, size, stride, dilation, before, after;

  int64_t extent() const { return (size - 1) * dilation + 1; }
  int64_t places() const { return (n + before + after - extent()) / stride + 1; }
  bool fits() const { return n + before + after >= extent(); }
};

// One whole number in [least, 2**31) per axis, or two.
inline Shape numbers(const Node& node, const std::string& name, size_t count, int64_t least) {
  const auto found = node.config.shapes.find(name);
  check(found != node.config.shapes.end(), node.name, ": expected ", name, " of ", count,
        count == 1 ? " number" : " numbers", ", got nothing");
  bool valid = found->second.size() == count;
  for (int64_t number : found->second) valid = valid && number >= least && number < (1LL << 31);
  check(valid, node.name, ": expected ", name, " of ", count, " whole ",
        count == 1 ? "number" : "numbers", " in [", least, ", 2**31), got ",
        to_string(found->second));
  return found->second;
}

inline Shape numbers(const Node& node, const std::string& name, const Shape& otherwise) {
  const bool given = node.config.shapes.count(name) > 0;
  return given ? numbers(node, name, otherwise.size(), 1) : otherwise;
}

// Fills in the borders: nothing, as many as keep ceil(n / stride) places, or what is given.
inline void add_border(const Node& node, std::vector<Axis>& axes) {
  if (node.config.shapes.count("padding") > 0) {
    const Shape given = numbers(node, "padding", 2 * axes.size(), 0);
    for (size_t i = 0; i < axes.size(); ++i) {
      axes[i].before = given[2 * i];
      axes[i].after = given[2 * i + 1];
    }
    return;
  }
  const std::string padding = node.config.word("padding", "valid");
  check(padding == "valid" || padding == "same", node.name,
        ": expected padding to be valid, same or ", 2 * axes.size(), " numbers, got ", padding);
  if (padding == "valid") return;
  for (Axis& axis : axes) {
    const int64_t last = (axis.n - 1) / axis.stride * axis.stride;
    const int64_t border = std::max<int64_t>(last + axis.extent() - axis.n, 0);
    axis.before = border / 2;
    axis.after = border - border / 2;
  }
}

// Refuses a window larger than the image with its border.
inline void check_fit(const Node& node, const char* size_name, const std::vector<Axis>& axes) {
  Shape image, size, extent, bordered;
  bool fits = true, has_border = false;
  for (const Axis& axis : axes) {
    image.push_back(axis.n);
    size.push_back(axis.size);
    extent.push_back(axis.extent());
    bordered.push_back(axis.n + axis.before + axis.after);
    fits = fits && axis.fits();
    has_border = has_border || bordered.back() > axis.n;
  }
  check(fits, node.name, ": expected an image of at least ", to_string(extent), " for ", size_name,
        " ", to_string(size), ", got ", to_string(image),
        has_border ? ", with its border " + to_string(bordered) : "");
}

}  // namespace windows

// Checks for numbers of shape (h, w, c), or (l, c) where axes is 1.
inline void check_image(const Node& node, const Value& input, size_t axes = 2) {
  check_floats(node, input);
  check(input.shape.size() == axes + 1, node.name, ": expected an input of shape ",
        axes == 1 ? "(length, channels)" : "(rows, columns, channels)", ", got ",
        to_string(input.shape));
}

// The window over an image (h, w, c) or a row (l, c). size_name is "kernel_size" or "pool_size". A
// convolution is dilated and its strides are 1 unless given; a pooling's are its size, and each of
// its windows must meet the image.
inline Window read_window(const Node& node, const Shape& image, const char* size_name,
                          bool dilated) {
  const size_t n_axes = image.size() - 1;
  const Shape ones(n_axes, 1), size = windows::numbers(node, size_name, n_axes, 1);
  const Shape strides = windows::numbers(node, "strides", dilated ? ones : size);
  const Shape dilation = dilated ? windows::numbers(node, "dilation_rate", ones) : ones;
  std::vector<windows::Axis> axes;
  for (size_t i = 0; i < n_axes; ++i) {
    axes.push_back({image[i], size[i], strides[i], dilation[i], 0, 0});
  }
  windows::add_border(node, axes);
  windows::check_fit(node, size_name, axes);
  for (const windows::Axis& axis : axes) {
    check(dilated || (axis.before < axis.size && axis.after < axis.size), node.name,
          ": expected padding smaller than ", size_name, " ", to_string(size), ", got ",
          axis.before, " and ", axis.after);
  }
  if (n_axes == 1) axes.insert(axes.begin(), {1, 1, 1, 1, 0, 0});
  const windows::Axis &h = axes[0], &w = axes[1];
  return {h.n,        w.n,      h.size,   w.size,  h.stride, w.stride,   h.dilation,
          w.dilation, h.before, w.before, h.after, w.after,  h.places(), w.places()};
}

}  // namespace fastnn
