"""Registration of the lungs of two studies of a patient: which place then is which place now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from SimpleITK import Image, Transform

    from hounsfield.preprocessing.lungs.segment import Lungs

LUNG_WINDOW_HU = (-1000, -400)
"""Vessels and the lungs' surface show in it; the wall, heart and contrast agent do not."""

OUTSIDE_HU = -400
"""What the lungs lie in, whatever it is: the ribs do not move with the lungs."""

GRID_MM = 3.0
MARGIN_MM = 24.0
"""Room around the later lungs, so that those of a deeper breath fit in."""

AFFINE_SHRINK, AFFINE_STEPS = 3, 60
"""The affine step looks at every third voxel along each axis."""

DEMONS_SHRINK, DEMONS_STEPS = 2, 40
"""Likewise. A second level at 3 mm brought digital lungs from 0.5 to 0.3 mm, in thrice the time."""

FIELD_SMOOTHING_MM = 15.0
"""Standard deviation that keeps neighbouring places together."""

VESSEL_MM, OFF_SURFACE_MM = 6.0, 12.0
"""Likeness is that of what is finer, so far inside both lungs: their surfaces are alike in all."""

INSIDE_BELOW_HU, MIN_VOXELS = -500, 500
"""What counts as inside, and how much of it there must be."""

MIN_OVERLAP, MIN_VESSEL_CORRELATION = 0.85, 0.15
"""What a registration must reach; docs/growth.md has the figures of one and of two persons."""

_INVERSION_STEPS = 15


