"""Operations as plain functions of NumPy arrays, each with its gradient: PyTorch's names.

They run on the kernels that train models, so a network written with them predicts what the same
`Model` predicts, bit for bit. Weights are those of ``get_weights()``: a matrix is (inputs,
outputs) and `linear` computes ``x @ weight + bias``. PyTorch's ``linear`` wants the transpose.

Every operation has a companion ``<name>_backward``. After an operation it takes the gradient of
the output, then the operation's own arguments: ``relu(x)``, ``relu_backward(dy, x)``. After a
loss it takes the loss's own arguments and gives the gradient with respect to the first. Gradients
of tables are `RowGradient`: the rows that were looked up, and no others.

Arrays may be of any number type and order. The result is float64 if an array among the arguments
is, else float32 if one is; lists and integers go along, and alone they make float64. NaN and
infinity pass through. Nothing is written to, but the running statistics that `batch_norm` moves
in training, and no function uses more than one thread.

Images are (n, rows, columns, channels), channels last, and the weights of a convolution (kh, kw,
channels / groups, filters).

Examples
--------
Two layers, forward and backward.

>>> import numpy as np
>>> from fastnn import functional as F
>>> x, target = np.ones((4, 3), np.float32), [0, 1, 1, 0]
>>> w1, w2 = np.full((3, 5), 0.5, np.float32), np.zeros((5, 2), np.float32)
>>> z = F.linear(x, w1)
>>> logits = F.linear(F.relu(z), w2)
>>> round(F.cross_entropy(logits, target), 4)
0.6931
>>> dlogits = F.cross_entropy_backward(logits, target)
>>> dhidden, dw2, db2 = F.linear_backward(dlogits, F.relu(z), w2)
>>> dx, dw1, db1 = F.linear_backward(F.relu_backward(dhidden, z), x, w1)
>>> dw1.shape, dw2.shape
((3, 5), (5, 2))
"""

from fastnn.functional.activations import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    log_softmax,
    log_softmax_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    softplus,
    softplus_backward,
    tanh,
    tanh_backward,
)
from fastnn.functional.conv import conv1d, conv1d_backward, conv2d, conv2d_backward
from fastnn.functional.dense import linear, linear_backward
from fastnn.functional.embedding import (
    RowGradient,
    embedding,
    embedding_backward,
    embedding_bag,
    embedding_bag_backward,
)
from fastnn.functional.losses import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
    cross_entropy,
    cross_entropy_backward,
    huber_loss,
    huber_loss_backward,
    kl_div,
    kl_div_backward,
    l1_loss,
    l1_loss_backward,
    mse_loss,
    mse_loss_backward,
    nll_loss,
    nll_loss_backward,
)
from fastnn.functional.noise import dropout, dropout_backward
from fastnn.functional.normalization import (
    batch_norm,
    batch_norm_backward,
    layer_norm,
    layer_norm_backward,
)
from fastnn.functional.pooling import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

__all__ = [
    "RowGradient",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "embedding",
    "embedding_backward",
    "embedding_bag",
    "embedding_bag_backward",
    "gelu",
    "gelu_backward",
    "huber_loss",
    "huber_loss_backward",
    "kl_div",
    "kl_div_backward",
    "l1_loss",
    "l1_loss_backward",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mse_loss",
    "mse_loss_backward",
    "nll_loss",
    "nll_loss_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
]
