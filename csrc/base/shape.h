// Shapes of rows: the batch axis is left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"

namespace fastnn {

using Shape = std::vector<int64_t>;

// Number of elements; 1 for the empty shape.
inline int64_t size_of(const Shape& shape) {
  int64_t size = 1;
  for (int64_t axis : shape) size = checked_multiply(size, axis);
  return size;
}

// "(3, 4)", "(3,)", "()" as Python prints a tuple.
inline std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace fastnn
