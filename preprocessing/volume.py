"""`Volume`: one series in HU on its native grid, positioned in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.preprocessing.hu_rounding import rounded_hu

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from SimpleITK import Image

    from hounsfield.preprocessing.codes import Notice

SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two axes of a volume: 0.3 mm over a chest."""


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """Header values of a series that reports and decisions need; never a person's name.

    Attributes:
        study_uid: StudyInstanceUID, or the series' own identifier where there is no study.
        series_uid: SeriesInstanceUID; for MetaImage and NIfTI see `formats.identity`.
        patient_age_years: PatientAge, (0010,1010), in years; None if it is absent or malformed.
        slice_thickness_mm: Nominal thickness, (0018,0050); None if it is absent.
        kvp: Tube voltage in kV, (0018,0060).
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
    lossy: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """One original image of a series, for finding positions on it again.

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
    """A position on an original image, in pixels from 0 at the centre of the first pixel."""

    sop_instance_uid: str
    frame_number: int
    column: float
    row: float


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A series in Hounsfield units on its native grid. Immutable.

    The constructor keeps read-only views of its arrays and copies nothing: it is for readers
    that hand over arrays of their own. `from_array` and `from_sitk` copy the caller's data.

    Attributes:
        hu: int16, ``[z, y, x]``, read-only; in C order as readers make it, while an upright volume
            is a view in another order.
        affine: 4 x 4 float64, maps (x, y, z) indices of voxel centres to LPS mm, read-only. Its
            columns are orthogonal: a tilted stack is sheared back when it is read.
        series: Values from the headers.
        source_frames: The original images in slice order; empty for MetaImage and NIfTI.
        notices: What the reader of a report must know about how this volume was made.
        filled_slices: Indices along the first axis of slices that were missing and interpolated.
    """

    hu: NDArray[np.int16] = field(repr=False)
    affine: NDArray[np.float64]
    series: SeriesFacts
    source_frames: tuple[SourceFrame, ...] = field(default=(), repr=False)
    notices: tuple[Notice, ...] = field(default=())
    filled_slices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.ndim != 3 or self.hu.dtype != np.int16:
            msg = f"hu must be int16 with 3 axes, got {self.hu.dtype} with {self.hu.ndim}"
            raise ValueError(msg)
        if self.affine.shape != (4, 4):
            msg = f"affine must be 4 x 4, got {self.affine.shape}"
            raise ValueError(msg)
        object.__setattr__(self, "hu", _read_only(self.hu))
        object.__setattr__(self, "affine", _read_only(self.affine))

    @classmethod
    def from_array(
        cls, hu: ArrayLike, affine: ArrayLike, *, series: SeriesFacts | None = None
    ) -> Volume:
        """Makes a volume from an array in HU, which is copied.

        Values below `MIN_HU` are padding, as is NaN at the edge: they become `AIR_HU`, with a
        notice.

        Args:
            hu: Hounsfield units, ``[z, y, x]``, of any integer or float type; fractions are
                rounded.
            affine: 4 x 4, maps (x, y, z) indices of voxel centres to LPS mm. NIfTI affines are
                RAS: multiply them by ``diag(-1, -1, 1, 1)`` from the left first.
            series: Identifiers and header values; by default study and series are both
                called ``array``.

        Raises:
            ValueError: The array is empty or not three-dimensional, is not numeric, holds values
                beyond int16, or NaN inside or in more than half of it; or the affine is not
                finite, or its axes are not orthogonal.
        """
        values, matrix = np.asarray(hu), np.array(affine, dtype=np.float64)
        if values.ndim != 3 or 0 in values.shape:
            msg = f"hu must be a [z, y, x] array with voxels, got shape {values.shape}"
            raise ValueError(msg)
        if values.dtype.kind not in "iuf":
            msg = f"hu must be integers or floats, got {values.dtype}"
            raise ValueError(msg)
        fault = affine_fault(matrix)
        if fault is not None:
            raise ValueError(fault)
        rounded, notices = rounded_hu(values)
        facts = series or SeriesFacts(study_uid="array", series_uid="array", modality="CT")
        return cls(hu=rounded, affine=matrix, series=facts, notices=notices)

    @classmethod
    def from_sitk(cls, image: Image, *, series: SeriesFacts | None = None) -> Volume:
        """Makes a volume from a SimpleITK image in HU, whose pixels are copied.

        SimpleITK's world is LPS as DICOM's is; its indices are (x, y, z), those of the array
        ``[z, y, x]``.

        Args:
            image: Three-dimensional, one component, with origin, spacing and direction in LPS mm.
            series: Identifiers and header values, as for `from_array`.

        Raises:
            ValueError: It is not a single 3D volume, or `from_array` refuses its values.
        """
        import SimpleITK

        if image.GetPixelID() >= SimpleITK.sitkLabelUInt8:  # reading its buffer aborts the process
            msg = f"image must hold HU, got a {image.GetPixelIDTypeAsString()}"
            raise ValueError(msg)
        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            msg = (
                f"image must have 3 axes and 1 component, got {image.GetDimension()} and "
                f"{image.GetNumberOfComponentsPerPixel()}"
            )
            raise ValueError(msg)
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        return cls.from_array(SimpleITK.GetArrayViewFromImage(image), affine, series=series)

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

    def world_mm(self, voxel_xyz: ArrayLike) -> NDArray[np.float64]:
        """Maps (x, y, z) indices, shape (..., 3), to LPS mm, shape (..., 3)."""
        return apply_affine(self.affine, voxel_xyz)

    def voxel_xyz(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps LPS mm, shape (..., 3), to fractional (x, y, z) indices, shape (..., 3)."""
        return apply_affine(np.linalg.inv(self.affine), world_mm)

    def source_pixel(self, world_mm: ArrayLike) -> SourcePixel | None:
        """Finds the original image nearest to a position, and the pixel on it.

        Args:
            world_mm: (x, y, z) in LPS mm.

        Returns:
            The position on that image, or None if the series has no instances.
        """
        if not self.source_frames:
            return None
        affines = np.stack([frame.affine for frame in self.source_frames])
        indices = np.linalg.inv(affines) @ np.append(np.asarray(world_mm, dtype=np.float64), 1.0)
        off_plane_mm = np.abs(indices[:, 2]) * np.linalg.norm(affines[:, :3, 2], axis=1)
        nearest = int(off_plane_mm.argmin())
        frame, (column, row) = self.source_frames[nearest], indices[nearest, :2].tolist()
        return SourcePixel(frame.sop_instance_uid, frame.frame_number, column, row)


