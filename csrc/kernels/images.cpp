// Random flips, shifts and cuts of images, and dropout of channels.
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

template <class T>
void add_images(Kernels<T>&) {}
template void add_images<float>(Kernels<float>&);
template void add_images<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
