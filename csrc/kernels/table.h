// How a file of kernels enters the table of its instruction set.
#pragma once

#include "kernels/kernels.h"

#ifndef FASTNN_ISA
#define FASTNN_ISA baseline
#endif

namespace fastnn::FASTNN_ISA {

template <class T>
void add_dense(Kernels<T>& table);
template <class T>
void add_columns(Kernels<T>& table);
template <class T>
void add_activations(Kernels<T>& table);
template <class T>
void add_losses(Kernels<T>& table);
template <class T>
void add_update(Kernels<T>& table);
template <class T>
void add_catch_up(Kernels<T>& table);
template <class T>
void add_embedding(Kernels<T>& table);
template <class T>
void add_sampling(Kernels<T>& table);
template <class T>
void add_ranking(Kernels<T>& table);
template <class T>
void add_rows(Kernels<T>& table);
template <class T>
void add_noise(Kernels<T>& table);
template <class T>
void add_conv(Kernels<T>& table);
template <class T>
void add_winograd(Kernels<T>& table);
template <class T>
void add_pooling(Kernels<T>& table);
template <class T>
void add_normalization(Kernels<T>& table);
template <class T>
void add_images(Kernels<T>& table);
template <class T>
void add_topk(Kernels<T>& table);
template <class T>
void add_limits(Kernels<T>& table);

void add_bf16(Kernels<float>& table);
void add_embedding_bf16(Kernels<float>& table);
void add_winograd_bf16(Kernels<float>& table);

// Fills both tables of this instruction set.
void fill_tables(Kernels<float>& single, Kernels<double>& twice);

}  // namespace fastnn::FASTNN_ISA
