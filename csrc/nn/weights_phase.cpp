// The weights phase of a step: pieces of parameters, from their gradient to their new value.
#include <algorithm>
#include <cmath>

#include "nn/trainer.h"

namespace fastnn {
namespace {

constexpr int64_t kStreamedElements = 1 << 24;  // weights that no cache holds go past them

// Whether tile i > 0 belongs to another parameter than the one before it.
bool starts_parameter(const std::vector<Tile>& tiles, size_t i) {
  return tiles[i].layer != tiles[i - 1].layer || tiles[i].parameter != tiles[i - 1].parameter;
}

}  // namespace

template <class T>
void Trainer<T>::weights_phase(const Team& team, const UpdateStep<T>& update,
                               const NoiseKey& noise) {
  if (team.member == 0) {
    const Pass<T> pass{kernels_};
    for (size_t node : mixers_) {
      const Layer<T>& layer = *network_.layers[node];
      layer.finish(Rows<T>(layer, arena_->memory, pass, 0, count_));
    }
  }
  if (!store_) return update_tiles(team, update, noise);
  store_gradients(team, true);
  team.wait();
  apply_gradients(team, update, noise);
}

// The gradient of a tile over the batch, in this thread's scratch.
template <class T>
T* Trainer<T>::tile_gradient(const Team& team, const Tile& tile) const {
  T* g = const_cast<T*>(scratch_[static_cast<size_t>(team.member)].data());
  Pass<T> pass{kernels_};
  pass.scratch = g + tile_elements_;
  const Layer<T>& layer = *network_.layers[static_cast<size_t>(tile.layer)];
  layer.gradient(tile, Rows<T>(layer, arena_->memory, pass, 0, count_), g);
  return g;
}

// Each tile's gradient is summed over the batch and used at once; it never leaves the caches.
template <class T>
void Trainer<T>::update_tiles(const Team& team, const UpdateStep<T>& update,
                              const NoiseKey& noise) {
  const auto member = static_cast<size_t>(team.member);
  for (size_t i = bounds_[member]; i < bounds_[member + 1]; ++i) {
    const Tile& tile = tiles_[i];
    update_tile(tile, update, tile_gradient(team, tile), tile.end - tile.begin, team.size > 1);
  }
  tables_.update(kernels_, arena_->memory, optimizer_, update, noise, team.member, team.size,
                 scratch_[member].data());
}

// g: the gradient of the first run, that of the others each `stride` elements after.
template <class T>
void Trainer<T>::update_tile(const Tile& tile, UpdateStep<T> update, const T* g, int64_t stride,
                             bool shared) {
  Parameter<T>& parameter = parameter_of(tile);
  update.l1 = static_cast<T>(parameter.l1);
  update.l2 = store_ ? T{0} : static_cast<T>(parameter.l2);  // stored gradients hold it already
  update.rowwise = parameter.rowwise;
  if (parameter.rowwise) {  // a tile of whole rows
    const int64_t d = parameter.shape[1];
    const Slots<T> slots(parameter, tile.begin / d);
    kernels_.update_rows(optimizer_.kind, update, tile.size() / d, 0, d, nullptr,
                         parameter.value.data() + tile.begin, slots[0], nullptr, nullptr, g);
  }
  for (int64_t run = 0; run < tile.runs && !parameter.rowwise; ++run) {
    const int64_t begin = tile.begin + run * tile.stride;
    const Slots<T> slots(parameter, begin);
    kernels_.update(optimizer_.kind, update, tile.end - tile.begin, parameter.value.data() + begin,
                    slots[0], slots[1], slots[2], g + run * stride,
                    shared && parameter.size() >= kStreamedElements);
  }
  network_.layers[static_cast<size_t>(tile.layer)]->refresh(&tile);
}

template <class T>
void Trainer<T>::store_gradients(const Team& team, bool penalized) {
  const auto member = static_cast<size_t>(team.member);
  for (size_t i = bounds_[member]; i < bounds_[member + 1]; ++i) {
    const Tile& tile = tiles_[i];
    Parameter<T>& parameter = parameter_of(tile);
    const T l2 = penalized ? static_cast<T>(parameter.l2) : T{0};
    const T* found = tile_gradient(team, tile);
    const int64_t length = tile.end - tile.begin;
    tile_squares_[i] = 0;
    for (int64_t run = 0; run < tile.runs; ++run) {
      const int64_t begin = tile.begin + run * tile.stride;
      T* g = parameter.gradient.data() + begin;
      std::copy_n(found + run * length, length, g);
      kernels_.regularize(length, parameter.value.data() + begin, l2, T{0}, g);
      tile_squares_[i] += kernels_.sum_squares(length, g);
    }
  }
  tables_.store(kernels_, arena_->memory, penalized, team.member, team.size,
                scratch_[member].data());
}

// Factors that bring norms down to their bounds: one per layer's parameter in tiles_' order of
// parameters, then one per table.
template <class T>
void Trainer<T>::gradient_scales(std::vector<double>& squares) const {
  squares.clear();
  for (size_t i = 0; i < tiles_.size(); ++i) {
    if (i == 0 || starts_parameter(tiles_, i)) squares.push_back(0);
    squares.back() += tile_squares_[i];
  }
  for (size_t t = 0; t < tables_.tables().size(); ++t) squares.push_back(tables_.squared_norm(t));
  double total = 0;
  for (double square : squares) total += square;
  for (double& square : squares) {
    const bool global = optimizer_.global_clip_norm > 0;
    const double bound = global ? optimizer_.global_clip_norm : optimizer_.clip_norm;
    const double norm = std::sqrt(global ? total : square);
    square = bound > 0 && norm > bound ? bound / norm : 1.0;
  }
}

template <class T>
void Trainer<T>::apply_gradients(const Team& team, const UpdateStep<T>& update,
                                 const NoiseKey& noise) {
  const auto member = static_cast<size_t>(team.member);
  std::vector<double>& scales = scales_[member];
  gradient_scales(scales);
  size_t parameter_number = 0;
  for (size_t i = 0; i < bounds_[member + 1]; ++i) {
    const Tile& tile = tiles_[i];
    if (i > 0 && starts_parameter(tiles_, i)) ++parameter_number;
    if (i < bounds_[member]) continue;
    UpdateStep<T> own = update;
    own.gradient_scale = static_cast<T>(scales[parameter_number]);
    own.clip_value = 0;
    update_tile(tile, own, parameter_of(tile).gradient.data() + tile.begin, tile.stride,
                team.size > 1);
  }
  const double* of_tables = scales.data() + scales.size() - tables_.tables().size();
  tables_.apply(kernels_, optimizer_, update, noise, of_tables, team.member, team.size);
}

template void Trainer<float>::weights_phase(const Team&, const UpdateStep<float>&, const NoiseKey&);
template void Trainer<double>::weights_phase(const Team&, const UpdateStep<double>&,
                                             const NoiseKey&);
template void Trainer<float>::store_gradients(const Team&, bool);
template void Trainer<double>::store_gradients(const Team&, bool);

}  // namespace fastnn
