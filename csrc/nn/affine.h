// Layers that, in prediction, multiply each channel by a factor and add an offset: what a
// convolution before them can do with its own weights.
#pragma once

namespace fastnn {

template <class T>
class Affine {
 public:
  // factor[c] and offset[c] of every channel, from the weights of now.
  virtual void affine(T* factor, T* offset) const = 0;

 protected:
  ~Affine() = default;
};

}  // namespace fastnn
