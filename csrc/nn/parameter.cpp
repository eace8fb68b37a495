// Numbers of a parameter in and out, whatever holds them.
#include <algorithm>
#include <cstring>

#include "nn/layer.h"

namespace fastnn {
namespace {

// The nearest bfloat16 of a number, ties to even; NaN stays NaN.
uint16_t nearest_half(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (x != x) return static_cast<uint16_t>(bits >> 16 | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

float widened(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace

template <class T>
void Parameter<T>::write(int64_t first, int64_t count, const T* from) {
  if (halves.size() == 0) {
    std::copy_n(from, count, value.data() + first);
    return;
  }
  uint16_t* to = halves.data() + first;
  for (int64_t i = 0; i < count; ++i) to[i] = nearest_half(static_cast<float>(from[i]));
}

template <class T>
void Parameter<T>::read(int64_t first, int64_t count, T* to) const {
  if (halves.size() == 0) {
    std::copy_n(value.data() + first, count, to);
    return;
  }
  const uint16_t* from = halves.data() + first;
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<T>(widened(from[i]));
}

template struct Parameter<float>;
template struct Parameter<double>;

}  // namespace fastnn
