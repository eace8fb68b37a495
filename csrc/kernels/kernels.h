// The table of kernels: the contents page of the core. Raw pointers and sizes in, results out;
// a kernel allocates nothing, throws nothing, checks nothing, starts no thread, has no state.
// Matrices are row-major; ld* is the distance of two rows in elements. Buffers may be unaligned.
#pragma once

#include <cstdint>

namespace fastnn {

using Index = int64_t;

// Two neighbours of a sum, rounded to bfloat16, the first one in the lower half.
using Bf16Pair = uint32_t;
inline constexpr Index kPairUnit = 16;  // rows of pairs are padded with zeros to a multiple of it

// Elementwise activations; the lists in activations.h, losses.h and update.h keep these orders.
enum class Activation : int {
  kIdentity,
  kRelu,
  kLeakyRelu,
  kElu,
  kGelu,
  kSigmoid,
  kTanh,
  kSoftplus,
  kCount
};
enum class Loss : int {
  kMeanSquaredError,
  kMeanAbsoluteError,
  kHuber,
  kBinaryCrossentropy,
  kCategoricalCrossentropy,
  kCount
};
enum class Optimizer : int { kSgd, kAdagrad, kRmsprop, kFtrl, kAdam, kCount };
// Losses of a label's score against those of classes that its row drew for itself.
enum class Ranking : int { kBpr, kWarp, kLogistic };
enum class BagMode : int { kSum, kMean, kSqrtn, kMax };

// One step's settings of an optimizer (docs/design.md, section 3). Unused ones are ignored.
template <class T>
struct UpdateStep {
  T rate;              // learning rate of this step
  T weight_decay;      // decoupled: w -= rate * weight_decay * w before the step
  T l1, l2;            // of the parameter: proximal, coupled
  T clip_value;        // elements of the gradient are cut to [-clip_value, clip_value]; 0 = off
  T gradient_scale;    // factor of the gradient, from clipping by a norm; 1 = off
  T momentum;          // sgd, rmsprop
  T decay_1, decay_2;  // adam: beta_1, beta_2; rmsprop: decay_2 = rho
  T correction_1;      // adam: 1 / (1 - beta_1^t)
  T correction_2;      // adam: 1 / sqrt(1 - beta_2^t)
  T epsilon;
  T strength_1, strength_2;  // ftrl: its own L1 and L2
  T beta, power;             // ftrl: power = -learning_rate_power
  bool nesterov, centered;
  bool rowwise;  // adagrad on rows of a table: one accumulator a row, s0[v]
};

// The steps of a run, which rows of a table may have missed. All but the pointers hold for the run.
template <class T>
struct Missed {
  const UpdateStep<T>* steps;    // those that were applied, in order
  const double *decays, *rates;  // sums before each step: log(1 - its decay), its rate
  Index now;                     // rows are brought to where they stand before step `now`
  Index then;                    // and marked as having seen the steps before `then`
  Index most;                    // steps replayed one by one; the others are taken together
  double fades[3];               // log of what a step without gradient multiplies each slot by
  int momentum;                  // the slot that moves weights without a gradient, or -1
  bool closed, l1, rowwise;      // decay has a closed form; L1 acts; as UpdateStep's
};

// Who draws random numbers: the last word of a counter; a layer adds 4 times its position.
enum class Stream : uint32_t { kArray = 0, kShuffle = 1, kLayer = 2 };

// Where a layer's numbers come from: key seed, counter (column / 4, row, step, stream).
struct NoiseKey {
  uint64_t seed;
  uint32_t step, stream;
};

// The classes of a layer of scores: class i has the vector v[i] + sum over its slots s, where a
// feature is not -1, of shares[i, s] * f[features[i, s]].
template <class T>
struct Classes {
  Index units, d;
  const T* v;               // [units, d]
  const T* bias;            // [units], or null
  Index slots;              // 0 = without features, and the rest is null
  const int32_t* features;  // [units, slots]
  const T* shares;          // [units, slots]
  const T* f;               // [n_features, d]
};

// Rows of a batch and the classes that each is compared with, the label's first; a class that is
// the label's stands for none.
template <class T>
struct RankedRows {
  Index m, c;
  const T* u;          // [m, d]: the score of a class is the product with its vector, plus its bias
  const int32_t* ids;  // [m, c]
  T margin;            // warp's
  const T* weights;    // [m], or null
  T scale;
  T* losses;      // [m]: weight * loss
  T* ds;          // [m, c] ([m, 2] for warp): weight * scale * derivative of each score
  int32_t* used;  // [m, 2], warp: the label and the class that it is pushed apart from
  T* du;          // [m, d], the gradient of u; or null
  T* scratch;     // c * (d + 1) elements
};

// How a window walks over an image of h x w pixels: its size, strides, distances of its taps, the
// border of nothing around the image, and how many places it stops at.
struct Window {
  Index h, w;           // the image
  Index kh, kw;         // the window
  Index sh, sw;         // strides
  Index dh, dw;         // dilation: distances of the window's taps
  Index top, left;      // border before ...
  Index bottom, right;  // ... and after the image
  Index oh, ow;         // the output
};

// A convolution: kernels w[kh, kw, channels / groups, filters] over images[h, w, channels]. Filters
// f * filters / groups .. of group f see the channels f * channels / groups .. alone.
struct Conv {
  Window window;
  Index channels, filters, groups;
};

// How images are moved at random, in training: flipped, shifted, cut. One draw per image and word:
// 0 horizontal flip, 1 vertical flip (u < 1/2), 2 and 3 rows and columns of the shift or the cut.
struct Moves {
  Index h, w, channels;       // the image
  Index oh, ow;               // the output: a cut when smaller, at floor(u * (h - oh + 1))
  Index rows, columns;        // shifts lie in [-rows, rows]: floor(u * (2 * rows + 1)) - rows
  bool horizontal, vertical;  // flips
  bool nearest;               // what a shift uncovers: the nearest pixel, or zeros
};

// Convolution by Winograd F(4x4, 3x3), for windows of 3 x 3 with stride and dilation 1 and one
// group. The weights come transformed: u for forward and ut for backward_inputs, weights()
// elements each, all zeros at first. Channels begin .. end of both are made of w by transform (ut
// may be null), and are backward_weights' dw[3, 3, end - begin, filters], contiguous. In bfloat16
// the transformed factors are rounded, two to an element, and begin is even.
template <class T>
struct Winograd {
  Index (*weights)(const Conv& conv);
  void (*transform)(const Conv& conv, Index begin, Index end, const T* w, T* u, T* ut);
  void (*forward)(const Conv& conv, Index images, const T* x, const T* u, const T* b, T* y,
                  Activation activation, T* scratch);
  void (*backward_inputs)(const Conv& conv, Index images, const T* dy, const T* ut, T* dx,
                          T* scratch);
  void (*backward_weights)(const Conv& conv, Index images, Index begin, Index end, const T* x,
                           const T* dy, T* dw, T* scratch);
  // Elements of scratch, 64-byte aligned, for forward and backward_inputs, and for
  // backward_weights of `block` channels.
  Index (*scratch)(const Conv& conv, Index block);
  // Channels that one call of backward_weights should take.
  Index (*block)(const Conv& conv);
};

// A candidate of a selection; positions tell equal scores apart.
template <class T>
struct Candidate {
  T score;
  int32_t position;
};
inline constexpr Index kSelectRoom = 64;  // free places that select() wants before it goes on

template <class T>
struct Kernels {
  // --- dense ---------------------------------------------------------------------------------
  // y[m, n] = activation(x[m, k] @ w[k, n] + b[n]); b may be null.
  void (*dense_forward)(Index m, Index k, Index n, const T* x, Index ldx, const T* w, const T* b,
                        T* y, Index ldy, Activation activation);
  // dx[m, k] = dy[m, n] @ w[k, n]^T. scratch: dense_scratch(m, k, n) elements, 64-byte aligned.
  void (*dense_backward_inputs)(Index m, Index k, Index n, const T* dy, Index lddy, const T* w,
                                T* dx, Index lddx, T* scratch);
  Index (*dense_scratch)(Index m, Index k, Index n);
  // dw[p - begin, n] = x[m, begin:end]^T @ dy[m, n] for begin <= p < end, contiguous.
  void (*dense_backward_weights)(Index m, Index begin, Index end, Index n, const T* x, Index ldx,
                                 const T* dy, Index lddy, T* dw);
  // Sizes of calls that suit the caches: rows at a time, elements of dw at a time.
  Index dense_rows, dense_elements;
  // sums[n] = sum over rows of x[m, n], in an order that the shape fixes (columns.h).
  void (*column_sums)(Index m, Index n, const T* x, Index ldx, T* sums);

