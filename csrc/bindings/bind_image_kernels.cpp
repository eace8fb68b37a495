// _core.kernels: images moved at random, dropout of channels.
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "bindings/kernel_arguments.h"

namespace py = pybind11;

namespace fastnn {
namespace {

// Seed, step and stream; none: as predict does it.
using Key = std::optional<std::tuple<uint64_t, uint32_t, uint32_t>>;

NoiseKey noise_key(const Key& key) {
  if (!key) return {};
  return {std::get<0>(*key), std::get<1>(*key), std::get<2>(*key)};
}

// x is of shape (images, h, w, channels), size (oh, ow), shift (rows, columns).
Moves moves_of(const Shape& x, const std::pair<int64_t, int64_t>& size,
               const std::pair<int64_t, int64_t>& shift, const std::string& flip, bool nearest) {
  check(x.size() == 4, "x: expected rank 4, got rank ", x.size());
  const auto [oh, ow] = size;
  check(oh >= 0 && oh <= x[1] && ow >= 0 && ow <= x[2], "size: expected at most (", x[1], ", ",
        x[2], "), got (", oh, ", ", ow, ")");
  for (const int64_t most : {shift.first, shift.second})
    check(most >= 0 && most < 1 << 30, "shift: expected 0 or more, got ", most);
  const int flips = named<int>({"none", "horizontal", "vertical", "both"}, flip, "flip");
  return {x[1],   x[2], x[3], oh, ow, shift.first, shift.second, (flips & 1) != 0, (flips & 2) != 0,
          nearest};
}

py::array move_images(const std::string& isa, const py::array& x,
                      const std::pair<int64_t, int64_t>& size,
                      const std::pair<int64_t, int64_t>& shift, const std::string& flip,
                      bool nearest, const Key& key, int64_t first) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const Moves moves = moves_of(shape_of(x), size, shift, flip, nearest);
    const NoiseKey at = noise_key(key);
    auto y = new_array<T>({x.shape(0), moves.oh, moves.ow, moves.channels});
    table<T>(isa).move_images(moves, key ? &at : nullptr, first, x.shape(0), input<T>(x, "x"),
                              y.mutable_data());
    return y;
  });
}

// x is of the shape of dx alone.
py::array move_images_backward(const std::string& isa, const py::array& x, const py::array& dy,
                               const std::pair<int64_t, int64_t>& shift, const std::string& flip,
                               bool nearest, const Key& key, int64_t first) {
  return by_type(dy, "dy", [&](auto zero) -> py::array {
    using T = decltype(zero);
    check(dy.ndim() == 4, "dy: expected rank 4, got rank ", dy.ndim());
    const Shape shape = shape_of(x);
    const Moves moves = moves_of(shape, {dy.shape(1), dy.shape(2)}, shift, flip, nearest);
    const NoiseKey at = noise_key(key);
    auto dx = new_array<T>(shape);
    table<T>(isa).move_images_backward(
        moves, key ? &at : nullptr, first, shape[0],
        input<T>(dy, "dy", {shape[0], moves.oh, moves.ow, moves.channels}), dx.mutable_data());
    return dx;
  });
}

// x is of shape (images, pixels, channels).
py::array channel_dropout(const std::string& isa, const py::array& x, double rate, uint64_t seed,
                          uint32_t step, uint32_t stream, int64_t first) {
  return by_type(x, "x", [&](auto zero) -> py::array {
    using T = decltype(zero);
    check(x.ndim() == 3, "x: expected rank 3, got rank ", x.ndim());
    auto y = new_array<T>(shape_of(x));
    table<T>(isa).channel_dropout({seed, step, stream}, first, x.shape(0), x.shape(1), x.shape(2),
                                  static_cast<T>(rate), input<T>(x, "x"), y.mutable_data());
    return y;
  });
}

}  // namespace

void bind_image_kernels(py::module_& m) {
  py::module_ k = m.attr("kernels");
  const auto isa = py::arg("isa"), x = py::arg("x"), shift = py::arg("shift"),
             flip = py::arg("flip"), nearest = py::arg("nearest"), key = py::arg("key");
  k.def("move_images", &move_images, isa, x, py::arg("size"), shift, flip, nearest, key,
        py::arg("first") = 0);
  k.def("move_images_backward", &move_images_backward, isa, x, py::arg("dy"), shift, flip, nearest,
        key, py::arg("first") = 0);
  k.def("channel_dropout", &channel_dropout, isa, x, py::arg("rate"), py::arg("seed"),
        py::arg("step"), py::arg("stream"), py::arg("first") = 0);
}

}  // namespace fastnn
