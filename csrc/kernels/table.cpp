// The table of one instruction set.
#include "kernels/table.h"

namespace fastnn::FASTNN_ISA {

template <class T>
static void fill(Kernels<T>& table) {
  add_dense(table);
  add_columns(table);
  add_activations(table);
  add_losses(table);
  add_update(table);
  add_catch_up(table);
  add_embedding(table);
  add_sampling(table);
  add_ranking(table);
  add_rows(table);
  add_noise(table);
  add_conv(table);
  add_winograd(table);
  add_pooling(table);
  add_normalization(table);
  add_images(table);
  add_topk(table);
  add_limits(table);
}

void fill_tables(Kernels<float>& single, Kernels<double>& twice) {
  fill(single);
  add_bf16(single);
  add_embedding_bf16(single);
  add_winograd_bf16(single);
  fill(twice);
}

}  // namespace fastnn::FASTNN_ISA
