// sparse_update="exact": what rows that no batch looked up need to know of the steps they missed.
#pragma once

#include <string>
#include <vector>

#include "nn/optimizer.h"

namespace fastnn {

// Why rows cannot catch up exactly under this optimizer and these penalties; "" if they can.
std::string no_exact_form(const OptimizerPlan& plan, double l1, double l2);

// The steps of a run, for one table.
template <class T>
class MissedSteps {
 public:
  MissedSteps() = default;
  MissedSteps(const OptimizerPlan& plan, double l1, double l2);

  // Whether a step changes a row that has no gradient.
  bool matter() const { return matter_; }
  // Forgets the steps and makes room for as many as there are rates.
  void begin(const std::vector<double>& rates);
  void record(const UpdateStep<T>& step);
  // As the kernel wants it: up to step `now`; rows count as having seen those before `then`.
  Missed<T> until(int64_t now, int64_t then) const;

 private:
  double keep(T rate) const;

  OptimizerPlan plan_;
  T l1_ = 0, l2_ = 0;
  bool matter_ = false, closed_ = true;
  int64_t most_ = 0;
  std::vector<UpdateStep<T>> steps_;
  std::vector<double> decays_, rates_;
};

}  // namespace fastnn
