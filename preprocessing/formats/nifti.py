"""NIfTI: ``.nii`` and ``.nii.gz``, one volume per file; RAS coordinates are converted to LPS."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import crop_rejection
from hounsfield.preprocessing.formats.common import (
    cannot_hold_hu,
    check_grid,
    check_size,
    packed_too_well,
    read_into,
    right_handed,
    to_hu,
)
from hounsfield.preprocessing.geometry.slice_geometry import orientation_name
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header
    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource

RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])

_HEADER_BYTES = {348: (344, b"n+1\0", b"ni1\0"), 540: (4, b"n+2\0", b"ni2\0")}
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown means mm, as in other readers
_GZIP_MAGIC = b"\x1f\x8b"
_PEEK_PACKED, _PEEK_BYTES = 2048, 1024


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Shape, position and encoding of the voxels, from the header.

    Attributes:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        data_offset: First byte of the values in the unpacked file.
    """

    shape_zyx: tuple[int, int, int]
    affine: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    slope: float
    intercept: float
    data_offset: int


def nifti_header_bytes(head: bytes) -> bytes:
    """Returns the header from a file's first bytes, unpacked if necessary; empty if not NIfTI.

    Args:
        head: At least 2 KB of the file, or all of a smaller one. Only as much is unpacked as a
            header needs.
    """
    if head.startswith(_GZIP_MAGIC):
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


def describe_nifti(source: ByteSource) -> Series:
    """Describes a NIfTI file as a `Series` from its header; no voxel is read.

    Args:
        source: A ``.nii`` or ``.nii.gz`` file, or such a member of an archive.

    Returns:
        One series whose study and series are named after the file.

    Raises:
        SeriesError: The header is wrong, has no position, or promises more than the file can
            hold.
        OSError: The file cannot be read.
    """
    with source.open() as file:
        header, packed = _read_header(file, source)
    path = str(source)
    grid = _grid(header, path)
    _check_size(grid, source, packed=packed)
    x, y, z = np.linalg.norm(grid.affine[:3, :3], axis=0).tolist()
    rejection = _not_ct(grid, source, packed=packed)
    stem = re.sub(r"(?i)\.nii(\.gz)?$", "", source.name)
    return Series(
        path=source.path,
        format=SeriesFormat.NIFTI,
        sources=(source,),
        facts=SeriesFacts(study_uid=stem, series_uid=stem, modality="CT"),
        shape_zyx=grid.shape_zyx,
        spacing_mm=(x, y, z),
        orientation=orientation_name(grid.affine[:3, 2] / z),
        rejection=rejection or crop_rejection(grid.shape_zyx, (x, y, z), path),
        readable=rejection is None,
    )


def read_nifti(series: Series) -> Volume:
    """Reads the voxels of a NIfTI file.

    Args:
        series: The description that `describe_nifti` returned.

    Returns:
        HU on the file's own grid, right-handed.

    Raises:
        SeriesError: The data are cut, damaged, or cannot be HU.
        OSError: The file cannot be read.
    """
    (source,) = series.sources
    path = str(source)
    with source.open() as file:
        header, packed = _read_header(file, source)
        grid = _grid(header, path)
        _check_size(grid, source, packed=packed)
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                stored = _read_values(cast("BinaryIO", unpacked), grid, path)
        else:
            stored = _read_values(file, grid, path)
    hu, notices = to_hu(stored, grid.slope, grid.intercept, path)
    hu, affine = right_handed(hu, grid.affine)
    return Volume(hu=hu, affine=affine, series=series.facts, notices=series.notices + notices)


