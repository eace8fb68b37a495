// Errors of the core: one exception type, sizes multiplied without overflow.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

namespace fastnn {

// Throws std::invalid_argument (ValueError in Python) with the parts joined when ok is false.
template <class... Parts>
void check(bool ok, const Parts&... parts) {
  if (ok) return;
  std::ostringstream text;
  (text << ... << parts);
  throw std::invalid_argument(text.str());
}

// a * b for sizes; throws when the product leaves int64.
inline int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t product = 0;
  check(a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, &product), "size: expected a product of ",
        a, " and ", b, " below 2**63");
  return product;
}

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  check(!__builtin_add_overflow(a, b, &sum), "size: expected a sum of ", a, " and ", b,
        " below 2**63");
  return sum;
}

}  // namespace fastnn
