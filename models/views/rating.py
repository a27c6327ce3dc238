"""View of the malignancy rater: the segmented slices of a nodule, just wide enough to hold it.

Of many real training nodules only the outlined slices are known, with a few millimetres around
them. So the view shows no more of any nodule; outside, the outermost voxels are repeated.
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

NODULE_FEATURES = ("log_volume", "densest_hu", "solidity", "surrounding_sd_hu")
"""Measurements of a nodule that the network receives as constant channels; see
`nodule_features`."""

VIEW_CHANNELS = 2 + len(NODULE_FEATURES)
"""HU in the window, the fraction of each voxel that is nodule, and each of `NODULE_FEATURES`."""

OUTPUTS = (
    "suspicious_by_image",
    "suspicious_by_features",
    "spiculated",
    "solid",
    "calcified",
)
"""Outputs of the network. The last three are auxiliary: they teach it the features on which
radiologists rely."""

SUSPICION_OUTPUTS = 2
"""The first two outputs predict the same. Each has a loss of its own, and the mean of their logits
is used: trained as one sum, the image part overfitted and the features counted too little."""

FEATURE_MEAN = np.array([5.8, 40.0, 0.968, 150.0])
FEATURE_SD = np.array([1.4, 400.0, 0.055, 100.0])
"""Mean and standard deviation of `NODULE_FEATURES` over LIDC-IDRI's nodules."""

MAX_DEVIATIONS = 4.0
"""Standardised features are clipped here."""

DENSEST_PERCENTILE = 98
SURROUNDING_MM = 3

HU_WINDOW = (-1000.0, 1000.0)
"""HU that become 0 and 1: wide enough to separate calcium from soft tissue."""

GRID_MM = 1.0
"""Every nodule is resampled to this grid first, as the training nodules were: none is sharper."""

MARGIN_MM = 4.0
"""Width of the surroundings in the axial plane that the view shows."""

_FULL = 255
"""Fractions are resampled as integers, in units of 1 / this."""


@dataclass(frozen=True, slots=True, eq=False)
class ResampledNodule:
    """The segmented slices of a nodule on an isotropic grid of `GRID_MM`.

    Attributes:
        hu: float32, ``[z, y, x]``.
        fraction: float32, same shape: fraction of each voxel that is nodule, 0 to 1.
    """

    hu: NDArray[np.float32]
    fraction: NDArray[np.float32]


def resample_nodule(volume: Volume, segmentation: Segmentation) -> ResampledNodule | None:
    """Resamples the segmented slices of a nodule and some millimetres around them to `GRID_MM`.

    Args:
        volume: The native grid; its slices are the planes of the first axis.
        segmentation: The nodule on the same grid, preferably reader-style.

    Returns:
        The nodule; None where no voxel is at least half nodule.
    """
    slices = np.flatnonzero(segmentation.mask.any(axis=(1, 2)))
    if not len(slices):
        return None
    steps_zyx = volume.spacing_mm[::-1]
    first = segmentation.start_zyx[0] + int(slices[0])
    box = [slice(first, first + int(slices[-1] - slices[0]) + 1)]
    for step, part, size in zip(
        steps_zyx[1:], segmentation.box[1:], volume.shape_zyx[1:], strict=True
    ):
        margin = int(np.ceil((MARGIN_MM + GRID_MM) / step))
        box.append(slice(max(part.start - margin, 0), min(part.stop + margin, size)))
    hu = volume.hu[tuple(box)]
    units = np.zeros(hu.shape, np.int16)
    y, x = (
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(segmentation.box[1:], box[1:], strict=True)
    )
    inside = segmentation.fraction[slices[0] : slices[-1] + 1]
    units[:, y, x] = np.rint(inside * _FULL)
    return _on_grid(hu, units, steps_zyx)


