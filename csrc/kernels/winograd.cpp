// Convolution of 3 x 3 windows by Winograd F(4x4, 3x3): a quarter of the multiplications. Float
// only: the entries for double are null.
#include "kernels/winograd_passes.h"

namespace fastnn::FASTNN_ISA {
namespace {

struct Factors {
  using Row = float;
  using Column = float;
  using Word = float;
  using Strip = fastnn::FASTNN_ISA::Strip;
  static constexpr Index kRowTiles = 24, kColumnTiles = 24, kShare = 1;
  // A block repeats the transform of the gradient: 32 channels cost 8 % more than 64, 16 a quarter.
  static Index block(Index channels) { return channels < 128 ? 32 : 64; }
};

}  // namespace

template <>
void add_winograd<float>(Kernels<float>& table) {
  table.winograd = winograd_kernels<Factors>();
}
template <>
void add_winograd<double>(Kernels<double>&) {}

}  // namespace fastnn::FASTNN_ISA
