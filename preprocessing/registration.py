"""Registers the lungs of two studies of one patient."""

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
"""Vessels and the lungs' surface are visible in it; chest wall, heart and contrast are not."""

OUTSIDE_HU = -400
"""Replaces everything outside the lungs: the ribs do not move with the lungs."""

GRID_MM = 3.0
MARGIN_MM = 24.0
"""Room around the later lungs, so that those of a deeper breath fit."""

AFFINE_SHRINK, AFFINE_STEPS = 3, 60
"""The affine step uses every third voxel along each axis; largest number of iterations."""

DEMONS_SHRINK, DEMONS_STEPS = 2, 40
"""The same for the deformable step. A second level at 3 mm improved the error on phantoms from 0.5
to 0.3 mm, in three times the time."""

FIELD_SMOOTHING_MM = 15.0
"""Standard deviation of the Gaussian that smooths the displacement field."""

VESSEL_MM, OFF_SURFACE_MM = 6.0, 12.0
"""Structures finer than the first are compared, at least the second inside both lungs: the surfaces
of the lungs are similar in all people."""

INSIDE_BELOW_HU, MIN_VOXELS = -500, 500
"""Smoothed HU that count as inside a lung, and the smallest number of such voxels."""

MIN_OVERLAP, MIN_VESSEL_CORRELATION = 0.85, 0.15
"""Minima of a good registration; docs/growth.md has the figures of one and of two persons."""

_INVERSION_STEPS = 15


@dataclass(frozen=True, slots=True, eq=False)
class LungRegistration:
    """The mapping of positions in the later study to positions in the earlier one.

    Attributes:
        overlap: Dice coefficient of the registered lungs of both studies, 0 to 1, right on right
            and left on left.
        vessel_correlation: Correlation of the registered vessels, -1 to 1: the lungs of two persons
            can be registered well enough, their vessels cannot.
        transform: A SimpleITK transform from the later study to the earlier one, LPS mm.
    """

    overlap: float
    vessel_correlation: float
    transform: Transform

    @property
    def is_good(self) -> bool:
        """Whether positions may be transferred between the studies."""
        return self.overlap >= MIN_OVERLAP and self.vessel_correlation >= MIN_VESSEL_CORRELATION

    def earlier_world_mm(self, later_world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps positions in the later study, LPS mm, shape (..., 3), to the earlier one."""
        later = np.asarray(later_world_mm, dtype=np.float64)
        points = later.reshape(-1, 3).tolist()
        moved = np.array([self.transform.TransformPoint(point) for point in points])
        return moved.reshape(later.shape)

    def later_world_mm(self, earlier_world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps positions in the earlier study, LPS mm, shape (..., 3), to the later one."""
        earlier = np.asarray(earlier_world_mm, dtype=np.float64)
        later = earlier.copy()
        for _ in range(_INVERSION_STEPS):
            later += earlier - self.earlier_world_mm(later)
        return later


def register_lungs(later: Lungs, earlier: Lungs) -> LungRegistration:
    """Registers the lungs of two studies: an affine map, then a smooth field for the breath.

    Only the lungs count, in a narrow window. It runs on one thread: sums over several threads
    differ from run to run. The field comes from demons with symmetric forces (Vercauteren et al.,
    NeuroImage 2009;45:S61-S72).

    Args:
        later: The lungs of the later study, from `find_lungs`.
        earlier: The lungs of the earlier study of the same patient.

    Returns:
        The registration, whether it is good or not.
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
    vessel_correlation = _vessel_correlation(fixed, _resampled(moving, fixed, both))
    return LungRegistration(_overlap(later, earlier, both), vessel_correlation, both)


def _image(lungs: Lungs) -> Image:
    """The lungs in their window, everything else at one value."""
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
    """Number of voxels (x, y, z) to crop before and behind the lungs and their margin."""
    indices = np.argwhere(lungs.labels > 0)[:, ::-1]
    room = round(MARGIN_MM / GRID_MM)
    shape_xyz = np.array(lungs.labels.shape[::-1])
    before = np.maximum(indices.min(axis=0) - room, 0)
    behind = np.maximum(shape_xyz - 1 - indices.max(axis=0) - room, 0)
    return before.tolist(), behind.tolist()


def _initial(later: Lungs, earlier: Lungs) -> Transform:
    """Maps the box around the later lungs to that around the earlier ones."""
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
    """Improves an affine map by the squared difference over all voxels, without random sampling."""
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
    affine: Transform = method.Execute(
        _coarse(fixed, AFFINE_SHRINK), _coarse(moving, AFFINE_SHRINK)
    )
    return affine


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


def _vessel_correlation(fixed: Image, moved: Image) -> float:
    """Correlation of the vessels inside both lungs."""
    import SimpleITK
    from scipy.ndimage import binary_erosion, gaussian_filter

    hu = [SimpleITK.GetArrayFromImage(image) for image in (fixed, moved)]
    lungs = [
        binary_erosion(
            gaussian_filter(image, 1.0) < INSIDE_BELOW_HU,
            iterations=round(OFF_SURFACE_MM / GRID_MM),
        )
        for image in hu
    ]
    inside = lungs[0] & lungs[1]
    if np.count_nonzero(inside) < MIN_VOXELS:
        return 0.0
    fine = [image - gaussian_filter(image, VESSEL_MM / GRID_MM) for image in hu]
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
