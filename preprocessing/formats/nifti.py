"""NIfTI: ``.nii`` and ``.nii.gz``, one volume per file; RAS coordinates are converted to LPS."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.member_stream import drain
from hounsfield.preprocessing.formats.checks import (
    DAMAGE_REMEDY,
    cannot_hold_hu,
    check_memory,
    check_rest,
    check_size,
    packed_too_well,
    smallest_plane_bytes,
    voxel_bytes,
)
from hounsfield.preprocessing.formats.grid import crop_rejection_of, right_handed, spacing_of
from hounsfield.preprocessing.formats.hu_conversion import to_hu
from hounsfield.preprocessing.formats.identity import identifiers
from hounsfield.preprocessing.formats.inflating import inflate_into, read_into
from hounsfield.preprocessing.formats.nifti_affine import RAS_TO_LPS
from hounsfield.preprocessing.formats.nifti_header import NiftiHeader, read_nifti_header
from hounsfield.preprocessing.geometry.slice_geometry import orientation_name
from hounsfield.preprocessing.safety_net import as_series_error
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource


def describe_nifti(source: ByteSource) -> Series:
    """Describes a NIfTI file as a `Series` from its header.

    Voxels are read for the identifiers alone: all bytes of a file that is not compressed and has no
    UID for its name.

    Args:
        source: A ``.nii`` or ``.nii.gz`` file, or such a member of an archive.

    Returns:
        One series; its identifiers are those of `identifiers`.

    Raises:
        SeriesError: The header is wrong, has no position, or promises more than the file can
            hold.
        OSError: The file cannot be read.
    """
    path = str(source)
    with as_series_error(path, remedy=DAMAGE_REMEDY):
        with source.open_stream() as file:
            header = read_nifti_header(file, source)
        _check_size(header, source)
        spacing_mm = spacing_of(header.affine)
        rejection = _not_ct(header, source)
        uid, content_id = identifiers((source,))
        return Series(
            path=source.path,
            format=SeriesFormat.NIFTI,
            sources=(source,),
            facts=SeriesFacts(study_uid=uid, series_uid=uid, modality="CT"),
            shape_zyx=header.shape_zyx,
            spacing_mm=spacing_mm,
            orientation=orientation_name(header.affine[:3, 2] / spacing_mm[2]),
            rejection=rejection or crop_rejection_of(header.shape_zyx, header.affine, path),
            readable=rejection is None,
            notices=header.notices,
            content_id=content_id,
        )


def read_nifti(series: Series) -> Volume:
    """Reads the voxels of a NIfTI file.

    Args:
        series: The description that `describe_nifti` returned.

    Returns:
        HU on the file's own grid, right-handed.

    Raises:
        SeriesError: The data are cut, damaged, do not fit into memory, or cannot be HU.
        OSError: The file cannot be read.
    """
    (source,) = series.sources
    path = str(source)
    with as_series_error(path, series.subject, remedy=DAMAGE_REMEDY):
        with source.open_stream() as file:
            header = read_nifti_header(file, source)
            _check_size(header, source)
            check_memory(header.shape_zyx, header.dtype, path)
            stored, rest_bytes = _read_values(file, header, source)
            rest = check_rest(header.shape_zyx, header.dtype, rest_bytes, path)
            drain(file)
        hu, notices = to_hu(
            stored, header.affine, path, slope=header.slope, intercept=header.intercept
        )
        hu, affine = right_handed(hu, header.affine)
    return Volume(hu, affine, series.facts, notices=series.notices + rest + notices)


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


def _check_size(header: NiftiHeader, source: ByteSource) -> None:
    present_bytes = source.size_bytes() - (0 if header.packed else header.data_offset)
    check_size(header.shape_zyx, header.dtype, present_bytes, str(source), packed=header.packed)


def _not_ct(header: NiftiHeader, source: ByteSource) -> SeriesError | None:
    error = cannot_hold_hu(header.dtype, header.slope, header.intercept, str(source))
    if error is None and header.packed:
        error = packed_too_well(header.shape_zyx, header.dtype, source.size_bytes(), str(source))
    return error


def _read_values(
    file: BinaryIO, header: NiftiHeader, source: ByteSource
) -> tuple[NDArray[np.generic], int]:
    """Reads the stored values, ``[z, y, x]``, and counts the bytes behind them.

    NIfTI's fastest axis is x, so this is C order.
    """
    values = np.empty(header.shape_zyx, header.dtype)
    buffer = values.reshape(-1).view(np.uint8).data
    if header.packed:
        file.seek(0)
        inflated = inflate_into(
            file,
            buffer,
            str(source),
            skip=header.data_offset,
            max_extra=smallest_plane_bytes(header.shape_zyx, header.dtype),
        )
        count, rest_bytes = inflated.count, inflated.extra
    else:
        file.seek(header.data_offset)
        count = read_into(file, buffer)
        rest_bytes = source.size_bytes() - header.data_offset - count
    if count < len(buffer):
        expected = voxel_bytes(header.shape_zyx, header.dtype)
        msg = f"{expected} bytes of voxels expected, {count} are there; the file is cut"
        raise SeriesError(Reason.TRUNCATED, msg, path=str(source))
    return values, rest_bytes
