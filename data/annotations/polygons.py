"""Converts the outline of a region on one plane to pixels, by the rule of its annotation format.

There are two rules, because the formats define an outline differently:

- LIDC-IDRI's readers marked pixels: an outline is a chain of whole pixels, the first ones outside
  the nodule (Armato et al. 2011, doi 10.1118/1.3528204). Its corners are pixel indices, and the
  pixels on the chain are outside (or inside, by choice): `pixels_inside`.
- An RTSTRUCT contour is a polygon in mm with corners anywhere between pixels (PS3.3 C.8.8.6). A
  pixel is inside where its centre is: `pixel_centres_inside`.

Neither serves for the other: a polygon fill that judges centres would count about half of an
LIDC outline's own pixels, depending on the side, and a chain of pixels through an RTSTRUCT's
corners would shift its edge by up to half a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pixels_inside(outline_xy: ArrayLike, *, with_edge: bool) -> NDArray[np.int64]:
    """Lists the pixels inside a closed chain of pixels: LIDC-IDRI's rule.

    Args:
        outline_xy: Corners (column, row), shape (n, 2); (0, 0) is the centre of the first pixel,
            and the last corner is joined to the first. The box around them is allocated, so
            the caller holds them against the image first.
        with_edge: Whether the pixels on the chain belong to the region.

    Returns:
        (x, y) of each pixel, shape (m, 2); possibly none, possibly outside the image.
    """
    from PIL import Image, ImageDraw

    corners = np.asarray(outline_xy, dtype=np.float64).reshape(-1, 2)
    origin = np.floor(corners.min(axis=0)).astype(np.int64) - 1
    width, height = (np.ceil(corners.max(axis=0)).astype(np.int64) + 2 - origin).tolist()
    points = [(x, y) for x, y in (corners - origin).tolist()]
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    if len(points) > 1:
        draw.polygon(points, fill=1, outline=1)
    else:
        draw.point(points, fill=1)
    if not with_edge:
        draw.line([*points, points[0]], fill=0)
    inside_yx = np.argwhere(np.asarray(image, dtype=np.uint8))
    return np.asarray(inside_yx[:, ::-1] + origin, dtype=np.int64)


def pixel_centres_inside(outline_xy: ArrayLike) -> NDArray[np.int64]:
    """Lists the pixels whose centre lies inside a polygon, by the even-odd rule: RTSTRUCT's rule.

    Args:
        outline_xy: Corners (column, row), fractional ones too, shape (n, 2); (0, 0) is the centre
            of the first pixel, and the last corner is joined to the first. The box around them
            is allocated, so the caller holds them against the image first.

    Returns:
        (x, y) of each pixel, shape (m, 2); possibly none, possibly outside the image.
    """
    corners = np.asarray(outline_xy, dtype=np.float64).reshape(-1, 2)
    low = np.floor(corners.min(axis=0)).astype(np.int64)
    high = np.ceil(corners.max(axis=0)).astype(np.int64)
    xs, ys = np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1)
    inside = np.zeros((len(ys), len(xs)), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        # An edge concerns the rows between its ends alone; none where it is level.
        first, last = np.searchsorted(ys, (min(y0, y1), max(y0, y1)))
        rows = slice(int(first), int(last))
        if rows.start < rows.stop:
            crossing_x = x0 + (ys[rows] - y0) * (x1 - x0) / (y1 - y0)
            inside[rows] ^= xs < crossing_x[:, None]
    rows_columns = np.argwhere(inside)
    return np.asarray(rows_columns[:, ::-1] + low, dtype=np.int64)
