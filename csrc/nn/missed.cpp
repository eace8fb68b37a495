#include "nn/missed.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastnn {
namespace {

// Which slot moves a weight without a gradient, or -1.
int momentum_slot(const OptimizerPlan& plan) {
  switch (plan.kind) {
    case Optimizer::kSgd:
      return plan.momentum > 0 ? 0 : -1;
    case Optimizer::kRmsprop:
      return plan.momentum > 0 ? 1 : -1;
    case Optimizer::kAdam:
      return 0;
    default:
      return -1;
  }
}

// Steps after which momentum that shrinks by `ratio` a step moves nothing that T can hold. Adam's
// corrections let moves grow meanwhile, and all that follow add up to 1 / (1 - ratio) of the first.
template <class T>
int64_t steps_of_momentum(double ratio) {
  constexpr double kRoom = 32;
  if (ratio >= 1) return std::numeric_limits<int64_t>::max();
  if (ratio <= 0) return 0;
  const double rest = std::numeric_limits<T>::epsilon() * (1 - ratio) / kRoom;
  return static_cast<int64_t>(std::ceil(std::log(rest) / std::log(ratio)));
}

template <class T>
int64_t steps_to_replay(const OptimizerPlan& plan) {
  if (momentum_slot(plan) < 0) return 0;
  if (plan.kind != Optimizer::kAdam) return steps_of_momentum<T>(plan.momentum);
  return steps_of_momentum<T>(plan.beta_1 / std::sqrt(plan.beta_2));
}

}  // namespace

std::string no_exact_form(const OptimizerPlan& plan, double l1, double l2) {
  const bool plain = plan.kind == Optimizer::kSgd && plan.momentum == 0;
  if (l2 > 0 && !plain) {
    return "an L2 regularizer and any optimizer but SGD without momentum; use weight_decay";
  }
  if (l2 > 0 && plan.clips_norms()) {
    return "an L2 regularizer and clipping by a norm; use weight_decay or clipvalue";
  }
  if (l1 > 0 && momentum_slot(plan) >= 0) {
    return "an L1 regularizer and momentum; use Adagrad, FTRL or SGD without momentum";
  }
  if (l1 > 0 && plan.kind == Optimizer::kRmsprop) {
    return "an L1 regularizer and RMSprop; use Adagrad, FTRL or SGD without momentum";
  }
  return "";
}

template <class T>
MissedSteps<T>::MissedSteps(const OptimizerPlan& plan, double l1, double l2)
    : plan_(plan),
      l1_(static_cast<T>(l1)),
      l2_(static_cast<T>(l2)),
      matter_(plan.kind != Optimizer::kFtrl &&
              (plan.kind == Optimizer::kRmsprop || momentum_slot(plan) >= 0 || l1 > 0 || l2 > 0 ||
               plan.weight_decay > 0)) {}

// What a step without gradient multiplies a weight by, as the update rounds it.
template <class T>
double MissedSteps<T>::keep(T rate) const {
  const T kept = T{1} - rate * static_cast<T>(plan_.weight_decay);
  return static_cast<double>(kept) - 2.0 * static_cast<double>(rate) * static_cast<double>(l2_);
}

template <class T>
void MissedSteps<T>::begin(const std::vector<double>& rates) {
  steps_.clear();
  steps_.reserve(rates.size());
  for (std::vector<double>* sums : {&decays_, &rates_}) {
    sums->assign(1, 0.0);
    sums->reserve(rates.size() + 1);
  }
  const bool shrinks = l1_ > 0, decays = plan_.weight_decay > 0 || l2_ > 0;
  closed_ = !(shrinks && decays) && !(l2_ > 0 && plan_.clip_value > 0);
  for (double rate : rates) closed_ = closed_ && keep(static_cast<T>(rate)) > 0;
  most_ = closed_ ? steps_to_replay<T>(plan_) : std::numeric_limits<int64_t>::max();
}

template <class T>
void MissedSteps<T>::record(const UpdateStep<T>& step) {
  steps_.push_back(step);
  steps_.back().l1 = l1_;
  steps_.back().l2 = l2_;
  rates_.push_back(rates_.back() + static_cast<double>(step.rate));
  decays_.push_back(decays_.back() + (closed_ ? std::log(keep(step.rate)) : 0));
}

template <class T>
Missed<T> MissedSteps<T>::until(int64_t now, int64_t then) const {
  const auto log = [](double factor) { return std::log(static_cast<double>(T(factor))); };
  Missed<T> missed{};
  missed.steps = steps_.data();
  missed.decays = decays_.data();
  missed.rates = rates_.data();
  missed.now = now;
  missed.then = then;
  missed.most = most_;
  if (plan_.kind == Optimizer::kSgd) missed.fades[0] = log(plan_.momentum);
  if (plan_.kind == Optimizer::kRmsprop) {
    missed.fades[0] = missed.fades[2] = log(plan_.rho);
    missed.fades[1] = log(plan_.momentum);
  }
  if (plan_.kind == Optimizer::kAdam) {
    missed.fades[0] = log(plan_.beta_1);
    missed.fades[1] = log(plan_.beta_2);
  }
  missed.momentum = momentum_slot(plan_);
  missed.closed = closed_;
  missed.l1 = l1_ > 0;
  missed.rowwise = plan_.rowwise;
  return missed;
}

template class MissedSteps<float>;
template class MissedSteps<double>;

}  // namespace fastnn