  // --- bfloat16 factors (floats only: null in the table of doubles) ------------------------------
  // y[count] = the nearest bfloat16, ties to even; denormals become zero. y may be x.
  void (*bf16_round)(Index count, const T* x, T* y);
  // to[m, (n + 1) / 2]: (x[i, 2j], x[i, 2j + 1]). An odd one pairs with zero, here and below.
  void (*bf16_pair_columns)(Index m, Index n, const T* x, Index ldx, Bf16Pair* to, Index ldto);
  // to[(m + 1) / 2, n]: (x[2i, j], x[2i + 1, j]).
  void (*bf16_pair_rows)(Index m, Index n, const T* x, Index ldx, Bf16Pair* to, Index ldto);
  // to[(n + 1) / 2, m]: (x[i, 2j], x[i, 2j + 1]), without padding.
  void (*bf16_pair_transposed)(Index m, Index n, const T* x, Index ldx, Bf16Pair* to, Index ldto);
  // y[m, n] = x @ w + b over pairs x[m, (k + 1) / 2] and w[(k + 1) / 2, n], max(0, .) of it with
  // relu; b may be null. Of a pair the second product is added first; denormals may count as zero.
  void (*bf16_forward)(Index m, Index k, Index n, const Bf16Pair* x, Index ldx, const Bf16Pair* w,
                       Index ldw, const T* b, T* y, bool relu);
  // dw[p - begin, n] = x[m, begin:end]^T @ dy[m, n], contiguous, over pairs of rows x[(m + 1) / 2,
  // end] and dy[(m + 1) / 2, n].
  void (*bf16_backward_weights)(Index m, Index begin, Index end, Index n, const Bf16Pair* x,
                                Index ldx, const Bf16Pair* dy, Index lddy, T* dw);