def apply_affine(affine: NDArray[np.floating], points: ArrayLike) -> NDArray[np.float64]:
    """Returns points mapped by a 4 x 4 matrix, shape (..., 3).

    Args:
        affine: 4 x 4, for instance from (x, y, z) indices to LPS mm.
        points: Coordinates (x, y, z) in the matrix's source frame, shape (..., 3).
    """
    points = np.asarray(points, dtype=np.float64)
    mapped: NDArray[np.float64] = points @ affine[:3, :3].T + affine[:3, 3]
    return mapped


def affine_fault(affine: NDArray[np.float64]) -> str | None:
    """Returns what is wrong with the affine of a volume, in a sentence; None if it is valid.

    Args:
        affine: A matrix that should map (x, y, z) indices to mm with axes at right angles.
    """
    if affine.shape != (4, 4) or not np.array_equal(affine[3], [0, 0, 0, 1]):
        return f"The affine must be 4 x 4 with a last row of 0 0 0 1, got {affine.tolist()}"
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not (spacing_mm > 0).all():
        return f"The affine must be finite with 3 axes, got spacing {spacing_mm} mm"
    cosines = affine[:3, :3] / spacing_mm
    shear = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if shear > SHEAR_TOLERANCE:
        degrees = np.degrees(np.arcsin(min(shear, 1.0)))
        return (
            f"The axes must be at right angles, got {degrees:.2f} degrees off; a tilted stack is "
            "corrected only from its DICOM files"
        )
    return None


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to; the caller's own array stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view
