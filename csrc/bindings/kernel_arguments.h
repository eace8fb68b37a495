// What the bound kernels share: tables by name, choices by name, shapes of arguments.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "bindings/arrays.h"
#include "kernels/kernels.h"

namespace fastnn {

using Pair = std::pair<pybind11::array, pybind11::array>;
using Triple = std::tuple<pybind11::array, pybind11::array, pybind11::array>;
using Optional = std::optional<pybind11::array>;

inline std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (int i = 0; i < n_instruction_sets(); ++i) names.emplace_back(instruction_set(i));
  return names;
}

// The choice of this name, as its position in the list.
template <class Choice>
Choice named(const std::vector<std::string>& names, const std::string& wanted,
             const char* argument) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == wanted) return static_cast<Choice>(i);
    list += (i > 0 ? ", " : "") + names[i];
  }
  check(false, argument, ": expected one of ", list, ", got ", wanted);
  return Choice{};
}

template <class T>
const Kernels<T>& table(const std::string& isa) {
  return kernels_of<T>(named<int>(instruction_sets(), isa, "isa"));
}

// Calls body(0.0F) or body(0.0), by the dtype of the first array.
template <class Body>
auto by_type(const pybind11::array& array, const char* name, Body body) {
  if (holds<float>(array)) return body(0.0F);
  if (!holds<double>(array)) {
    throw pybind11::type_error(std::string(name) + ": expected float32 or float64, got " +
                               dtype_name(array));
  }
  return body(0.0);
}

// Rows and columns of an array of rank 2.
inline std::pair<int64_t, int64_t> matrix(const pybind11::array& array, const char* name) {
  check(array.ndim() == 2, name, ": expected rank 2, got rank ", array.ndim());
  return {array.shape(0), array.shape(1)};
}

// Null for None.
template <class T>
const T* maybe(const Optional& array, const char* name, const std::vector<int64_t>& shape) {
  return array ? input<T>(*array, name, shape) : nullptr;
}

// int32 ids of any shape with `count` elements, all in [0, v).
inline const int32_t* ids(const pybind11::array& array, const char* name, int64_t count,
                          int64_t v) {
  const auto* values = input<int32_t>(array, name);
  check(array.size() == count, name, ": expected ", count, " ids, got ", array.size());
  for (int64_t i = 0; i < count; ++i) {
    check(values[i] >= 0 && values[i] < v, name, ": expected values in [0, ", v, "), got ",
          values[i], " at position ", i);
  }
  return values;
}

// A window from h, w, kh, kw, sh, sw, dh, dw, top, left, bottom, right: the reference's Window.
inline Window window_of(const std::array<int64_t, 12>& n) {
  const auto [h, w, kh, kw, sh, sw, dh, dw, top, left, bottom, right] = n;
  for (size_t i = 0; i < n.size(); ++i) {
    check(n[i] >= (i < 8 ? 1 : 0), "window: expected sizes of at least 1 and no negative border");
  }
  const int64_t high = h + top + bottom - (kh - 1) * dh - 1;
  const int64_t wide = w + left + right - (kw - 1) * dw - 1;
  check(high >= 0 && wide >= 0, "window: expected one no larger than image and border");
  return {h, w, kh, kw, sh, sw, dh, dw, top, left, bottom, right, high / sh + 1, wide / sw + 1};
}

// Adds the kernels of tables, rows and noise to k, and the sources of random numbers to m.
void bind_row_kernels(pybind11::module_& m, pybind11::module_& k);
void bind_update_kernels(pybind11::module_& k);
void bind_winograd_kernels(pybind11::module_& k);
void bind_bf16_kernels(pybind11::module_& k);
void bind_ranking_kernels(pybind11::module_& k);

}  // namespace fastnn
