"""Layers: frozen records of settings, called on values to describe a graph.

The names and arguments are those of Keras. A layer holds no weights; a model does. Images are
(rows, columns, channels), and a size that is the same along both axes may be one number.
"""

from fastnn.graph import Input, Layer
from fastnn.layers.conv import Conv1D, Conv2D
from fastnn.layers.core import ACTIVATIONS as ACTIVATIONS
from fastnn.layers.core import Activation, Dense, Flatten, Rescaling, Reshape
from fastnn.layers.embedding import Embedding, EmbeddingBag
from fastnn.layers.images import RandomCrop, RandomFlip, RandomTranslation, ZeroPadding2D
from fastnn.layers.merge import Add, Concatenate, Dot, Multiply
from fastnn.layers.noise import Dropout, GaussianNoise, SpatialDropout2D
from fastnn.layers.normalization import BatchNormalization, LayerNormalization
from fastnn.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)
from fastnn.layers.scores import Scores

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Input",
    "Layer",
    "LayerNormalization",
    "MaxPooling2D",
    "Multiply",
    "RandomCrop",
    "RandomFlip",
    "RandomTranslation",
    "Rescaling",
    "Reshape",
    "Scores",
    "SpatialDropout2D",
    "ZeroPadding2D",
]