@dataclass(frozen=True, slots=True, eq=False)
class LungRegistration:
    """Where each place of the later study lies in the earlier one.

    Attributes:
        overlap: Dice coefficient of the lungs of both studies, 0 to 1, right on right and left on
            left, once they are brought together.
        vessel_correlation: Correlation of the vessels in them, -1 to 1: the lungs of two persons
            can be registered well enough, their vessels cannot.
        transform: SimpleITK's, from the later study to the earlier one.
    """

    overlap: float
    vessel_correlation: float
    transform: Transform

    @property
    def is_good(self) -> bool:
        """Whether places may be carried over."""
        return self.overlap >= MIN_OVERLAP and self.vessel_correlation >= MIN_VESSEL_CORRELATION

    def earlier_world_mm(self, later_world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps places of the later study, LPS mm, shape (..., 3), to the earlier one."""
        later = np.asarray(later_world_mm, dtype=np.float64)
        points = later.reshape(-1, 3).tolist()
        moved = np.array([self.transform.TransformPoint(point) for point in points])
        return moved.reshape(later.shape)

    def later_world_mm(self, earlier_world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps places of the earlier study, LPS mm, shape (..., 3), to the later one."""
        earlier = np.asarray(earlier_world_mm, dtype=np.float64)
        later = earlier.copy()
        for _ in range(_INVERSION_STEPS):
            later += earlier - self.earlier_world_mm(later)
        return later


def register_lungs(later: Lungs, earlier: Lungs) -> LungRegistration:
    """Brings the lungs of two studies together: an affine map, then a smooth field for the breath.

    It looks at the lungs alone, in a narrow window. It runs on one thread: sums that several
    threads share come out differently from run to run. Demons with symmetric forces: Vercauteren
    et al., NeuroImage 2009;45:S61-S72.

    Args:
        later: The lungs of the later study.
        earlier: Those of the earlier one.
    """
    import SimpleITK

    fixed, moving = _image(later), _image(earlier)
    fixed = SimpleITK.Crop(fixed, *_crop(later))
    affine = _affine(fixed, moving, _initial(later, earlier))
    moved = _resampled(moving, fixed, affine)
    demons = SimpleITK.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetNumberOfWorkUnits(1)
    demons.SetNumberOfIterations(DEMONS_STEPS)
    demons.SetSmoothDisplacementField(True)
    demons.SetStandardDeviations(FIELD_SMOOTHING_MM / (GRID_MM * DEMONS_SHRINK))
    field = demons.Execute(_coarse(fixed, DEMONS_SHRINK), _coarse(moved, DEMONS_SHRINK))
    both = SimpleITK.CompositeTransform(3)
    both.AddTransform(affine)
    both.AddTransform(SimpleITK.DisplacementFieldTransform(field))
    vessel_correlation = _likeness(fixed, _resampled(moving, fixed, both))
    return LungRegistration(_overlap(later, earlier, both), vessel_correlation, both)


def _image(lungs: Lungs) -> Image:
    """The lungs in their window, all else at one value."""
    hu = np.clip(lungs.hu, *LUNG_WINDOW_HU)
    return _as_image(np.where(lungs.labels > 0, hu, OUTSIDE_HU).astype(np.float32), lungs)


def _as_image(values: NDArray[Any], lungs: Lungs) -> Image:
    import SimpleITK

    spacing_mm = np.linalg.norm(lungs.affine[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing(spacing_mm.tolist())
    image.SetOrigin(lungs.affine[:3, 3].tolist())
    image.SetDirection((lungs.affine[:3, :3] / spacing_mm).ravel().tolist())
    return image


def _crop(lungs: Lungs) -> tuple[list[int], list[int]]:
    """How many voxels (x, y, z) to cut off before and behind the lungs and their margin."""
    places = np.argwhere(lungs.labels > 0)[:, ::-1]
    room = round(MARGIN_MM / GRID_MM)
    shape_xyz = np.array(lungs.labels.shape[::-1])
    before = np.maximum(places.min(axis=0) - room, 0)
    behind = np.maximum(shape_xyz - 1 - places.max(axis=0) - room, 0)
    return before.tolist(), behind.tolist()


def _initial(later: Lungs, earlier: Lungs) -> Transform:
    """Lays the box around the earlier lungs on that around the later ones."""
    import SimpleITK

    boxes = [lungs.bounding_box_world_mm() for lungs in (later, earlier)]
    centres = [(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes]
    sizes = [np.maximum(np.ptp(box, axis=0), GRID_MM) for box in boxes]
    affine = SimpleITK.AffineTransform(3)
    affine.SetCenter(centres[0].tolist())
    affine.SetTranslation((centres[1] - centres[0]).tolist())
    affine.SetMatrix(np.diag(np.clip(sizes[1] / sizes[0], 0.7, 1.4)).ravel().tolist())
    return affine


def _affine(fixed: Image, moving: Image, initial: Transform) -> Transform:
    """Improves an affine map by the squared difference over every voxel: nothing is drawn."""
    import SimpleITK

    method = SimpleITK.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.01, numberOfIterations=AFFINE_STEPS
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(initial, inPlace=False)
    found: Transform = method.Execute(_coarse(fixed, AFFINE_SHRINK), _coarse(moving, AFFINE_SHRINK))
    return found


def _coarse(image: Image, factor: int) -> Image:
    """Smooths an image and keeps every `factor`-th voxel."""
    import SimpleITK

    smooth = SimpleITK.SmoothingRecursiveGaussian(image, 0.5 * factor * GRID_MM)
    shrunk: Image = SimpleITK.Shrink(smooth, [factor] * 3)
    return shrunk


def _resampled(image: Image, like: Image, transform: Transform) -> Image:
    import SimpleITK

    moved: Image = SimpleITK.Resample(
        image, like, transform, SimpleITK.sitkLinear, float(OUTSIDE_HU)
    )
    return moved


def _likeness(fixed: Image, moved: Image) -> float:
    """Correlation of the vessels inside both lungs."""
    import SimpleITK
    from scipy.ndimage import binary_erosion, gaussian_filter

    hu = [SimpleITK.GetArrayFromImage(image) for image in (fixed, moved)]
    lungs = [
        binary_erosion(
            gaussian_filter(one, 1.0) < INSIDE_BELOW_HU, iterations=round(OFF_SURFACE_MM / GRID_MM)
        )
        for one in hu
    ]
    inside = lungs[0] & lungs[1]
    if np.count_nonzero(inside) < MIN_VOXELS:
        return 0.0
    fine = [one - gaussian_filter(one, VESSEL_MM / GRID_MM) for one in hu]
    return float(np.corrcoef(fine[0][inside], fine[1][inside])[0, 1])


def _overlap(later: Lungs, earlier: Lungs, transform: Transform) -> float:
    import SimpleITK

    labels = SimpleITK.Resample(
        _as_image(earlier.labels, earlier),
        _as_image(later.labels, later),
        transform,
        SimpleITK.sitkNearestNeighbor,
        0,
    )
    moved = SimpleITK.GetArrayFromImage(labels)
    sides = (RIGHT_LUNG, LEFT_LUNG)
    shared = sum(np.count_nonzero((moved == side) & (later.labels == side)) for side in sides)
    return float(2 * shared / (np.count_nonzero(moved) + np.count_nonzero(later.labels)))
