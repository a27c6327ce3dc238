"""The affine of a NIfTI header: sform, qform or neither, held against each other.

The header has two transforms (nifti1.h, "3D IMAGE (VOLUME) ORIENTATION AND LOCATION IN SPACE"). The
qform has no spacing of its own, it takes that of pixdim; the sform has all twelve numbers.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.grid import spacing_of

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header
    from numpy.typing import NDArray

RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])

TRANSFORM_TOLERANCE: Final = 0.01
"""Fraction by which the spacings of two transforms may differ: writers round them."""

CORNER_TOLERANCE_MM: Final = 1.0
"""Distance of a corner of the volume by the two transforms, which hold float32."""

_UNITS = {0: "unknown", 1: "metre", 2: "mm", 3: "micrometre"}
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown means mm, as in other readers


def lps_affine(
    header: Nifti1Header, shape_zyx: tuple[int, int, int], path: str
) -> tuple[NDArray[np.float64], tuple[Notice, ...]]:
    """Returns the affine of a header: the sform if it is coded, else the qform.

    Args:
        header: Header of NIfTI 1 or 2 as it is in the file, unchecked: any field may be NaN.
        shape_zyx: Number of slices, rows and columns.
        path: The file, for errors and notices.

    Returns:
        4 x 4 from (x, y, z) indices to LPS mm, and a notice if pixdim contradicts it.

    Raises:
        SeriesError: `no_position` if neither is coded; `inconsistent_geometry` if both are and
            contradict each other, or the qform is no rotation.
    """
    sform = _sform(header) if int(header["sform_code"]) > 0 else None
    qform = None
    if int(header["qform_code"]) > 0:
        qform = _qform(header, path, needed=sform is None)
    affine = qform if sform is None else sform
    if affine is None:
        msg = (
            "sform_code and qform_code are both 0, so the header does not state the position of "
            "the voxels; convert the series again from its DICOM files"
        )
        raise SeriesError(Reason.NO_POSITION, msg, path=path)
    if sform is not None and qform is not None:
        _compare(sform, qform, shape_zyx, path)
    notices = () if sform is None or qform is not None else _pixdim_notice(header, sform, path)
    return affine, notices


def unit_name(header: Nifti1Header) -> str:
    """Returns the unit of length that xyzt_units states.

    Args:
        header: Header of NIfTI 1 or 2, whose codes may be any number.
    """
    return _UNITS.get(int(header["xyzt_units"]) & 0x07, "unknown")


def _mm(header: Nifti1Header) -> float:
    return _MM_PER_UNIT.get(int(header["xyzt_units"]) & 0x07, 1.0)


def _in_lps(affine: NDArray[np.float64], mm: float) -> NDArray[np.float64]:
    scaled = affine.copy()
    scaled[:3] *= mm
    return cast("NDArray[np.float64]", RAS_TO_LPS @ scaled)


def _sform(header: Nifti1Header) -> NDArray[np.float64]:
    affine = np.eye(4)
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        affine[row] = np.asarray(header[name], dtype=np.float64)
    return _in_lps(affine, _mm(header))


def _qform(header: Nifti1Header, path: str, *, needed: bool) -> NDArray[np.float64] | None:
    """Quaternion, pixdim and offset (nifti1.h, method 2); None if they are none and not needed."""
    b, c, d = (float(header[f"quatern_{letter}"]) for letter in "bcd")
    pixdim = np.asarray(header["pixdim"], dtype=np.float64)[:4]
    squares = b * b + c * c + d * d
    is_rotation = squares <= 1 + 1e-3  # false for NaN too
    if not is_rotation or not (np.isfinite(pixdim[1:]).all() and (pixdim[1:] > 0).all()):
        if not needed:
            return None
        msg = (
            f"The qform is not a rotation with a spacing (quaternion {b:g}, {c:g}, {d:g}; pixdim "
            f"{', '.join(f'{number:g}' for number in pixdim[1:])}); convert the series again"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    a = np.sqrt(max(0.0, 1 - squares))
    if 1 - squares < 1e-7:  # rounding of float32 (nifti1_io.c, nifti_quatern_to_mat44)
        a, (b, c, d) = 0.0, np.array([b, c, d]) / np.sqrt(squares)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    qfac = -1.0 if pixdim[0] < 0 else 1.0  # 0 means 1
    affine = np.eye(4)
    affine[:3, :3] = rotation * (pixdim[1], pixdim[2], pixdim[3] * qfac)
    affine[:3, 3] = [float(header[f"qoffset_{letter}"]) for letter in "xyz"]
    return _in_lps(affine, _mm(header))


def _compare(
    sform: NDArray[np.float64],
    qform: NDArray[np.float64],
    shape_zyx: tuple[int, int, int],
    path: str,
) -> None:
    """Refuses transforms that put the voxels at different places.

    pixdim is no third witness: the qform takes its spacing from there. A converter that wrote the
    thickness of overlapping slices into the sform and one that resampled and left qform and pixdim
    as they were look the same.
    """
    if not (np.isfinite(sform).all() and np.isfinite(qform).all()):
        return  # the geometry that is used is checked next
    by_sform, by_qform = np.array(spacing_of(sform)), np.array(spacing_of(qform))
    corners = np.array([(*index, 1.0) for index in product(*((0, n - 1) for n in shape_zyx[::-1]))])
    apart_mm = float(np.linalg.norm((corners @ (sform - qform).T)[:, :3], axis=1).max())
    same_spacing = np.abs(by_sform - by_qform) <= TRANSFORM_TOLERANCE * by_qform
    if same_spacing.all() and apart_mm <= CORNER_TOLERANCE_MM:
        return
    if same_spacing.all():
        stated = f"they put a corner of the volume {apart_mm:.4g} mm apart"
    else:
        stated = f"the sform's spacing is {_text(by_sform)} mm, the qform's {_text(by_qform)} mm"
    msg = (
        f"sform and qform are both coded and contradict each other: {stated}; convert the series "
        "again from its DICOM files, or set the code of the wrong one to 0"
    )
    raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)


def _pixdim_notice(
    header: Nifti1Header, sform: NDArray[np.float64], path: str
) -> tuple[Notice, ...]:
    """A notice where pixdim states another spacing than the sform, which is used."""
    pixdim = np.asarray(header["pixdim"], dtype=np.float64)[1:4] * _mm(header)
    spacing = np.array(spacing_of(sform))
    if np.isfinite(pixdim).all() and np.abs(pixdim - spacing).max() <= (
        TRANSFORM_TOLERANCE * spacing.max()
    ):
        return ()
    message = (
        f"The sform's spacing is {_text(spacing)} mm, pixdim says {_text(pixdim)} mm; the sform "
        "was used."
    )
    numbers = {"sform_spacing_mm": _text(spacing), "pixdim_mm": _text(pixdim)}
    return (Notice(NoticeCode.HEADER_CONFLICT, message, numbers, path=path),)


def _text(spacing_mm: NDArray[np.float64]) -> str:
    return " x ".join(f"{number:.4g}" for number in spacing_mm.tolist())
