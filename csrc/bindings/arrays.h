// The one door through which NumPy arrays enter the core: py::array in, checked pointer out.
// Nothing is converted: an array of another kind, byte order or layout is refused with its name.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "base/shape.h"

namespace fastnn {

// A dimension that may have any size.
constexpr int64_t kAny = -1;

// "float32", "int32" ... of a C++ type.
template <class T>
std::string dtype_name() {
  static_assert(std::is_arithmetic_v<T>);
  const char* kind = std::is_same_v<T, bool>       ? "bool"
                     : std::is_floating_point_v<T> ? "float"
                     : std::is_signed_v<T>         ? "int"
                                                   : "uint";
  return std::is_same_v<T, bool> ? kind : kind + std::to_string(8 * sizeof(T));
}

// "float32", ">f8" ... of an array, as NumPy prints its dtype.
inline std::string dtype_name(const pybind11::array& array) { return pybind11::str(array.dtype()); }

inline Shape shape_of(const pybind11::array& array) {
  return Shape(array.shape(), array.shape() + array.ndim());
}

// True when the elements are native Ts: kind, size and byte order agree.
template <class T>
bool holds(const pybind11::array& array) {
  const pybind11::dtype type = array.dtype();
  const char kind = std::is_same_v<T, bool>       ? 'b'
                    : std::is_floating_point_v<T> ? 'f'
                    : std::is_signed_v<T>         ? 'i'
                                                  : 'u';
  return type.kind() == kind && type.itemsize() == static_cast<pybind11::ssize_t>(sizeof(T)) &&
         type.byteorder() != '>' && type.byteorder() != '<';
}

namespace arrays {

// "(3, any)"; any for a free dimension.
inline std::string expected_shape(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] == kAny ? "any" : std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

inline bool fits(const pybind11::array& array, const std::vector<int64_t>& shape) {
  if (array.ndim() != static_cast<pybind11::ssize_t>(shape.size())) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t size = array.shape(static_cast<pybind11::ssize_t>(i));
    if (shape[i] != kAny && shape[i] != size) return false;
  }
  return true;
}

template <class T>
bool is_aligned(const pybind11::array& array) {
  return reinterpret_cast<uintptr_t>(array.data()) % alignof(T) == 0;
}

inline bool is_contiguous(const pybind11::array& array) {
  return (array.flags() & pybind11::array::c_style) != 0;
}

template <class T>
void check_layout(const pybind11::array& array, const std::string& name) {
  if (!holds<T>(array)) {
    throw pybind11::type_error(name + ": expected a native " + dtype_name<T>() + " array, got " +
                               dtype_name(array));
  }
  check(is_aligned<T>(array), name, ": expected an aligned array, got an unaligned one");
  check(is_contiguous(array), name, ": expected a C-contiguous array, got a strided one");
}

template <class T>
void check_array(const pybind11::array& array, const std::string& name,
                 const std::vector<int64_t>& shape) {
  check_layout<T>(array, name);
  check(fits(array, shape), name, ": expected shape ", expected_shape(shape), ", got ",
        to_string(shape_of(array)));
}

}  // namespace arrays

// True when input<T> would take the array.
template <class T>
bool is_ready(const pybind11::array& array, const std::vector<int64_t>& shape) {
  return holds<T>(array) && arrays::is_aligned<T>(array) && arrays::is_contiguous(array) &&
         arrays::fits(array, shape);
}

// The elements of an array that is only read: T exactly, native, aligned, C-contiguous, and of
// this shape (kAny for a free dimension). The array must outlive the pointer.
template <class T>
const T* input(const pybind11::array& array, const std::string& name,
               const std::vector<int64_t>& shape) {
  arrays::check_array<T>(array, name, shape);
  return static_cast<const T*>(array.data());
}

// The same for any shape.
template <class T>
const T* input(const pybind11::array& array, const std::string& name) {
  arrays::check_layout<T>(array, name);
  return static_cast<const T*>(array.data());
}

// The elements of an array that is written to: as input, and writable.
template <class T>
T* output(pybind11::array& array, const std::string& name, const std::vector<int64_t>& shape) {
  arrays::check_array<T>(array, name, shape);
  check(array.writeable(), name, ": expected a writable array, got a read-only one");
  return static_cast<T*>(array.mutable_data());
}

// A new C-contiguous array of this shape; its elements are not set.
template <class T>
pybind11::array_t<T> new_array(const Shape& shape) {
  return pybind11::array_t<T>(shape);
}

}  // namespace fastnn
