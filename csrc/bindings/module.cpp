// The one extension module, fastnn._core.
#include "bindings/bindings.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of fastnn; private, used through the Python modules.";
  m.attr("__version__") = FASTNN_VERSION;
  fastnn::bind_kernels(m);
  fastnn::bind_conv_kernels(m);
  fastnn::bind_image_kernels(m);
  fastnn::bind_norm_kernels(m);
  fastnn::bind_model(m);
  fastnn::bind_topk(m);
}
