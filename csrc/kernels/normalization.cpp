// Batch and layer normalisation.
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

template <class T>
void add_normalization(Kernels<T>&) {}
template void add_normalization<float>(Kernels<float>&);
template void add_normalization<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
