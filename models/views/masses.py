"""View of the mass detector: the chest on the 3 mm lung grid, with where lung is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from hounsfield.preprocessing.lungs.morphology import dilate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.lungs.segment import Lungs

IMAGE_CHANNELS = 3
"""HU, expected lung, and aerated lung on the opposite side; see `MassView`."""

SIZE_DIVISOR = 16
"""Input sizes of the network must be divisible by this."""

BOX_MARGIN_VOXELS = 6
"""The view extends this far beyond the search mask, 18 mm."""

REGION_MARGIN_VOXELS = 4
"""A mass that has replaced lung may extend this far beyond the search mask, 12 mm."""

MIN_HU, MAX_HU = -1024, 3071


@dataclass(frozen=True, slots=True, eq=False)
class MassView:
    """The part of a chest that is searched for masses.

    Attributes:
        image: int16 ``[3, z, y, x]``: HU; expected lung (2 in the lungs, 1 elsewhere in the search
            mask, 0 outside); percentage of aerated lung at the mirrored position.
        region: bool ``[z, y, x]``: where a voxel may be part of a mass.
        box: Position of the view in the lung grid, slices (z, y, x).
    """

    image: NDArray[np.int16]
    region: NDArray[np.bool_]
    box: tuple[slice, slice, slice]


def mass_view(lungs: Lungs) -> MassView:
    """Cuts the view out of a chest.

    The opposite side is found by mirroring about the middle of the lungs: opposite a mass or fluid
    on one side there is air, opposite the heart there is not.

    Args:
        lungs: Lungs of the series, with HU and search mask on the 3 mm grid.

    Returns:
        The view, as large as the search mask with its margin; the whole grid for an empty mask.
    """
    region = lungs.search_mask
    for _ in range(REGION_MARGIN_VOXELS):
        region = dilate(region)
    box = _bounding_box(lungs.search_mask)
    hu = np.clip(lungs.hu[box], MIN_HU, MAX_HU)
    expected = lungs.search_mask[box].astype(np.int16) + (lungs.labels[box] > 0)
    opposite = _mirrored_air(lungs)[box]
    image = np.stack([hu.astype(np.int16), expected.astype(np.int16), opposite])
    return MassView(image, region[box], box)


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The box around a mask with its margin, inside the array; all of it for an empty mask."""
    slices = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        first, last = (occupied[0], occupied[-1]) if occupied.size else (0, mask.shape[axis] - 1)
        slices.append(
            slice(max(0, int(first) - BOX_MARGIN_VOXELS), int(last) + 1 + BOX_MARGIN_VOXELS)
        )
    return slices[0], slices[1], slices[2]


def _mirrored_air(lungs: Lungs) -> NDArray[np.int16]:
    """Percentage of aerated lung around the mirrored position, int16 ``[z, y, x]``."""
    columns = np.flatnonzero(lungs.labels.any(axis=(0, 1)))
    size = lungs.labels.shape[2]
    total = int(columns[0] + columns[-1]) if columns.size else size - 1
    source = total - np.arange(size)
    known = (source >= 0) & (source < size)
    mirrored = np.zeros(lungs.labels.shape, np.float32)
    mirrored[:, :, known] = lungs.aerated[:, :, source[known]]
    percent: NDArray[np.int16] = np.rint(100 * uniform_filter(mirrored, 3)).astype(np.int16)
    return percent
