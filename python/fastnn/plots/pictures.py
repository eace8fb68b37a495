"""Images beside each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fastnn.plots.axes import Array, Axes, new_axes


def images_data(rows: npt.ArrayLike, shape: tuple[int, int]) -> Array:
    """Return the strip that one line of `images` shows.

    Parameters
    ----------
    rows : array-like (n, height * width)
        Images as rows.
    shape : (int, int)
        Height and width.

    Returns
    -------
    array (height, n * (width + 1) - 1)
        Images side by side, one empty column (NaN) between two.

    Examples
    --------
    >>> images_data([[1, 2], [3, 4]], (2, 1))
    array([[ 1., nan,  3.],
           [ 2., nan,  4.]])
    """
    images = np.asarray(rows, np.float64).reshape(-1, *shape)
    padded = np.pad(images, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    return padded.transpose(1, 0, 2).reshape(shape[0], -1)[:, :-1]


def images(
    lines: Mapping[str, npt.ArrayLike], shape: tuple[int, int], ax: Axes | None = None
) -> Axes:
    """Draw lines of images under each other, such as originals and reconstructions.

    The first line sets the scale of grey.

    Parameters
    ----------
    lines : mapping of str to array-like (n, height * width)
        A name and images for each line.
    shape : (int, int)
        Height and width of an image.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    strips = [images_data(rows, shape) for rows in lines.values()]
    gap = np.full((1, strips[0].shape[1]), np.nan)
    picture = np.vstack([part for strip in strips for part in (strip, gap)][:-1])
    low, high = np.nanmin(strips[0]), np.nanmax(strips[0])
    ax.imshow(picture, cmap="gray_r", vmin=low, vmax=high)
    ax.set_yticks([(shape[0] + 1) * k + shape[0] / 2 - 0.5 for k in range(len(strips))])
    ax.set_yticklabels(list(lines))
    ax.set_xticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0)
    return ax
