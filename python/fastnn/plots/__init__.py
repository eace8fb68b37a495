"""Pictures of training and of what was learnt; each has a twin `*_data` that returns its arrays.

Drawing needs matplotlib (``pip install 'fastnn[plot]'``), the twins do not. A picture is drawn on
axes, which are returned: on those of the caller, or on those of a new figure.
"""

from fastnn.plots.convolution import feature_maps, feature_maps_data, filters, filters_data
from fastnn.plots.pictures import images, images_data
from fastnn.plots.training import confusion, confusion_data, history, history_data
from fastnn.plots.vectors import map, map_data

__all__ = [
    "confusion",
    "confusion_data",
    "feature_maps",
    "feature_maps_data",
    "filters",
    "filters_data",
    "history",
    "history_data",
    "images",
    "images_data",
    "map",
    "map_data",
]
