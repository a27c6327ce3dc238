"""Segments the lungs, labels their sides, and marks where a finding is possible."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.lungs.air import find_lung_air
from hounsfield.preprocessing.lungs.extent import lung_extent
from hounsfield.preprocessing.lungs.opaque import find_opaque_lung
from hounsfield.preprocessing.lungs.rejection import body_rejection, lungs_rejection
from hounsfield.preprocessing.lungs.sides import split_sides
from hounsfield.preprocessing.volume import apply_affine
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

LUNG_GRID_MM = 3.0
"""Spacing of the grid on which lungs are found: it still resolves the wall of the trachea."""

VOXEL_ML = LUNG_GRID_MM**3 / 1000


@dataclass(frozen=True, slots=True, eq=False)
class Lungs:
    """The lungs of a volume on a coarse grid that is upright (x left, y back, z head).

    Attributes:
        hu: int16, ``[z, y, x]``: the whole series on this grid.
        labels: uint8, same shape: `RIGHT_LUNG` and `LEFT_LUNG` of the patient with the
            vessels, nodules and masses in them; no trachea or main bronchi.
        search_mask: bool, same shape: where a finding is possible. It contains the labels, and
            what the pleura, a mass at the hilum or chest wall, or a collapsed or fluid-filled
            part occupies.
        aerated: bool, same shape: the aerated lung alone, from which the rest is derived.
        affine: 4 x 4 float64, maps (x, y, z) indices to LPS mm.
        right_ml, left_ml: Volume of each label.
        air_hu: HU of air in this series; -1000 if there is no air in the field of view.
        cut_faces: The sides of the field of view that cut the lungs: any of ``right``,
            ``left``, ``front``, ``back``, ``foot``, ``head``, ``circle`` (a round image).
        cut_area_cm2: Area of the cut on each of these faces, in the same order.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    search_mask: NDArray[np.bool_]
    aerated: NDArray[np.bool_]
    affine: NDArray[np.float64]
    right_ml: float
    left_ml: float
    air_hu: float
    cut_faces: tuple[str, ...]
    cut_area_cm2: tuple[float, ...]

    def aerated_ml(self, label: int) -> float:
        """Volume of the aerated part of one lung, `RIGHT_LUNG` or `LEFT_LUNG`."""
        return float(np.count_nonzero(self.aerated & (self.labels == label)) * VOXEL_ML)

    def bounding_box_world_mm(self) -> NDArray[np.float64]:
        """The eight corners of the box around both lungs, LPS mm, shape (8, 3)."""
        indices = np.argwhere(self.labels)[:, ::-1]
        low, high = indices.min(axis=0), indices.max(axis=0)
        corners = list(product(*zip(low, high, strict=True)))
        return apply_affine(self.affine, corners)


def find_lungs(volume: Volume, *, threads: int | None = None) -> Lungs:
    """Finds the lungs of a chest CT, in any orientation, complete or cut.

    Args:
        volume: A CT series in HU.
        threads: Largest number of threads; by default `usable_threads`.

    Returns:
        Labels and search mask on a coarse upright grid that covers the whole series.

    Raises:
        SeriesError: There are no lungs: `lungs_not_found` if the header says that this is a
            chest, else `not_chest`. Or `impossible_size` if by its spacing the series, or its
            lungs, are larger than any patient's.
    """
    rejection = body_rejection(volume)
    if rejection is not None:
        raise rejection
    coarse, affine = _coarse_grid(volume, threads)
    air = find_lung_air(coarse, LUNG_GRID_MM)
    cuts = _cut_faces(air.lungs)
    if air.open_area_cm2 > 0:
        cuts["circle"] = air.open_area_cm2
    rejection = lungs_rejection(
        air.lungs,
        voxel_ml=VOXEL_ML,
        cut_cm2=sum(cuts.values()),
        body_part_examined=volume.series.body_part_examined.upper(),
    )
    if rejection is not None:
        raise rejection
    body_middle = _body_middle(air.body)
    middle = body_middle
    if middle is None:  # The middle of the scanner is close enough: patients lie near it.
        middle = float(np.linalg.solve(affine[:3, :3], -affine[:3, 3])[0])
    sides = split_sides(coarse, air.lungs, patient_middle=middle)
    empty_side = np.zeros_like(air.lungs)
    if body_middle is not None:
        sides, empty_side = find_opaque_lung(coarse, sides, air.body, body_middle=body_middle)
    labels, search_mask = lung_extent(sides, air.airway, air.body, LUNG_GRID_MM)
    return Lungs(
        hu=coarse,
        labels=labels,
        search_mask=search_mask | empty_side,
        aerated=air.lungs,
        affine=affine,
        right_ml=float(np.count_nonzero(labels == RIGHT_LUNG) * VOXEL_ML),
        left_ml=float(np.count_nonzero(labels == LEFT_LUNG) * VOXEL_ML),
        air_hu=air.air_hu,
        cut_faces=tuple(cuts),
        cut_area_cm2=tuple(cuts.values()),
    )


def _coarse_grid(
    volume: Volume, threads: int | None
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """The whole series on an upright grid of `LUNG_GRID_MM`, centred, and the grid's affine."""
    hu, native_affine = upright_view(volume)
    native_mm = np.linalg.norm(native_affine[:3, :3], axis=0)
    shape_xyz = np.asarray(hu.shape[::-1])
    step_xyz = LUNG_GRID_MM / native_mm
    # NIfTI holds the spacing as float32: its rounding must not decide between two counts.
    count_xyz = np.maximum(1, np.rint((shape_xyz / step_xyz).round(3)).astype(int))
    start_xyz = (shape_xyz - 1 - (count_xyz - 1) * step_xyz) / 2
    x, y, z = (
        start + step * np.arange(count)
        for start, step, count in zip(start_xyz, step_xyz, count_xyz, strict=True)
    )
    affine = native_affine.copy()
    affine[:3, :3] = native_affine[:3, :3] * step_xyz
    affine[:3, 3] = native_affine[:3, :3] @ start_xyz + native_affine[:3, 3]
    return resample_separable(hu, (z, y, x), threads=threads), affine


def _body_middle(body: NDArray[np.bool_]) -> float | None:
    """The middle column of the body; None if the field of view cuts it on the right or left."""
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    if columns.size == 0 or columns[0] == 0 or columns[-1] == body.shape[2] - 1:
        return None
    return float(np.median(np.nonzero(body)[2]))


def _cut_faces(lungs: NDArray[np.bool_]) -> dict[str, float]:
    """The faces of the field of view that cut the lungs, with the area of the cut in square cm."""
    faces = {
        "right": lungs[:, :, 0],
        "left": lungs[:, :, -1],
        "front": lungs[:, 0],
        "back": lungs[:, -1],
        "foot": lungs[0],
        "head": lungs[-1],
    }
    areas = {name: float(face.sum()) * LUNG_GRID_MM**2 / 100 for name, face in faces.items()}
    return {name: area for name, area in areas.items() if area > 0}
