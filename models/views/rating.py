"""What the malignancy rater looks at: a nodule's outlined slices, just wide enough to hold it.

Real nodules to learn from are often known on their outlined slices alone, with a few millimetres
around them. So nothing else is shown of any nodule: beyond, the outermost voxels are repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.measurements.margin import solidity
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.contracts import Segmentation
    from hounsfield.preprocessing.volume import Volume

VIEW_VOXELS = 24
"""Edge of the view, in its own voxels."""

MEASURES = ("log_volume", "densest_hu", "solidity", "uneven_around_hu")
"""What is measured on a nodule for the rater; see `measures`."""

VIEW_CHANNELS = 2 + len(MEASURES)
"""HU in the window, the share of each voxel that is nodule, and each of `MEASURES` everywhere."""

ANSWERS = ("suspicious_to_see", "suspicious_as_measured", "spiculated", "solid", "calcified")
"""What the network answers: what the nodule looks like too, to teach it what to look for."""

SUSPICIOUS = 2
"""So many of them, the first, say the same; each is taught by itself and their mean counts. Taught
as one sum, the picture's part learnt its nodules by heart and the measures' part too little."""

USUAL_MEASURES = np.array([5.8, 40.0, 0.968, 150.0])
MEASURES_SPREAD = np.array([1.4, 400.0, 0.055, 100.0])
"""Mean and deviation of `MEASURES` over LIDC-IDRI's nodules, which bring them to about one."""

MAX_SPREAD = 4.0

DENSEST_PERCENT = 98
AROUND_MM = 3

HU_WINDOW = (-1000.0, 1000.0)
"""HU that become 0 and 1: wide enough to tell calcium from soft tissue."""

GRID_MM = 1.0
"""The grid that every nodule is brought to first, as prepared nodules are: not one is sharper."""

MARGIN_MM = 4.0
"""How much is seen around the outlines in the plane."""

_FULL = 255
"""Shares are resampled as whole numbers, in parts of this."""


@dataclass(frozen=True, slots=True, eq=False)
class OutlinedNodule:
    """A nodule on a grid of `GRID_MM`.

    Attributes:
        hu: float32, ``[z, y, x]``.
        fraction: float32, same shape: how much of each voxel is nodule, 0 to 1.
    """

    hu: NDArray[np.float32]
    fraction: NDArray[np.float32]


def outlined_nodule(volume: Volume, outline: Segmentation) -> OutlinedNodule | None:
    """Brings the outlined slices of a nodule, and some millimetres around, to `GRID_MM`.

    Args:
        volume: The native grid; its slices are the planes of the first axis.
        outline: The nodule on it.

    Returns:
        The nodule; None where no voxel is at least half nodule.
    """
    slices = np.flatnonzero(outline.mask.any(axis=(1, 2)))
    if not len(slices):
        return None
    steps_zyx = volume.spacing_mm[::-1]
    first = outline.start_zyx[0] + int(slices[0])
    box = [slice(first, first + int(slices[-1] - slices[0]) + 1)]
    for step, part, size in zip(steps_zyx[1:], outline.box[1:], volume.shape_zyx[1:], strict=True):
        margin = int(np.ceil((MARGIN_MM + GRID_MM) / step))
        box.append(slice(max(part.start - margin, 0), min(part.stop + margin, size)))
    hu = volume.hu[tuple(box)]
    parts = np.zeros(hu.shape, np.int16)
    y, x = (
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(outline.box[1:], box[1:], strict=True)
    )
    inside = outline.fraction[slices[0] : slices[-1] + 1]
    parts[:, y, x] = np.rint(inside * _FULL)
    return _on_grid(hu, parts, steps_zyx)


