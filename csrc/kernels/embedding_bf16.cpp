// Tables held as bfloat16: rows widened to floats when they are looked up; an update rounds up or
// down by chance, so that small steps are not lost on average.
#include "kernels/philox.h"
#include "kernels/update_block.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kAhead = 8;  // rows between a prefetch and its use

FASTNN_INLINE float widen(uint16_t half) {
  return bit_cast<float>(static_cast<uint32_t>(half) << 16);
}

// The neighbour above with the probability of the part cut off; NaN stays NaN.
FASTNN_INLINE uint16_t round_by(float x, uint32_t word) {
  const auto bits = bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + (word >> 16)) >> 16, nan = bits >> 16 | 0x40U;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? nan : rounded);
}

FASTNN_INLINE void prefetch_halves(Index d, const uint16_t* row) {
  for (Index p = 0; p < d && p < 256; p += 32) __builtin_prefetch(row + p);
}

void gather_bf16(Index count, Index d, const uint16_t* table, const int32_t* ids, float* y,
                 Index ldy) {
  for (Index i = 0; i < count; ++i) {
    if (i + kAhead < count) prefetch_halves(d, table + ids[i + kAhead] * d);
    const uint16_t* row = table + ids[i] * d;
    float* to = y + i * ldy;
#pragma omp simd
    for (Index j = 0; j < d; ++j) to[j] = widen(row[j]);
  }
}

// What a step multiplies a row's gradient by, with one accumulator a row.
float rowwise_size(const UpdateStep<float>& step, const Extras<float>& extras, Index d,
                   const uint16_t* w, const float* g, float& accumulator) {
  float lanes[kBlock<float>] = {};
  for (Index p = 0; p < d; p += kBlock<float>) {
    const Index n = least(kBlock<float>, d - p);
    for (Index j = 0; j < n; ++j) {
      const float gradient = extras.gradient(g[p + j], widen(w[p + j]));
      lanes[j] += gradient * gradient;
    }
  }
  float total = 0;
  for (float lane : lanes) total += lane;
  accumulator += total / static_cast<float>(d);
  return step.rate / (vsqrt(accumulator) + step.epsilon);
}

// Columns p .. of a row, kNumbers of them at most: one draw of words.
template <class Rule>
FASTNN_INLINE void update_piece(const UpdateStep<float>& step, const Extras<float>& extras,
                                Index left, uint16_t* w, const Arrays<float>& at,
                                const uint32_t* words) {
  constexpr Index kLanes = kBlock<float>;
  float values[kLanes], g_copy[kLanes], s0_copy[kLanes], s1_copy[kLanes], s2_copy[kLanes];
  for (Index p = 0; p < least(left, kNumbers); p += kLanes) {
    const Index rest = left - p, n = least(kLanes, rest);
    for (Index j = 0; j < kLanes; ++j) values[j] = j < n ? widen(w[p + j]) : 0.0F;
    const float* g = open(at.g + p, rest, g_copy);
    float* s0 = Rule::kSlots & 1 ? open(at.s0 + p, rest, s0_copy) : nullptr;
    float* s1 = Rule::kSlots & 2 ? open(at.s1 + p, rest, s1_copy) : nullptr;
    float* s2 = Rule::kSlots & 4 ? open(at.s2 + p, rest, s2_copy) : nullptr;
    update_block<float, Rule, true>(step, extras, values, values, s0, s1, s2, g);
    for (Index j = 0; j < n; ++j) w[p + j] = round_by(values[j], words[p + j]);
    if constexpr (Rule::kSlots & 1) close(at.s0 + p, rest, s0_copy);
    if constexpr (Rule::kSlots & 2) close(at.s1 + p, rest, s1_copy);
    if constexpr (Rule::kSlots & 4) close(at.s2 + p, rest, s2_copy);
  }
}

template <class Rule>
void update_row(const UpdateStep<float>& step, const Extras<float>& extras, Index row, Index d,
                uint16_t* w, const Arrays<float>& at, const NoiseKey& noise) {
  alignas(64) uint32_t words[kNumbers];
  for (Index p = 0; p < d; p += kNumbers) {
    const Counter counter{static_cast<uint32_t>(p / 4), static_cast<uint32_t>(row), noise.step,
                          noise.stream};
    draw(noise.seed, counter, words);
    const auto from = [p](float* s) { return s == nullptr ? s : s + p; };
    update_piece<Rule>(step, extras, d - p, w + p,
                       {nullptr, from(at.s0), from(at.s1), from(at.s2), at.g + p}, words);
  }
}

void update_rows_bf16(Optimizer kind, const UpdateStep<float>& given, Index count, Index more,
                      Index d, const int32_t* rows, uint16_t* w, float* s0, float* s1, float* s2,
                      const float* g, const NoiseKey& noise) {
  const UpdateStep<float> step = given;
  const Extras<float> extras(step);
  const Arrays<float> at{nullptr, step.rowwise ? nullptr : s0, s1, s2, g};
  const Optimizer rule_kind = step.rowwise ? Optimizer::kSgd : kind;  // with the row's own rate
  with_rule(rule_kind, step, at, [&](auto rule, auto) {
    using Rule = decltype(rule);
    for (Index i = 0; i < count; ++i) {
      if (i + kAhead < count + more) {
        const Index next = rows[i + kAhead];
        prefetch_halves(d, w + next * d);
        if constexpr (Rule::kSlots & 1) prefetch_row(d, at.s0 + next * d);
        if constexpr (Rule::kSlots & 2) prefetch_row(d, at.s1 + next * d);
        if constexpr (Rule::kSlots & 4) prefetch_row(d, at.s2 + next * d);
      }
      const Index row = rows[i], from = row * d;
      const auto slot = [from](float* s) { return s == nullptr ? s : s + from; };
      UpdateStep<float> own = step;
      if (step.rowwise) own.rate = rowwise_size(step, extras, d, w + from, g + i * d, s0[row]);
      update_row<Rule>(own, extras, row, d, w + from,
                       {nullptr, slot(at.s0), slot(at.s1), slot(at.s2), g + i * d}, noise);
    }
  });
}

}  // namespace

void add_embedding_bf16(Kernels<float>& table) {
  table.gather_bf16 = gather_bf16;
  table.update_rows_bf16 = update_rows_bf16;
}

}  // namespace fastnn::FASTNN_ISA
