"""The header of a NIfTI file: shape, place, type and scale of its voxels (nifti1.h, nifti2.h)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.checks import BEST_DEFLATE_RATIO, check_grid
from hounsfield.preprocessing.formats.inflating import GZIP_MAGIC
from hounsfield.preprocessing.formats.nifti_affine import lps_affine, unit_name

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header
    from numpy.typing import NDArray

    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.files.sources import ByteSource

_HEADER_BYTES = {348: (344, b"n+1\0", b"ni1\0"), 540: (4, b"n+2\0", b"ni2\0")}
_PEEK_PACKED, _PEEK_BYTES = 2048, 1024


@dataclass(frozen=True, slots=True, eq=False)
class NiftiHeader:
    """Shape, position and encoding of the voxels, from the header.

    Attributes:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        data_offset: First byte of the values in the unpacked file.
        packed: Whether the file is compressed.
        notices: Contradictions within the header.
    """

    shape_zyx: tuple[int, int, int]
    affine: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    slope: float
    intercept: float
    data_offset: int
    packed: bool
    notices: tuple[Notice, ...]


def nifti_header_bytes(head: bytes) -> bytes:
    """Returns the header from a file's first bytes, unpacked if necessary; empty if not NIfTI.

    Args:
        head: At least 2 KB of the file, or all of a smaller one. Only as much is unpacked as a
            header needs.
    """
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(
                head[:_PEEK_PACKED], _PEEK_BYTES
            )
        except zlib.error:
            return b""
    size = _header_size(head)
    if size is None or len(head) < size:
        return b""
    at, *magics = _HEADER_BYTES[size]
    return head[:size] if head[at : at + 4] in magics else b""


def read_nifti_header(file: BinaryIO, source: ByteSource) -> NiftiHeader:
    """Reads and checks a header.

    Args:
        file: The file, open at its beginning; compressed or not.
        source: Where the file is from: its length bounds the offset of the voxels, errors name it.

    Returns:
        What the voxels need to be read, with notices on what the header contradicts.

    Raises:
        SeriesError: A value is wrong, or the header has no position.
    """
    import nibabel as nib

    path = str(source)
    head = file.read(_PEEK_PACKED)
    block = nifti_header_bytes(head)
    if not block:
        raise SeriesError(Reason.TRUNCATED, "The NIfTI header is cut or damaged", path=path)
    if len(block) == 348:
        header = nib.Nifti1Header(block, check=False)
    else:
        header = nib.Nifti2Header(block, check=False)
    if bytes(header["magic"])[:3] in {b"ni1", b"ni2"}:
        msg = "A NIfTI pair (.hdr and .img) is not supported; save it as one .nii"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=path)
    shape_zyx = _shape_zyx(header, path)
    affine, notices = lps_affine(header, shape_zyx, path)
    _check_grid(header, affine, shape_zyx, path)
    slope, intercept = _scale(header, path)
    packed = head.startswith(GZIP_MAGIC)
    most_bytes = source.size_bytes() * (BEST_DEFLATE_RATIO if packed else 1)
    return NiftiHeader(
        shape_zyx=shape_zyx,
        affine=affine,
        dtype=_dtype(header, path),
        slope=slope,
        intercept=intercept,
        data_offset=_data_offset(header, most_bytes, path),
        packed=packed,
        notices=notices,
    )


def _header_size(head: bytes) -> int | None:
    for order in ("little", "big"):
        size = int.from_bytes(head[:4], "little" if order == "little" else "big")
        if size in _HEADER_BYTES:
            return size
    return None


def _check_grid(
    header: Nifti1Header,
    affine: NDArray[np.float64],
    shape_zyx: tuple[int, int, int],
    path: str,
) -> None:
    """Adds the unit to the sentence on a size that cannot be: many writers state a wrong one."""
    try:
        check_grid(affine, shape_zyx, path)
    except SeriesError as error:
        unit = unit_name(header)
        if error.reason is not Reason.IMPOSSIBLE_SIZE or unit in {"mm", "unknown"}:
            raise
        msg = f"{error.message}; its unit (xyzt_units) is the {unit}"
        raise SeriesError(error.reason, msg, path=path) from error


def _dtype(header: Nifti1Header, path: str) -> np.dtype[np.generic]:
    try:
        dtype = cast("np.dtype[np.generic]", header.get_data_dtype())
    except Exception:  # noqa: BLE001 - nibabel lists no exceptions for a code that it does not know
        dtype = np.dtype("V1")
    if dtype.kind not in "iuf":
        msg = f"NIfTI datatype {int(header['datatype'])} is not a scalar number"
        raise SeriesError(Reason.NOT_CT, msg, path=path)
    return dtype


def _scale(header: Nifti1Header, path: str) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 (nifti1.h), or of NaN (SPM), means "not scaled"."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        msg = (
            f"scl_slope and scl_inter must be finite, got {slope:g} and {intercept:g}; convert the "
            "series again"
        )
        raise SeriesError(Reason.HU_UNKNOWN, msg, path=path)
    return slope, intercept


def _data_offset(header: Nifti1Header, most_bytes: int, path: str) -> int:
    offset = float(header["vox_offset"])
    if not 0 <= offset <= most_bytes:  # false for NaN too
        msg = (
            f"vox_offset, the first byte of the voxels, is {offset:g}, which is not within the "
            "file; copy or convert it again"
        )
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return max(int(offset), _first_voxel_byte(header))


def _first_voxel_byte(header: Nifti1Header) -> int:
    """Header and the 4 bytes that announce extensions; vox_offset 0 means right after them."""
    return int(header["sizeof_hdr"]) + 4


def _shape_zyx(header: Nifti1Header, path: str) -> tuple[int, int, int]:
    dimensions = int(header["dim"][0])
    x, y, z, *more = (int(count) for count in header["dim"][1:8])
    if not 3 <= dimensions <= 7 or max(more[: dimensions - 3], default=1) > 1:
        counts = " x ".join(str(int(n)) for n in header["dim"][1 : 1 + min(max(dimensions, 0), 7)])
        msg = f"A single volume with 3 axes is needed, got {dimensions} axes ({counts})"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    return (z, y, x)
