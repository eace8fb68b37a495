// All threading of the core: a team of OpenMP threads, a barrier, and how many threads to use.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace fastnn {

// Threads a call may use when it does not say: set_threads if given, else what OpenMP grants
// (OMP_NUM_THREADS, threadpoolctl, joblib) within the affinity mask of the process.
// 1 in a forked child, where OpenMP's threads no longer exist.
int default_threads();

// 0 goes back to the automatic choice.
void set_threads(int threads);

// Grows by one in every forked child; locks taken before belong to threads that are gone.
uint64_t fork_generation();

// Spins for a moment, then sleeps: pure spinning loses a scheduler slice whenever another process
// wants the core.
class Barrier {
 public:
  explicit Barrier(int members) : members_(members) {}
  void wait();

 private:
  bool passed(uint32_t phase) const { return phase_.load(std::memory_order_seq_cst) != phase; }

  const int members_;
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> phase_{0};
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// What a member of a team sees of it.
struct Team {
  int member;  // 0 is the calling thread
  int size;
  Barrier& barrier;
  void wait() const {
    if (size > 1) barrier.wait();
  }
};

// Runs body in at most `threads` threads at once and returns when all are done. The team may be
// smaller than asked for. What body throws is thrown again at the end; a member that others wait
// for must not throw.
void parallel(int threads, const std::function<void(const Team&)>& body);

}  // namespace fastnn