  // --- convolution (images[h, w, channels] one after the other) --------------------------------
  // y[images, oh, ow, filters] = activation(x * w + b); b may be null.
  void (*conv_forward)(const Conv& conv, Index images, const T* x, const T* w, const T* b, T* y,
                       Activation activation, T* scratch);
  // dx[images, h, w, channels] from dy[images, oh, ow, filters].
  void (*conv_backward_inputs)(const Conv& conv, Index images, const T* dy, const T* w, T* dx,
                               T* scratch);
  // dw[end - begin, filters]: rows begin .. end of the kh * kw * (channels / groups) rows of the
  // kernel, over all images, in their order.
  void (*conv_backward_weights)(const Conv& conv, Index images, Index begin, Index end, const T* x,
                                const T* dy, T* dw, T* scratch);
  // Elements of scratch, 64-byte aligned, for any of the three.
  Index (*conv_scratch)(const Conv& conv);

  Winograd<T> winograd, winograd_bf16;  // null in the table of doubles

  // --- pooling (each channel by itself; the border counts for nothing) --------------------------
  // chosen[images, oh, ow, channels]: pixel (row * w + column) of the first maximum; may be null.
  void (*max_pool_forward)(const Window& window, Index images, Index channels, const T* x, T* y,
                           int32_t* chosen);
  void (*max_pool_backward)(const Window& window, Index images, Index channels,
                            const int32_t* chosen, const T* dy, T* dx);
  // The mean over the pixels of the window that lie in the image.
  void (*average_pool_forward)(const Window& window, Index images, Index channels, const T* x,
                               T* y);
  void (*average_pool_backward)(const Window& window, Index images, Index channels, const T* dy,
                                T* dx);

