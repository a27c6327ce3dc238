"""Finding the lungs: where they are, which side is which, and where a finding may lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.lungs.air import find_lung_air
from hounsfield.preprocessing.lungs.extent import lung_extent
from hounsfield.preprocessing.lungs.opaque import find_opaque_lung
from hounsfield.preprocessing.lungs.sides import split_sides
from hounsfield.preprocessing.volume import apply_affine
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

LUNG_GRID_MM = 3.0
"""Spacing of the grid on which lungs are found: it still shows the wall of the trachea."""

VOXEL_ML = LUNG_GRID_MM**3 / 1000

MIN_LUNGS_ML = 150.0
"""Less lung than this is no chest: the bases on an abdominal CT, the sinuses of a head."""

MAX_BODY_MM3 = 2e9
"""The whole body in the widest field of view, 800 x 800 x 2000 mm, and room beside it."""

MAX_CUT_PER_CM = 0.8
"""Area where the view cuts the lungs, over their volume. A slab of 4 cm through the chest, the
thinnest that is analysed, has 0.5; the foam of a head holder, open to all sides, had 1.5."""

CROP_LUNG_FRACTION, MIN_CROP_ML = 0.2, 5.0
"""A box cut out of a lung is smaller, but lung fills at least this part of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Lungs:
    """The lungs of a volume on a coarse grid that is upright (x left, y back, z head).

    Attributes:
        hu: int16, ``[z, y, x]``: the whole series on this grid.
        labels: uint8, same shape: `RIGHT_LUNG` and `LEFT_LUNG` of the patient with the
            vessels, nodules and masses in them; no trachea or main bronchi.
        search_mask: bool, same shape: where a finding may lie. It holds the labels and what
            the pleura, a mass at the hilum or chest wall, or a collapsed or fluid-filled part
            takes up.
        aerated: bool, same shape: the air-holding lung alone, from which the rest was derived.
        affine: 4 x 4 float64, maps (x, y, z) indices to LPS mm.
        right_ml, left_ml: Volume of each label.
        air_hu: What air measures in this series; -1000 where no air lies in the view.
        cut_faces: The sides of the field of view that cut the lungs: any of ``right``,
            ``left``, ``front``, ``back``, ``foot``, ``head``, ``circle`` (a round image).
        cut_area_cm2: Area of the lungs' cut on each of these faces, in the same order.
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
        """Volume of the air-holding part of one lung."""
        return float(np.count_nonzero(self.aerated & (self.labels == label)) * VOXEL_ML)

    def bounding_box_world_mm(self) -> NDArray[np.float64]:
        """The eight corners of the box around both lungs, LPS mm, shape (8, 3)."""
        indices = np.argwhere(self.labels)[:, ::-1]
        low, high = indices.min(axis=0), indices.max(axis=0)
        corners = list(product(*zip(low, high, strict=True)))
        return apply_affine(self.affine, corners)


def find_lungs(volume: Volume, *, threads: int | None = None) -> Lungs:
    """Finds the lungs of a chest CT, in any orientation, whole or cut.

    Args:
        volume: A CT series in HU.
        threads: As for `resample_separable`.

    Raises:
        SeriesError: With `Reason.LUNGS_NOT_FOUND` where the header says that this is a chest,
            with `Reason.NOT_CHEST` where it does not, with `Reason.INCONSISTENT_GEOMETRY` where
            the header's spacing makes it larger than any patient.
    """
    _refuse_if_too_large(volume)
    hu, native_affine = upright_view(volume)
    native_mm = np.linalg.norm(native_affine[:3, :3], axis=0)
    shape_xyz = np.asarray(hu.shape[::-1])
    step_xyz = LUNG_GRID_MM / native_mm
    count_xyz = np.maximum(1, np.rint(shape_xyz / step_xyz).astype(int))
    start_xyz = (shape_xyz - 1 - (count_xyz - 1) * step_xyz) / 2
    positions_xyz = [
        start + step * np.arange(count)
        for start, step, count in zip(start_xyz, step_xyz, count_xyz, strict=True)
    ]
    x, y, z = positions_xyz
    coarse = resample_separable(hu, (z, y, x), threads=threads)
    affine = native_affine.copy()
    affine[:3, :3] = native_affine[:3, :3] * step_xyz
    affine[:3, 3] = native_affine[:3, :3] @ start_xyz + native_affine[:3, 3]

    found = find_lung_air(coarse, LUNG_GRID_MM)
    cuts = _cut_faces(found.lungs)
    if found.open_area_cm2 > 0:
        cuts["circle"] = found.open_area_cm2
    _refuse_if_no_lungs(volume, found.lungs, cut_cm2=sum(cuts.values()))
    body_middle = _body_middle(found.body)
    middle = body_middle
    if middle is None:  # The middle of the scanner will do: patients lie near it.
        middle = float(np.linalg.solve(affine[:3, :3], -affine[:3, 3])[0])
    sides = split_sides(coarse, found.lungs, patient_middle=middle)
    empty_side = np.zeros_like(found.lungs)
    if body_middle is not None:
        sides, empty_side = find_opaque_lung(coarse, sides, found.body, body_middle=body_middle)
    labels, search_mask = lung_extent(sides, found.airway, found.body, LUNG_GRID_MM)
    return Lungs(
        hu=coarse,
        labels=labels,
        search_mask=search_mask | empty_side,
        aerated=found.lungs,
        affine=affine,
        right_ml=float(np.count_nonzero(labels == RIGHT_LUNG) * VOXEL_ML),
        left_ml=float(np.count_nonzero(labels == LEFT_LUNG) * VOXEL_ML),
        air_hu=found.air_hu,
        cut_faces=tuple(cuts),
        cut_area_cm2=tuple(cuts.values()),
    )


def _refuse_if_too_large(volume: Volume) -> None:
    """A spacing that lies would make the coarse grid of it fill the memory."""
    sides_mm = np.multiply(volume.shape_zyx[::-1], volume.spacing_mm)
    if np.prod(sides_mm) <= MAX_BODY_MM3:
        return
    x, y, z = sides_mm
    msg = (
        f"By its spacing the series measures {x:.0f} x {y:.0f} x {z:.0f} mm: no patient is so large"
    )
    raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)


def _refuse_if_no_lungs(volume: Volume, lungs: NDArray[np.bool_], *, cut_cm2: float) -> None:
    """Ends the series where what was found is too little, or too open, to be lungs."""
    found_ml = np.count_nonzero(lungs) * VOXEL_ML
    is_crop = found_ml >= MIN_CROP_ML and lungs.mean() >= CROP_LUNG_FRACTION
    is_open = cut_cm2 > MAX_CUT_PER_CM * found_ml
    if is_crop or (found_ml >= MIN_LUNGS_ML and not is_open):
        return
    told = volume.series.body_part_examined.upper()
    got = f"found {found_ml:.0f} ml of air-holding lung, wanted {MIN_LUNGS_ML:.0f} ml"
    if is_open:
        got = f"{found_ml:.0f} ml that could be lung lie open to the edge of the view"
    if any(word in told for word in ("CHEST", "LUNG", "THORAX")):
        msg = f"No lungs in a series that says BodyPartExamined {told!r} (0018,0015): {got}."
        raise SeriesError(Reason.LUNGS_NOT_FOUND, msg)
    msg = f"Not a chest CT: {got} (BodyPartExamined {told!r})."
    raise SeriesError(Reason.NOT_CHEST, msg)


def _body_middle(body: NDArray[np.bool_]) -> float | None:
    """The middle column of the body; None where the view cuts it on the right or left."""
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    if columns.size == 0 or columns[0] == 0 or columns[-1] == body.shape[2] - 1:
        return None
    return float(np.median(np.nonzero(body)[2]))


def _cut_faces(lungs: NDArray[np.bool_]) -> dict[str, float]:
    """The faces of the view that lung touches, with the area of the cut in square cm."""
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
