#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>

namespace fastnn {
namespace {

double within(const Spec& spec, const char* name, double otherwise, double low, double high) {
  const double value = spec.config.number(name, otherwise);
  check(std::isfinite(value) && value >= low && value <= high, name, ": expected a number in [",
        low, ", ", high, "], got ", value);
  return value;
}

double positive_or_none(const Spec& spec, const char* name) {
  const double value = spec.config.number(name, 0);
  check(spec.config.numbers.count(name) == 0 || (std::isfinite(value) && value > 0), name,
        ": expected a number above 0, got ", value);
  return value;
}

void name_slots(OptimizerPlan& plan) {
  switch (plan.kind) {
    case Optimizer::kSgd:
      if (plan.momentum > 0) plan.slot_names[0] = "momentum";
      break;
    case Optimizer::kAdagrad:
      plan.slot_names[0] = "accumulator";
      break;
    case Optimizer::kFtrl:
      plan.slot_names[0] = "accumulator";
      plan.slot_names[1] = "linear";
      break;
    case Optimizer::kRmsprop:
      plan.slot_names[0] = "velocity";
      if (plan.momentum > 0) plan.slot_names[1] = "momentum";
      if (plan.centered) plan.slot_names[2] = "average";
      break;
    default:
      plan.slot_names[0] = "momentum";
      plan.slot_names[1] = "velocity";
  }
}

}  // namespace

std::vector<std::string> optimizer_names() {
  return {"sgd", "adagrad", "rmsprop", "ftrl", "adam", "adamw"};
}

OptimizerPlan plan_optimizer(const Spec& spec) {
  OptimizerPlan plan;
  const auto names = optimizer_names();
  const auto found = std::find(names.begin(), names.end(), spec.kind);
  check(found != names.end(),
        "optimizer: expected one of sgd, adagrad, rmsprop, ftrl, adam, adamw, got ", spec.kind);
  const auto last = static_cast<long>(Optimizer::kAdam);  // adamw is adam with another default
  plan.kind = static_cast<Optimizer>(std::min(static_cast<long>(found - names.begin()), last));
  plan.weight_decay = within(spec, "weight_decay", 0, 0, 1e30);
  plan.momentum = within(spec, "momentum", 0, 0, 1);
  plan.rho = within(spec, "rho", 0.9, 0, 1);
  plan.beta_1 = within(spec, "beta_1", 0.9, 0, 1 - 1e-9);
  plan.beta_2 = within(spec, "beta_2", 0.999, 0, 1 - 1e-9);
  plan.epsilon = within(spec, "epsilon", 1e-7, 0, 1e30);
  plan.initial_accumulator = within(spec, "initial_accumulator_value", 0, 0, 1e30);
  plan.l1 = within(spec, "l1", 0, 0, 1e30);
  plan.l2 = within(spec, "l2", 0, 0, 1e30);
  plan.beta = within(spec, "beta", 0, 0, 1e30);
  plan.power = -within(spec, "learning_rate_power", -0.5, -1e30, 0);
  check(plan.kind != Optimizer::kFtrl || plan.weight_decay == 0,
        "weight_decay: expected none for ftrl, whose weights follow from its sums, got ",
        plan.weight_decay, "; use l2");
  plan.rowwise = plan.kind == Optimizer::kAdagrad && spec.config.number("rowwise", 0) != 0;
  plan.nesterov = spec.config.number("nesterov", 0) != 0;
  plan.centered = spec.config.number("centered", 0) != 0;
  plan.clip_value = positive_or_none(spec, "clipvalue");
  plan.clip_norm = positive_or_none(spec, "clipnorm");
  plan.global_clip_norm = positive_or_none(spec, "global_clipnorm");
  check((plan.clip_value > 0) + (plan.clip_norm > 0) + (plan.global_clip_norm > 0) <= 1,
        "optimizer: expected at most one of clipvalue, clipnorm and global_clipnorm, got several");
  name_slots(plan);
  return plan;
}

template <class T>
void reset_slots(const OptimizerPlan& plan, Parameter<T>& parameter) {
  parameter.rowwise = plan.rowwise && parameter.table;
  for (int slot = 0; slot < 3; ++slot) {
    const bool used = parameter.trainable && !plan.slot_names[slot].empty();
    parameter.slots[slot].reset(used ? size_of(parameter.slot_shape()) : 0);
  }
  if (plan.kind == Optimizer::kAdagrad || plan.kind == Optimizer::kFtrl) {
    T* accumulator = parameter.slots[0].data();
    std::fill(accumulator, accumulator + parameter.slots[0].size(),
              static_cast<T>(plan.initial_accumulator));
  }
}

template <class T>
UpdateStep<T> update_step(const OptimizerPlan& plan, double rate, int64_t t) {
  UpdateStep<T> step{};
  const auto steps = static_cast<double>(t);
  const bool adam = plan.kind == Optimizer::kAdam;
  step.rate = static_cast<T>(rate);
  step.weight_decay = static_cast<T>(plan.weight_decay);
  step.clip_value = static_cast<T>(plan.clip_value);
  step.gradient_scale = 1;
  step.momentum = static_cast<T>(plan.momentum);
  step.decay_1 = static_cast<T>(plan.beta_1);
  step.decay_2 = static_cast<T>(adam ? plan.beta_2 : plan.rho);
  step.correction_1 = static_cast<T>(1 / (1 - std::pow(plan.beta_1, steps)));
  step.correction_2 = static_cast<T>(1 / std::sqrt(1 - std::pow(plan.beta_2, steps)));
  step.epsilon = static_cast<T>(plan.epsilon);
  step.strength_1 = static_cast<T>(plan.l1);
  step.strength_2 = static_cast<T>(plan.l2);
  step.beta = static_cast<T>(plan.beta);
  step.power = static_cast<T>(plan.power);
  step.rowwise = plan.rowwise;
  step.nesterov = plan.nesterov;
  step.centered = plan.centered;
  return step;
}

template void reset_slots(const OptimizerPlan&, Parameter<float>&);
template void reset_slots(const OptimizerPlan&, Parameter<double>&);
template UpdateStep<float> update_step(const OptimizerPlan&, double, int64_t);
template UpdateStep<double> update_step(const OptimizerPlan&, double, int64_t);

}  // namespace fastnn