  // --- normalisation -----------------------------------------------------------------------------
  // mean[n] and squares[n] = sum of (x - mean)^2 of each column of x[m, n].
  void (*column_moments)(Index m, Index n, const T* x, T* mean, T* squares);
  // y[m, n] = activation(x * factor + offset), a factor and an offset per column; y may be x.
  void (*scale_columns)(Index m, Index n, const T* x, const T* factor, const T* offset,
                        Activation activation, T* y);
  // Sums over rows, per column: of dy, and of dy * (x - mean) * inverse.
  void (*batch_norm_sums)(Index m, Index n, const T* x, const T* dy, const T* mean,
                          const T* inverse, T* sums, T* products);
  // dx = (dy - a - (x - mean) * inverse * b) * factor, all but x, dy and dx per column; dx may be
  // dy.
  void (*batch_norm_backward)(Index m, Index n, const T* x, const T* dy, const T* mean,
                              const T* inverse, const T* a, const T* b, const T* factor, T* dx);
  // y[m, n] = (x - mean) / sqrt(variance + epsilon) * gamma + beta over each row; gamma and beta
  // may be null. kept[m, 2]: mean and 1 / sqrt(variance + epsilon) of each row; may be null.
  void (*layer_norm_forward)(Index m, Index n, const T* x, const T* gamma, const T* beta, T epsilon,
                             T* y, T* kept);
  void (*layer_norm_backward)(Index m, Index n, const T* x, const T* dy, const T* gamma,
                              const T* kept, T* dx);
  // dgamma[n] = sum over rows of dy * (x - mean) / sqrt(variance + epsilon).
  void (*layer_norm_gamma)(Index m, Index n, const T* x, const T* dy, const T* kept, T* dgamma);

  // --- images ------------------------------------------------------------------------------------
  // y[images, oh, ow, channels]: images first .. of the batch moved at random; without a key (null)
  // cut in the middle and nothing else. backward carries dy back to dx[images, h, w, channels].
  void (*move_images)(const Moves& moves, const NoiseKey* key, Index first, Index images,
                      const T* x, T* y);
  void (*move_images_backward)(const Moves& moves, const NoiseKey* key, Index first, Index images,
                               const T* dy, T* dx);
  // Dropout of whole channels: one draw per image and channel (column = channel).
  void (*channel_dropout)(const NoiseKey& key, Index first, Index images, Index pixels,
                          Index channels, T rate, const T* x, T* y);

  // --- activations ---------------------------------------------------------------------------
  // y[count] = f(x); y may be x.
  void (*activation_forward)(Activation f, Index count, const T* x, T* y);
  // dx[count] = dy * f'(x), from y (gelu: from x, the only one that reads it); dx may be dy.
  void (*activation_backward)(Activation f, Index count, const T* x, const T* y, const T* dy,
                              T* dx);
  // y[m, n] = softmax of each row of x; y may be x.
  void (*softmax_forward)(Index m, Index n, const T* x, T* y);
  // dx[m, n] = y * (dy - sum(dy * y)) for each row; dx may be dy.
  void (*softmax_backward)(Index m, Index n, const T* y, const T* dy, T* dx);