def rating_view(
    nodule: ResampledNodule, rotation: NDArray[np.float64] | None = None
) -> NDArray[np.float32] | None:
    """Cuts the view: a cube that holds the segmentation and its surroundings, whatever their size.

    Args:
        nodule: Nodule on the grid of `GRID_MM`.
        rotation: 3 x 3, in the order z, y, x: from directions in the view to those in the nodule;
            None keeps the axes.

    Returns:
        ``[6, 24, 24, 24]``: HU, fraction of nodule, and each of `nodule_features` as a constant;
        None where no voxel is at least half nodule.
    """
    boxes = ndimage.find_objects((nodule.fraction >= 0.5).astype(int))
    if not boxes:
        return None
    box = boxes[0]
    longest_mm = max(part.stop - part.start for part in box) * GRID_MM
    spacing_mm = (longest_mm + 2 * MARGIN_MM) / VIEW_VOXELS
    margin = round(MARGIN_MM / GRID_MM)
    start = np.array([box[0].start, *(max(part.start - margin, 0) for part in box[1:])])
    shown = nodule.hu[
        box[0],
        start[1] : box[1].stop + margin,
        start[2] : box[2].stop + margin,
    ]
    matrix = (np.eye(3) if rotation is None else rotation) * (spacing_mm / GRID_MM)
    centre = np.array([(part.start + part.stop - 1) / 2 for part in box])
    corner = centre - matrix @ np.full(3, (VIEW_VOXELS - 1) / 2)
    shape = (VIEW_VOXELS,) * 3
    view = np.empty((VIEW_CHANNELS, *shape), np.float32)
    ndimage.affine_transform(
        shown, matrix, corner - start, output_shape=shape, output=view[0], order=1, mode="nearest"
    )
    fraction = nodule.fraction
    ndimage.affine_transform(
        fraction, matrix, corner, output_shape=shape, output=view[1], order=1, mode="constant"
    )
    view[2:] = nodule_features(nodule)[:, None, None, None]
    return view


def nodule_features(nodule: ResampledNodule) -> NDArray[np.float32]:
    """Measures what separates suspicious nodules best in a linear model, and standardises it.

    Chosen for that among 33 measurements of LIDC-IDRI's nodules: volume; the HU that the densest
    2 % exceed (calcium speaks against malignancy); area over that of the convex hulls on the slices
    (spicules and lobes); and the standard deviation of HU within 3 mm around the nodule on them
    (vessels, chest wall, distortion).

    Args:
        nodule: Nodule with at least one voxel that is at least half nodule.

    Returns:
        ``[4]``, in the order of `NODULE_FEATURES`.
    """
    inside = nodule.fraction >= 0.5
    smooth = ndimage.median_filter(nodule.hu, size=(1, 3, 3))
    in_plane = ndimage.generate_binary_structure(2, 1)[None]
    reach = round(SURROUNDING_MM / GRID_MM)
    surrounding = ndimage.binary_dilation(inside, in_plane, iterations=reach) & ~inside
    values = [
        np.log(nodule.fraction.sum(dtype=float) * GRID_MM**3),
        np.percentile(smooth[inside], DENSEST_PERCENTILE),
        solidity(nodule.fraction, (GRID_MM,) * 3),
        smooth[surrounding].std(),
    ]
    standardised = (np.array(values) - FEATURE_MEAN) / FEATURE_SD
    features: NDArray[np.float32] = standardised.clip(-MAX_DEVIATIONS, MAX_DEVIATIONS).astype(
        np.float32
    )
    return features


def network_input(view: NDArray[np.float32], hu_window: tuple[float, float]) -> NDArray[np.float32]:
    """Scales the HU of a view to 0 to 1.

    Args:
        view: ``[6, 24, 24, 24]`` of `rating_view`.
        hu_window: HU that become 0 and 1; values outside are clipped.

    Returns:
        A copy with the first channel scaled.
    """
    return np.concatenate([normalise_hu(view[:1], hu_window), view[1:]])


def _on_grid(
    hu: NDArray[np.int16], units: NDArray[np.int16], steps_zyx: tuple[float, ...]
) -> ResampledNodule:
    """Resamples to `GRID_MM` with one voxel around, without nodule and with the outermost HU."""
    inside, padded = [], []
    for step, size in zip(steps_zyx, hu.shape, strict=True):
        positions = np.arange(-1.0, size + 1e-6, GRID_MM / step)
        inside.append(np.clip(positions, 0, size - 1))
        padded.append(positions + 1)
    fractions = resample_separable(np.pad(units, 1), (padded[0], padded[1], padded[2]), threads=1)
    return ResampledNodule(
        resample_separable(hu, (inside[0], inside[1], inside[2]), threads=1).astype(np.float32),
        fractions.astype(np.float32) / np.float32(_FULL),
    )