def rating_view(
    nodule: OutlinedNodule, turn: NDArray[np.float64] | None = None
) -> NDArray[np.float32] | None:
    """Cuts the view: a cube that holds the outlines and the margin, whatever their size.

    Args:
        nodule: On its grid.
        turn: 3 x 3, in the order z, y, x: from directions in the view to those in the nodule.

    Returns:
        ``[6, 24, 24, 24]``: HU, share, and each of `measures` everywhere; None where no voxel is
        at least half nodule.
    """
    boxes = ndimage.find_objects((nodule.fraction >= 0.5).astype(int))
    if not boxes:
        return None
    box = boxes[0]
    longest_mm = max(part.stop - part.start for part in box) * GRID_MM
    spacing_mm = (longest_mm + 2 * MARGIN_MM) / VIEW_VOXELS
    margin = round(MARGIN_MM / GRID_MM)
    start = np.array([box[0].start, *(max(part.start - margin, 0) for part in box[1:])])
    seen = nodule.hu[
        box[0],
        start[1] : box[1].stop + margin,
        start[2] : box[2].stop + margin,
    ]
    matrix = (np.eye(3) if turn is None else turn) * (spacing_mm / GRID_MM)
    centre = np.array([(part.start + part.stop - 1) / 2 for part in box])
    corner = centre - matrix @ np.full(3, (VIEW_VOXELS - 1) / 2)
    shape = (VIEW_VOXELS,) * 3
    view = np.empty((VIEW_CHANNELS, *shape), np.float32)
    ndimage.affine_transform(
        seen, matrix, corner - start, output_shape=shape, output=view[0], order=1, mode="nearest"
    )
    ndimage.affine_transform(
        nodule.fraction,
        matrix,
        corner,
        output_shape=shape,
        output=view[1],
        order=1,
        mode="constant",
    )
    view[2:] = measures(nodule)[:, None, None, None]
    return view


def measures(nodule: OutlinedNodule) -> NDArray[np.float32]:
    """What tells suspicious nodules from others best by a line, brought to a spread of about one.

    Chosen for that among 33 measures of LIDC-IDRI's nodules: volume, the HU that the densest 2 %
    exceed (calcium speaks against), area over that of its convex hull on the slices (spicules
    and lobes), and the deviation of HU within 3 mm around it on them (vessels, wall, distortion).

    Args:
        nodule: With a voxel that is at least half nodule.

    Returns:
        ``[4]``, in the order of `MEASURES`.
    """
    inside = nodule.fraction >= 0.5
    smooth = ndimage.median_filter(nodule.hu, size=(1, 3, 3))
    in_plane = ndimage.generate_binary_structure(2, 1)[None]
    reach = round(AROUND_MM / GRID_MM)
    around = ndimage.binary_dilation(inside, in_plane, iterations=reach) & ~inside
    values = [
        np.log(nodule.fraction.sum(dtype=float) * GRID_MM**3),
        np.percentile(smooth[inside], DENSEST_PERCENT),
        solidity(nodule.fraction, (GRID_MM,) * 3),
        smooth[around].std(),
    ]
    spread = (np.array(values) - USUAL_MEASURES) / MEASURES_SPREAD
    scaled: NDArray[np.float32] = spread.clip(-MAX_SPREAD, MAX_SPREAD).astype(np.float32)
    return scaled


def network_input(view: NDArray[np.float32], hu_window: tuple[float, float]) -> NDArray[np.float32]:
    """The view with its HU brought to 0 to 1."""
    return np.concatenate([normalise_hu(view[:1], hu_window), view[1:]])


def _on_grid(
    hu: NDArray[np.int16], parts: NDArray[np.int16], steps_zyx: tuple[float, ...]
) -> OutlinedNodule:
    """Resamples; one voxel without nodule is put around, and the outermost HU are repeated."""
    inside, around = [], []
    for step, size in zip(steps_zyx, hu.shape, strict=True):
        positions = np.arange(-1.0, size + 1e-6, GRID_MM / step)
        inside.append(np.clip(positions, 0, size - 1))
        around.append(positions + 1)
    return OutlinedNodule(
        resample_separable(hu, (inside[0], inside[1], inside[2]), threads=1).astype(np.float32),
        resample_separable(np.pad(parts, 1), (around[0], around[1], around[2]), threads=1).astype(
            np.float32
        )
        / np.float32(_FULL),
    )
