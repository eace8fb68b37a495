// Convolution of 3 x 3 windows by Winograd F(4x4, 3x3).
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

template <class T>
void add_winograd(Kernels<T>&) {}
template void add_winograd<float>(Kernels<float>&);
template void add_winograd<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
