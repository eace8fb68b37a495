// What each bind_*.cpp adds to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace fastnn {

void bind_kernels(pybind11::module_& m);
void bind_conv_kernels(pybind11::module_& m);
void bind_image_kernels(pybind11::module_& m);
void bind_norm_kernels(pybind11::module_& m);
void bind_model(pybind11::module_& m);
void bind_topk(pybind11::module_& m);

}  // namespace fastnn
