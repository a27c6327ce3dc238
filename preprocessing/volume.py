"""`Volume`: one series as HU on its native grid, with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hounsfield.preprocessing.codes import Notice

AIR_HU = -1000
"""HU given to places that were never measured: padding, and corners outside a sheared stack."""


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """The header facts of a series that reports and decisions need; never a person's name.

    Attributes:
        study_uid: StudyInstanceUID, or the series' own identifier where there is no study.
        series_uid: SeriesInstanceUID, or a file's stem for MetaImage and NIfTI.
        slice_thickness_mm: Nominal thickness, (0018,0050); None where it is not told.
        lossy: Whether any slice was ever compressed with loss.
    """

    study_uid: str
    series_uid: str
    patient_id: str = ""
    patient_sex: str = ""
    patient_age_years: float | None = None
    study_date: str = ""
    study_description: str = ""
    series_description: str = ""
    series_number: int | None = None
    modality: str = ""
    manufacturer: str = ""
    manufacturer_model_name: str = ""
    convolution_kernel: str = ""
    slice_thickness_mm: float | None = None
    kvp: float | None = None
    contrast_bolus_agent: str = ""
    body_part_examined: str = ""
    patient_position: str = ""
    image_type: tuple[str, ...] = ()
    transfer_syntax_uids: tuple[str, ...] = ()
    lossy: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """One original image of a series, so that a place can be found on it again.

    Attributes:
        sop_instance_uid: SOPInstanceUID of the instance.
        frame_number: From 1; always 1 in a classic single-frame instance.
        affine: 4 x 4; maps (column, row, 0), pixel centres from 0, to LPS mm.
    """

    sop_instance_uid: str
    frame_number: int
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SourcePixel:
    """A place on an original image: the pixel is counted from 0 at the first pixel's centre."""

    sop_instance_uid: str
    frame_number: int
    column: float
    row: float


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A series in Hounsfield units on its native grid. Immutable.

    Attributes:
        hu: int16, ``[z, y, x]``, C order, read-only.
        affine: 4 x 4 float64, maps (x, y, z) indices of voxel centres to LPS mm. Its columns
            are orthogonal: a tilted stack has been sheared back before it gets here.
        series: The header facts.
        source_frames: The original images in slice order; empty for MetaImage and NIfTI.
        notices: What the reader of a report must know of how this volume came about.
    """

    hu: NDArray[np.int16]
    affine: NDArray[np.float64]
    series: SeriesFacts
    source_frames: tuple[SourceFrame, ...] = ()
    notices: tuple[Notice, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.hu.ndim != 3 or self.hu.dtype != np.int16:
            msg = f"hu must be int16 with 3 axes, got {self.hu.dtype} with {self.hu.ndim}"
            raise ValueError(msg)
        if self.affine.shape != (4, 4):
            msg = f"affine must be 4 x 4, got {self.affine.shape}"
            raise ValueError(msg)
        self.hu.flags.writeable = False
        self.affine.flags.writeable = False

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Number of slices, rows and columns."""
        z, y, x = self.hu.shape
        return (z, y, x)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (x, y, z) of the array, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(x), float(y), float(z))

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """SOPInstanceUIDs of the original images in slice order; one may repeat (multi-frame)."""
        return tuple(frame.sop_instance_uid for frame in self.source_frames)

    def world_mm(self, voxel_xyz: ArrayLike) -> NDArray[np.float64]:
        """Maps (x, y, z) indices, shape (..., 3), to LPS mm, shape (..., 3)."""
        return apply_affine(self.affine, voxel_xyz)

    def voxel_xyz(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps LPS mm, shape (..., 3), to fractional (x, y, z) indices, shape (..., 3)."""
        return apply_affine(np.linalg.inv(self.affine), world_mm)

    def source_pixel(self, world_mm: ArrayLike) -> SourcePixel | None:
        """Finds the original image nearest to a place, and the pixel on it.

        Args:
            world_mm: (x, y, z) in LPS mm.

        Returns:
            The place on the original image, or None where the series has no instances.
        """
        if not self.source_frames:
            return None
        affines = np.stack([frame.affine for frame in self.source_frames])
        places = np.linalg.inv(affines) @ np.append(np.asarray(world_mm, dtype=np.float64), 1.0)
        off_plane_mm = np.abs(places[:, 2]) * np.linalg.norm(affines[:, :3, 2], axis=1)
        nearest = int(off_plane_mm.argmin())
        frame, (column, row) = self.source_frames[nearest], places[nearest, :2].tolist()
        return SourcePixel(frame.sop_instance_uid, frame.frame_number, column, row)


def apply_affine(affine: NDArray[np.floating], points: ArrayLike) -> NDArray[np.float64]:
    """Applies a 4 x 4 matrix to points of shape (..., 3)."""
    points = np.asarray(points, dtype=np.float64)
    moved: NDArray[np.float64] = points @ affine[:3, :3].T + affine[:3, 3]
    return moved