  // --- losses --------------------------------------------------------------------------------
  // losses[m] = weight * loss of row (mean over n outputs); dz[m, n] = weight * scale * gradient.
  // z are predictions, or logits for the cross-entropies; dz may be null (no gradient) or z.
  // weights[m] may be null (ones). delta is huber's.
  void (*loss)(Loss kind, Index m, Index n, const T* z, const T* target, const T* weights, T scale,
               T delta, T* losses, T* dz);
  // The same for categorical cross-entropy: labels[m] in [0, n).
  void (*loss_labels)(Index m, Index n, const T* z, const int32_t* labels, const T* weights,
                      T scale, T* losses, T* dz);
  // out[m] = weight * mean over n of the metric: mean_squared_error, mean_absolute_error or
  // (binary accuracy) (z > threshold) == target.
  void (*metric_squared)(Index m, Index n, const T* z, const T* target, const T* weights, T* out);
  void (*metric_absolute)(Index m, Index n, const T* z, const T* target, const T* weights, T* out);
  void (*metric_binary)(Index m, Index n, const T* z, const T* target, const T* weights,
                        T threshold, T* out);
  // out[m] = weight * (argmax of the row == label); the first of equal maxima.
  void (*metric_labels)(Index m, Index n, const T* z, const int32_t* labels, const T* weights,
                        T* out);

  // --- sums in a fixed order (lanes of 16, then a tree), in double ----------------------------
  double (*sum)(Index count, const T* x);
  double (*sum_squares)(Index count, const T* x);

  // --- optimizers ----------------------------------------------------------------------------
  // One step on w[count] with gradient g and slots s0, s1, s2 (null when the rule has fewer):
  // sgd momentum | adagrad accumulator | rmsprop velocity, momentum, average | adam m, v.
  // stream: write w past the caches, for large weights that other cores read next.
  void (*update)(Optimizer kind, const UpdateStep<T>& step, Index count, T* w, T* s0, T* s1, T* s2,
                 const T* g, bool stream);
  // g[count] = gradient_scale 1, coupled L2 and clip_value applied: for norms before the update.
  void (*regularize)(Index count, const T* w, T l2, T clip_value, T* g);

  // --- embeddings (table[v, d]; ids are checked by the caller) ---------------------------------
  // y[i, :] = table[ids[i], :], i < count, rows of y ldy apart.
  void (*embedding_forward)(Index count, Index d, const T* table, const int32_t* ids, T* y,
                            Index ldy);
  // Sorts positions 0..count-1 by ids (stable), ids < v. order[count]; rows[r] the distinct ids in
  // rising order and starts[r] where each begins in order (starts[distinct] = count). Returns the
  // number of distinct ids. scratch: sort_scratch(count, v) int32.
  Index (*sort_ids)(Index count, Index v, const int32_t* ids, int32_t* order, int32_t* rows,
                    int32_t* starts, int32_t* scratch);
  Index (*sort_scratch)(Index count, Index v);
  // g[r, d] = sum over starts[r] <= i < starts[r + 1] of dy[order[i], d], in that order, r < count.
  void (*embedding_sums)(Index count, Index d, const int32_t* starts, const int32_t* order,
                         const T* dy, T* g);
  // update for the rows rows[0..count) of a table (and of its slots), with gradients g[count, d];
  // `more` rows follow in rows and are asked for ahead. With step.rowwise rows may be null: the
  // first ones.
  void (*update_rows)(Optimizer kind, const UpdateStep<T>& step, Index count, Index more, Index d,
                      const int32_t* rows, T* w, T* s0, T* s1, T* s2, const T* g);
  // update_rows for a table held as bfloat16 (T = float): its rows are rounded stochastically, by
  // the upper 16 bits of words at `noise` (counter column / 4, row).
  void (*update_rows_bf16)(Optimizer kind, const UpdateStep<T>& step, Index count, Index more,
                           Index d, const int32_t* rows, uint16_t* w, T* s0, T* s1, T* s2,
                           const T* g, const NoiseKey& noise);
  // embedding_forward from such a table.
  void (*gather_bf16)(Index count, Index d, const uint16_t* table, const int32_t* ids, T* y,
                      Index ldy);
  // Rows rows[0..count) (null: the first ones) go through the steps they missed: row r has seen
  // those before last[r].
  void (*catch_up_rows)(Optimizer kind, const Missed<T>& missed, Index count, Index d,
                        const int32_t* rows, int32_t* last, T* w, T* s0, T* s1, T* s2);
  // y[m, d] = combination of the k rows ids[m, k] of each bag, weights[m, k] or null; ids equal to
  // padding are left out; an empty bag gives zeros. mean divides by the sum of weights, sqrtn by
  // the root of the sum of squared weights (1 each without weights); max takes no weights and
  // writes to chosen[m, d] the position in the bag (-1 for an empty bag; chosen may be null).
  void (*bag_forward)(BagMode mode, Index m, Index k, Index d, const T* table, const int32_t* ids,
                      int32_t padding, const T* weights, T* y, int32_t* chosen);
  // dy_ids[m * k, d]: the gradient of each looked-up row (zeros for padding), as if embedding had
  // been used; dweights[m, k] may be null.
  void (*bag_backward)(BagMode mode, Index m, Index k, Index d, const T* table, const int32_t* ids,
                       int32_t padding, const T* weights, const int32_t* chosen, const T* y,
                       const T* dy, T* dy_ids, T* dweights);

