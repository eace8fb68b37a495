// Pooling: the greatest or the mean of every window.
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

template <class T>
void add_pooling(Kernels<T>&) {}
template void add_pooling<float>(Kernels<float>&);
template void add_pooling<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
