#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <memory>

namespace fastnn {
namespace {

constexpr int kSpins = 4000;  // about 50 us: longer than the phases of a small step differ

std::atomic<int> wanted_threads{0};
std::atomic<uint64_t> generation{0};

// A child of fork has one thread; OpenMP would wait for workers that do not exist.
const int fork_handler = pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

int granted_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return omp_get_num_procs();
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace

int default_threads() {
  if (fork_generation() > 0) return 1;
  const int wanted = wanted_threads.load();
  if (wanted > 0) return wanted;
  return std::min(omp_get_max_threads(), granted_processors());
}

void set_threads(int threads) { wanted_threads.store(threads); }

uint64_t fork_generation() { return generation.load(); }

void Barrier::wait() {
  const uint32_t phase = phase_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) {
      const std::lock_guard<std::mutex> lock(mutex_);
      wake_.notify_all();
    }
    return;
  }
  for (int spin = 0; spin < kSpins; ++spin) {
    if (passed(phase)) return;
    relax();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  wake_.wait(lock, [&] { return passed(phase); });
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void parallel(int threads, const std::function<void(const Team&)>& body) {
  if (threads <= 1 || fork_generation() > 0) {
    Barrier alone(1);
    body({0, 1, alone});
    return;
  }
  std::unique_ptr<Barrier> barrier;
  std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
  {
    // OpenMP may grant fewer threads than asked for (limits, nesting).
#pragma omp single
    barrier = std::make_unique<Barrier>(omp_get_num_threads());
    try {
      body({omp_get_thread_num(), omp_get_num_threads(), *barrier});
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace fastnn