  // --- classes drawn, and their scores ---------------------------------------------------------
  // ids[m, n], rows ldids apart: rows first .. of the batch draw classes of [0, units), word j of a
  // row at counter (j / 4, row, step, stream). alias[units, 2]: threshold and other of the alias
  // table (docs/design.md, section 4), or null for uniform draws.
  void (*draw_classes)(const NoiseKey& key, Index first, Index m, Index n, Index units,
                       const uint32_t* alias, int32_t* ids, Index ldids);
  // y[count, d] = the vectors of classes ids[count].
  void (*class_rows)(Index count, const Classes<T>& classes, const int32_t* ids, T* y);
  // Losses and gradients of rows that draw for themselves.
  void (*ranking)(Ranking kind, const Classes<T>& classes, const RankedRows<T>& rows);
  // Cross-entropy of the label among itself, with logit label[m], and columns with logits
  // z[m, n] + added[n]: losses[m] = weight * loss; z and label become weight * scale * gradient.
  void (*sampled_softmax)(Index m, Index n, T* z, Index ldz, const T* added, T* label,
                          const T* weights, T scale, T* losses);
  // y[i, :] += factors[i] * x[i, :].
  void (*add_scaled_rows)(Index m, Index d, const T* factors, const T* x, T* y);
  // g[r, d] = sum over starts[r] <= i < starts[r + 1] of coefficients[p] * x[p / k, d], p =
  // order[i], in that order, r < count.
  void (*weighted_sums)(Index count, Index d, const int32_t* starts, const int32_t* order, Index k,
                        const T* coefficients, const T* x, T* g);
  // out[count, slots] = factors[i] * shares[ids[i], s].
  void (*feature_coefficients)(Index count, const Classes<T>& classes, const int32_t* ids,
                               const T* factors, T* out);
  // y[m, units] += sum over slots of shares[i, s] * z[m, features[i, s]], rows of z n_features
  // long.
  void (*feature_scores)(Index m, Index n_features, const Classes<T>& classes, const T* z, T* y);
  // dz[m, n_features] from dy[m, units].
  void (*feature_scores_backward)(Index m, Index n_features, const Classes<T>& classes, const T* dy,
                                  T* dz);

  // --- rows ----------------------------------------------------------------------------------
  // y[i, :n] = x[rows[i], :n], i < m; rows null: the first m rows. Rows of x are n apart.
  void (*gather_rows)(Index m, Index n, const T* x, const int32_t* rows, T* y);
  // The same from bytes, which become numbers of the same value.
  void (*gather_bytes)(Index m, Index n, const uint8_t* x, const int32_t* rows, T* y);
  // y[m] = sum over d of a[m, d] * b[m, d].
  void (*dot_forward)(Index m, Index d, const T* a, const T* b, T* y);
  // da[m, d] = dy[m] * b[m, :], db likewise; either may be null.
  void (*dot_backward)(Index m, Index d, const T* a, const T* b, const T* dy, T* da, T* db);
  void (*copy_columns)(Index m, Index n, const T* x, Index ldx, T* y, Index ldy);
  void (*add)(Index count, const T* a, const T* b, T* y);            // y = a + b; y may be a or b
  void (*multiply)(Index count, const T* a, const T* b, T* y);       // y = a * b; y may be a or b
  void (*scale)(Index count, const T* x, T factor, T offset, T* y);  // y = x * factor + offset

