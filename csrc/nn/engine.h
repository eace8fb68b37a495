// A model that can be trained and asked: what the bindings show to Python (docs/design.md, 3).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "nn/predictor.h"

namespace fastnn {

// Many may ask, one may train. In a forked child the lock starts afresh: its owners are gone.
class ModelLock {
 public:
  std::shared_mutex& mutex();

 private:
  std::unique_ptr<std::shared_mutex> mutex_ = std::make_unique<std::shared_mutex>();
  uint64_t generation_ = fork_generation();
};

template <class T>
class Engine {
 public:
  Engine(const std::vector<Node>& nodes, const std::vector<int>& outputs, const Options& options);

  std::vector<Shape> shapes() const;  // of the described nodes
  const std::vector<Parameter<T>*>& parameters() const { return network_.parameters; }
  Parameter<T>& parameter(const std::string& name) const;
  // Overwrites elements first .. first + count of a parameter; the caller holds the lock.
  void set(const std::string& name, int64_t first, int64_t count, const T* values);
  // Sums of |w| and of w^2 over a parameter.
  std::pair<double, double> norms(const std::string& name) const;

  void compile(const std::vector<Spec>& losses, const std::vector<double>& loss_weights,
               const Spec& optimizer, const std::vector<std::vector<std::string>>& metrics);

  // Classes that are no negatives, by the id that input `input` has in a row; starts of one element
  // exclude nothing. The ids' classes are sorted.
  void exclude_negatives(int64_t input, const int64_t* starts, int64_t n_starts,
                         const int32_t* classes);

  // Checks ids and labels, then trains; see Run and Report. Loss and metrics are weighted means.
  Report train(const Examples<T>& examples, const Run& run);
  // The same checks; interrupted, or false, when ask wanted to stop, or when predict was asked to
  // look for inputs that are not finite and found one.
  Report evaluate(const Examples<T>& examples, int threads, const Ask& ask);
  bool predict(const Examples<T>& examples, int threads, const std::vector<T*>& outputs,
               bool finite, const Ask& ask);
  // Loss with all penalties over the examples as one batch; gradients by parameter in `gradients`.
  double gradients(const Examples<T>& examples, std::map<std::string, std::vector<T>>& gradients);

  const Network<T>& network() const { return network_; }
  const std::vector<Head<T>>& heads() const { return heads_; }
  const OptimizerPlan& optimizer() const { return optimizer_; }
  bool compiled() const { return compiled_; }
  int64_t step() const { return step_; }
  void set_step(int64_t step) { step_ = step; }
  std::shared_mutex& mutex() { return lock_.mutex(); }

 private:
  void check_ids(const Examples<T>& examples) const;
  void check_labels(const Examples<T>& examples) const;
  void check_compiled() const;
  void check_exact(const OptimizerPlan& plan) const;
  void fold();
  double penalty(const Parameter<T>& parameter, T* gradient) const;

  Network<T> network_;
  Workspaces<T> workspaces_;
  std::vector<Head<T>> heads_;
  Known known_;
  OptimizerPlan optimizer_;
  std::unique_ptr<Trainer<T>> trainer_;
  bool compiled_ = false;
  int64_t step_ = 0;
  ModelLock lock_;
  ModelLock fold_lock_;  // of those who predict, among themselves
  std::atomic<bool> folded_{false};
};

}  // namespace fastnn
