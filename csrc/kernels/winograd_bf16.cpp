// Winograd's convolution whose transformed factors are rounded to bfloat16.
#include "kernels/bf16_tile.h"
#include "kernels/winograd_passes.h"

namespace fastnn::FASTNN_ISA {
namespace {

struct PairStrip {
  Index k;
  const Bf16Pair* a;
  Index a_row, a_step;
  const Bf16Pair* b;
  Index ldb;
  float* c;
  Index ldc;
  bool accumulate;
};

void run_panel(const PairStrip& s, Index m, Index vectors) {
  const float* start = s.accumulate ? s.c : nullptr;
  multiply_pairs(m, vectors * kWidth,
                 {s.k, s.a, s.a_row, s.a_step, s.b, s.ldb, 0, start, s.ldc, s.c, s.ldc, false});
}

struct Bf16Factors {
  using Row = Bf16;
  using Column = Bf16Pair;
  using Word = Bf16Pair;
  using Strip = PairStrip;
  // The products are cheaper: more of them for each transform of a gradient.
  static constexpr Index kRowTiles = 24, kColumnTiles = 96, kShare = 2;
  static Index block(Index channels) { return channels <= 128 ? 64 : 128; }
  static FASTNN_INLINE Pairs join(Lanes v, Lanes next) { return pair(v, next); }
};

}  // namespace

// Tiles 2 t and 2 t + 1 share row t. Not in the unnamed namespace, where the passes would not look.
template <class Line>
void spread(const Square& square, Index begin, Index end, const PlanesOf<Bf16Pair>& to,
            Index tile) {
  const auto planes = [&](auto* data) {
    return PlanesOf<std::remove_pointer_t<decltype(data)>>{data, to.plane, to.ld};
  };
  if (tile % 2 == 0) {
    spread<Line>(square, begin, end, planes(reinterpret_cast<FirstOfPair*>(to.data)), tile / 2);
  } else {
    spread<Line>(square, begin, end, planes(reinterpret_cast<SecondOfPair*>(to.data)), tile / 2);
  }
}

void add_winograd_bf16(Kernels<float>& table) {
  table.winograd_bf16 = winograd_kernels<Bf16Factors>();
}

}  // namespace fastnn::FASTNN_ISA