  // --- the best of a catalogue ---------------------------------------------------------------
  // Appends (x[p], first + p) to found[*n_found] for all x[p] > threshold, in order, and goes on
  // while kSelectRoom of `room` places are free. Returns how many of x[count] it looked at.
  Index (*select)(Index count, const T* x, T threshold, int32_t first, Index room,
                  Candidate<T>* found, Index* n_found);
  // Adds to *above and *equal how many of x[count] are higher than, and the same as, score.
  void (*count_scores)(Index count, const T* x, T score, Index* above, Index* equal);
  // y[m, n] = -|q[i] - v[j]|, the distance of rows of q[m, d] and v[n, d]; rows of y are ldy apart.
  // scratch: distance_scratch(d) elements, 64-byte aligned.
  void (*distances)(Index m, Index n, Index d, const T* q, const T* v, T* y, Index ldy, T* scratch);
  Index (*distance_scratch)(Index d);

  // --- noise (m rows of n columns, the first row is row `first` of the batch) -------------------
  // y = x * keep / (1 - rate) where keep = (u >= rate); backward is the same call on dy.
  void (*dropout)(const NoiseKey& key, Index first, Index m, Index n, T rate, const T* x, T* y);
  // y = x + stddev * normal.
  void (*gaussian_noise)(const NoiseKey& key, Index first, Index m, Index n, T stddev, const T* x,
                         T* y);
  // out[i] = low + (high - low) * u, or mean + stddev * normal, for elements first + i, i < count,
  // of the arrays of section 4; first is a multiple of 4.
  void (*random_uniform)(uint64_t seed, uint32_t stream, Index first, Index count, T low, T high,
                         T* out);
  void (*random_normal)(uint64_t seed, uint32_t stream, Index first, Index count, T mean, T stddev,
                        T* out);
  // order[n]: the rows of an epoch (docs/design.md, section 4).
  void (*epoch_order)(uint64_t seed, uint32_t epoch, Index n, int32_t* order);

  // --- activity penalty ------------------------------------------------------------------------
  // penalties[m] += weight * sum over n of (l1 |x| + l2 x^2) per row;
  // dx[m, n] = dy + weight * scale * (l1 sign(x) + 2 l2 x); penalties may be null, dy and dx
  // may be null together.
  void (*activity_penalty)(Index m, Index n, const T* x, T l1, T l2, const T* weights, T scale,
                           T* penalties, const T* dy, T* dx);

  // --- the machine's limit, for benches --------------------------------------------------------
  // `rounds` multiply-adds in every lane of most registers, and nothing else. Returns how many
  // operations that was, two each; sum is there so that none can be left out.
  double (*multiply_adds)(Index rounds, T* sum);
  // Rows rows[0..count) of w[v, d] read, changed and written: what an update of a table can reach.
  void (*random_rows)(Index count, Index d, const int32_t* rows, T* w);
};

// --- dispatch ----------------------------------------------------------------------------------
// Instruction sets this machine can run, best first: "avx512bf16" (avx512 with the instruction for
// bfloat16 factors), "avx512", "avx2", "baseline".
int n_instruction_sets();
const char* instruction_set(int i);
// The table of one instruction set; i from 0 (best).
template <class T>
const Kernels<T>& kernels_of(int i);
// The table in use: the best, or what FASTNN_ISA in the environment names (read once).
template <class T>
const Kernels<T>& kernels();
// Position of the set in use.
int chosen_instruction_set();

}  // namespace fastnn
