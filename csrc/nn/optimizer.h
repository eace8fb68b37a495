// An optimizer as the engine uses it: the rule, its slots, clipping.
#pragma once

#include <string>
#include <vector>

#include "nn/layer.h"

namespace fastnn {

std::vector<std::string> optimizer_names();

struct OptimizerPlan {
  Optimizer kind = Optimizer::kSgd;
  double weight_decay = 0, momentum = 0, rho = 0.9, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  double initial_accumulator = 0;
  double l1 = 0, l2 = 0, beta = 0, power = 0.5;                // ftrl
  double clip_value = 0, clip_norm = 0, global_clip_norm = 0;  // 0 = off
  bool nesterov = false, centered = false, rowwise = false;
  std::string slot_names[3];  // "" where the rule has no such slot

  bool clips_norms() const { return clip_norm > 0 || global_clip_norm > 0; }
};

// Refuses unknown kinds, numbers out of range and more than one way of clipping.
OptimizerPlan plan_optimizer(const Spec& spec);

// Allocates and fills the slots of a parameter.
template <class T>
void reset_slots(const OptimizerPlan& plan, Parameter<T>& parameter);

// The kernel's settings for step t (from 1); the penalties are those of a parameter.
template <class T>
UpdateStep<T> update_step(const OptimizerPlan& plan, double rate, int64_t t);

}  // namespace fastnn
