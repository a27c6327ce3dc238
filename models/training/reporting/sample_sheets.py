"""A sheet of small grey pictures: input, target and prediction of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MIN_EDGE = 128
"""Smaller pictures are enlarged by a whole factor, so that their voxels stay visible."""

GAP = 4


def sheet(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Arranges pictures in rows on a dark background.

    Args:
        pictures: At least one grey picture ``[y, x]``, of any size.

    Returns:
        The sheet, ``[y, x]``.
    """
    enlarged = [_enlarged(picture) for picture in pictures]
    height = max(len(picture) for picture in enlarged) + GAP
    width = max(picture.shape[1] for picture in enlarged) + GAP
    columns = math.ceil(math.sqrt(len(enlarged)))
    rows = math.ceil(len(enlarged) / columns)
    page = np.full((rows * height + GAP, columns * width + GAP), 40, np.uint8)
    for index, picture in enumerate(enlarged):
        top, left = GAP + index // columns * height, GAP + index % columns * width
        page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return page


def write_sheet(path: Path, page: NDArray[np.uint8]) -> None:
    """Writes a sheet as PNG.

    Args:
        path: PNG file; its folder is created if missing.
        page: Grey sheet, ``[y, x]``.

    Raises:
        OutputError: It cannot be written.
    """
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        Image.fromarray(page).save(temporary, format="PNG")


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = math.ceil(MIN_EDGE / min(picture.shape))
    return picture.repeat(factor, 0).repeat(factor, 1)
