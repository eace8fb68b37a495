// Ctrl-C during a long call of the core.
#pragma once

#include <pybind11/pybind11.h>

#include <utility>

namespace fastnn {

// Asks Python for pending signals; what a handler raised is kept for the caller.
class SignalPoll {
 public:
  explicit SignalPoll(pybind11::object ask = pybind11::none()) : ask_(std::move(ask)) {}

  bool operator()() {
    const pybind11::gil_scoped_acquire gil;
    try {
      if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
      return !ask_.is_none() && pybind11::cast<bool>(ask_());
    } catch (pybind11::error_already_set& error) {
      exception_ = error.value();
      return true;
    }
  }

  const pybind11::object& exception() const { return exception_; }

  // Throws what a handler raised.
  void raise() const {
    if (exception_.is_none()) return;
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception_.ptr())), exception_.ptr());
    throw pybind11::error_already_set();
  }

 private:
  pybind11::object ask_, exception_ = pybind11::none();
};

}  // namespace fastnn