def write_nifti(array: NDArray[np.generic], affine: NDArray[np.float64], file: BinaryIO) -> None:
    """Writes an array as ``.nii.gz``; the same array gives the same bytes.

    Args:
        array: ``[z, y, x]``, of any type that NIfTI knows.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        file: Open for writing in binary mode.
    """
    import nibabel as nib

    image = nib.Nifti1Image(array.transpose(2, 1, 0), RAS_TO_LPS @ affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(RAS_TO_LPS @ affine, code="scanner")
    image.set_qform(RAS_TO_LPS @ affine, code="scanner")
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as packed:
        image.to_stream(packed)


def _header_size(head: bytes) -> int | None:
    for order in ("little", "big"):
        size = int.from_bytes(head[:4], "little" if order == "little" else "big")
        if size in _HEADER_BYTES:
            return size
    return None


def _read_header(file: BinaryIO, source: ByteSource) -> tuple[Nifti1Header, bool]:
    """Returns the header, and whether the file is compressed."""
    import nibabel as nib

    head = file.read(_PEEK_PACKED)
    block = nifti_header_bytes(head)
    if not block:
        raise SeriesError(Reason.TRUNCATED, "The NIfTI header is cut or damaged", path=str(source))
    if len(block) == 348:
        header = nib.Nifti1Header(block, check=False)
    else:
        header = nib.Nifti2Header(block, check=False)
    return header, head.startswith(_GZIP_MAGIC)


def _grid(header: Nifti1Header, path: str) -> _Grid:
    if bytes(header["magic"])[:3] in {b"ni1", b"ni2"}:
        msg = "A NIfTI pair (.hdr and .img) is not supported; save it as one .nii"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=path)
    shape_zyx = _shape_zyx(header, path)
    affine = _lps_affine(header, path)
    check_grid(affine, shape_zyx, path)
    try:
        dtype = cast("np.dtype[np.generic]", header.get_data_dtype())
    except (KeyError, ValueError):
        dtype = np.dtype("V1")
    if dtype.kind not in "iuf":
        msg = f"NIfTI datatype {int(header['datatype'])} is not a scalar number"
        raise SeriesError(Reason.NOT_CT, msg, path=path)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0:  # "not scaled", nifti1.h
        slope, intercept = 1.0, 0.0
    offset = float(header["vox_offset"])
    return _Grid(
        shape_zyx=shape_zyx,
        affine=affine,
        dtype=dtype,
        slope=slope,
        intercept=intercept if np.isfinite(intercept) else 0.0,
        data_offset=max(int(offset) if np.isfinite(offset) else 0, _first_voxel_byte(header)),
    )


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


def _lps_affine(header: Nifti1Header, path: str) -> NDArray[np.float64]:
    """The sform, or if it is not coded the qform, from RAS in the header's unit to LPS in mm."""
    affine = header.get_sform(coded=True)[0]
    if affine is None and int(header["qform_code"]) > 0:
        try:
            affine = header.get_qform()
        except ValueError as error:
            msg = f"The qform is not a rotation ({error})"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path) from error
    if affine is None:
        msg = (
            "sform_code and qform_code are both 0, so the header does not state the position of "
            "the voxels; convert the series again from its DICOM files"
        )
        raise SeriesError(Reason.NO_POSITION, msg, path=path)
    unit = int(header["xyzt_units"]) & 0x07
    scaled = np.asarray(affine, dtype=np.float64).copy()
    scaled[:3] *= _MM_PER_UNIT.get(unit, 1.0)
    return cast("NDArray[np.float64]", RAS_TO_LPS @ scaled)


def _check_size(grid: _Grid, source: ByteSource, *, packed: bool) -> None:
    present_bytes = source.size_bytes() - (0 if packed else grid.data_offset)
    check_size(grid.shape_zyx, grid.dtype, present_bytes, str(source), packed=packed)


def _not_ct(grid: _Grid, source: ByteSource, *, packed: bool) -> SeriesError | None:
    error = cannot_hold_hu(grid.dtype, grid.slope, grid.intercept, str(source))
    if error is None and packed:
        error = packed_too_well(grid.shape_zyx, grid.dtype, source.size_bytes(), str(source))
    return error


def _read_values(file: BinaryIO, grid: _Grid, path: str) -> NDArray[np.generic]:
    """Reads the stored values, ``[z, y, x]``; NIfTI's fastest axis is x, so this is C order."""
    values = np.empty(grid.shape_zyx, grid.dtype)
    buffer = values.reshape(-1).view(np.uint8).data
    try:
        file.seek(grid.data_offset)
        count = read_into(file, buffer)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = Reason.TRUNCATED if isinstance(error, EOFError) else Reason.UNREADABLE
        msg = f"The compressed voxels are cut or damaged ({error}); copy the file again"
        raise SeriesError(reason, msg, path=path) from error
    if count < len(buffer):
        msg = f"{len(buffer)} bytes of voxels expected, {count} are there; the file is cut"
        raise SeriesError(Reason.TRUNCATED, msg, path=path)
    return values
