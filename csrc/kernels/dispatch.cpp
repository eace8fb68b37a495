// Picks the table of kernels at first use.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "kernels/kernels.h"

namespace fastnn {
namespace baseline {
void fill_tables(Kernels<float>& single, Kernels<double>& twice);
}
#ifdef FASTNN_X86
namespace avx2 {
void fill_tables(Kernels<float>& single, Kernels<double>& twice);
}
namespace avx512 {
void fill_tables(Kernels<float>& single, Kernels<double>& twice);
}
namespace avx512bf16 {
void add_bf16(Kernels<float>& table);
void add_winograd_bf16(Kernels<float>& table);
}  // namespace avx512bf16
#endif

namespace {

struct Tables {
  const char* name;
  Kernels<float> single;
  Kernels<double> twice;
};

template <class Fill>
void add(std::vector<Tables>& all, const char* name, Fill fill) {
  all.push_back({name, {}, {}});
  fill(all.back().single, all.back().twice);
}

std::vector<Tables> usable_tables() {
  std::vector<Tables> all;
#ifdef FASTNN_X86
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd");
  if (v4 && __builtin_cpu_supports("avx512bf16")) {
    add(all, "avx512bf16", avx512::fill_tables);
    avx512bf16::add_bf16(all.back().single);
    avx512bf16::add_winograd_bf16(all.back().single);
  }
  if (v4) add(all, "avx512", avx512::fill_tables);
  if (v3) add(all, "avx2", avx2::fill_tables);
#endif
  add(all, "baseline", baseline::fill_tables);
  return all;
}

const std::vector<Tables>& tables() {
  static const std::vector<Tables> all = usable_tables();
  return all;
}

int choose() {
  const char* wanted = std::getenv("FASTNN_ISA");
  if (wanted == nullptr || *wanted == '\0') return 0;
  std::string names;
  for (int i = 0; i < n_instruction_sets(); ++i) {
    if (std::strcmp(wanted, instruction_set(i)) == 0) return i;
    names += std::string(i > 0 ? ", " : "") + instruction_set(i);
  }
  check(false, "FASTNN_ISA: expected one of ", names, ", got ", wanted);
  return 0;
}

}  // namespace

int n_instruction_sets() { return static_cast<int>(tables().size()); }

const char* instruction_set(int i) { return tables()[static_cast<size_t>(i)].name; }

int chosen_instruction_set() {
  static const int chosen = choose();
  return chosen;
}

template <>
const Kernels<float>& kernels_of<float>(int i) {
  return tables()[static_cast<size_t>(i)].single;
}

template <>
const Kernels<double>& kernels_of<double>(int i) {
  return tables()[static_cast<size_t>(i)].twice;
}

template <class T>
const Kernels<T>& kernels() {
  return kernels_of<T>(chosen_instruction_set());
}
template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

}  // namespace fastnn
