"""Volumes with a ball of known size, for the tests of segmentation and measurement."""

import numpy as np

from hounsfield.models.contracts import Segmentation
from hounsfield.preprocessing.volume import SeriesFacts, Volume

SPACING_MM = (0.7, 0.7, 1.25)


def ellipsoid_fraction(shape_zyx, spacing_mm, centre_mm_zyx, half_axes_mm_zyx, parts=4):
    """Fraction of each voxel that is inside an ellipsoid, ``[z, y, x]``."""
    axes = [
        ((np.arange(size * parts) + 0.5) / parts - 0.5) * step
        for size, step in zip(shape_zyx, spacing_mm[::-1], strict=True)
    ]
    z, y, x = (
        ((axis - centre) / half) ** 2
        for axis, centre, half in zip(axes, centre_mm_zyx, half_axes_mm_zyx, strict=True)
    )
    inside = z[:, None, None] + y[:, None] + x <= 1
    depth, height, width = shape_zyx
    split = inside.reshape(depth, parts, height, parts, width, parts)
    return split.mean((1, 3, 5), dtype=np.float32)


def a_ball_volume(
    diameter_mm, *, inside_hu=40, shape_zyx=(32, 48, 48), spacing_mm=SPACING_MM, parts=4
):
    """A volume of lung with a ball in its middle, and the exact segmentation of the ball."""
    centre = [(size - 1) / 2 * step for size, step in zip(shape_zyx, spacing_mm[::-1], strict=True)]
    fraction = ellipsoid_fraction(shape_zyx, spacing_mm, centre, (diameter_mm / 2,) * 3, parts)
    hu = np.rint(-850 + fraction * (inside_hu + 850)).astype(np.int16)
    volume = Volume(hu, np.diag([*spacing_mm, 1.0]), SeriesFacts("1", "1.1"))
    return volume, Segmentation((0, 0, 0), fraction)
