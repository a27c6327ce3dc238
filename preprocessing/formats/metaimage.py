"""MetaImage: ``.mhd`` with its ``.raw`` or ``.zraw``, and ``.mha``; the format of LUNA16."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
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
from hounsfield.preprocessing.formats.metaimage_header import (
    ELEMENT_TYPES,
    LOCAL,
    MetaImageHeader,
    list_of_slices,
    read_metaimage_header,
)
from hounsfield.preprocessing.geometry.slice_geometry import orientation_name
from hounsfield.preprocessing.printable import file_name
from hounsfield.preprocessing.safety_net import as_series_error
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource


def describe_metaimage(
    source: ByteSource, find_sibling: Callable[[str], ByteSource | None]
) -> Series:
    """Describes a MetaImage as a `Series` from its header.

    Voxels are read for the identifiers alone: all bytes of a file that is not gzipped and has no
    UID for its name.

    Args:
        source: The ``.mhd`` or ``.mha`` file.
        find_sibling: Returns the file of a name in the header's own folder, or None.

    Returns:
        One series; its identifiers are those of `identifiers`.

    Raises:
        SeriesError: The header is wrong, or its data file is missing or too short.
        OSError: A file cannot be read.
    """
    path = str(source)
    with as_series_error(path, remedy=DAMAGE_REMEDY):
        header = read_metaimage_header(source)
        sources, notices = _files(header, source, find_sibling)
        data = sources[-1]
        _check_size(header, data)
        spacing_mm = spacing_of(header.affine)
        rejection = _not_ct(header, data, path)
        if rejection is None:
            notices += _check_rest(header, data)
        uid, content_id = identifiers(sources)
        return Series(
            path=source.path,
            format=SeriesFormat.METAIMAGE,
            sources=sources,
            facts=SeriesFacts(study_uid=uid, series_uid=uid, modality="CT"),
            shape_zyx=header.shape_zyx,
            spacing_mm=spacing_mm,
            orientation=orientation_name(header.affine[:3, 2] / spacing_mm[2]),
            rejection=rejection or crop_rejection_of(header.shape_zyx, header.affine, path),
            readable=rejection is None,
            notices=notices,
            content_id=content_id,
        )


def read_metaimage(series: Series) -> Volume:
    """Reads the voxels of a MetaImage.

    Args:
        series: The description that `describe_metaimage` returned.

    Returns:
        HU on the file's own grid, right-handed.

    Raises:
        SeriesError: The data are cut, damaged, do not fit into memory, or cannot be HU.
        OSError: A file cannot be read.
    """
    source, data = series.sources[0], series.sources[-1]
    path = str(source)
    with as_series_error(path, series.subject, remedy=DAMAGE_REMEDY):
        header = read_metaimage_header(source)
        _check_size(header, data)
        check_memory(header.shape_zyx, header.dtype, path)
        stored, rest = _read_values(header, data)
        hu, notices = to_hu(stored.reshape(header.shape_zyx), header.affine, path)
        hu, affine = right_handed(hu, header.affine)
    return Volume(hu, affine, series.facts, notices=series.notices + rest + notices)


def write_metaimage(hu: NDArray[np.generic], affine: NDArray[np.float64], file: BinaryIO) -> None:
    """Writes an array as a compressed ``.mha``; the same array gives the same bytes.

    Args:
        hu: ``[z, y, x]``, of a type in `ELEMENT_TYPES`.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        file: Open for writing in binary mode.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    names = {np.dtype(code): name for name, code in reversed(ELEMENT_TYPES.items())}
    packed = zlib.compress(hu.astype(hu.dtype.newbyteorder("<"), order="C").data, 1)
    keys = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": len(packed),
        "TransformMatrix": _text((affine[:3, :3] / spacing).T.ravel()),
        "Offset": _text(affine[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _text(spacing),
        "DimSize": _text(hu.shape[::-1]),
        "ElementType": names[hu.dtype],
        "ElementDataFile": LOCAL,
    }
    file.write("".join(f"{key} = {value}\n" for key, value in keys.items()).encode())
    file.write(packed)


def _not_ct(header: MetaImageHeader, data: ByteSource, path: str) -> SeriesError | None:
    if header.modality not in {"", "MET_MOD_CT", "MET_MOD_UNKNOWN", "MET_MOD_OTHER"}:
        return SeriesError(Reason.NOT_CT, f"Modality is {header.modality}, not CT", path=path)
    error = cannot_hold_hu(header.dtype, 1, 0, path)
    if error is None and header.compressed:
        error = packed_too_well(header.shape_zyx, header.dtype, data.size_bytes(), path)
    return error


def _files(
    header: MetaImageHeader,
    source: ByteSource,
    find_sibling: Callable[[str], ByteSource | None],
) -> tuple[tuple[ByteSource, ...], tuple[Notice, ...]]:
    """The header's file and its data file, with a notice if that has another name than stated."""
    if header.data_file == LOCAL:
        return (source,), ()
    data = find_sibling(header.data_file)
    if data is not None:
        return (source, data), ()
    name = file_name(header.data_file.replace("\\", "/"))
    slices = list_of_slices(header.data_file)
    if slices is not None:
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, slices, path=str(source))
    stem = source.name.rpartition(".")[0]
    beside = [find_sibling(f"{stem}{suffix}") for suffix in (".raw", ".zraw")]
    fitting = [file for file in beside if file is not None and _fits(header, file)]
    if len(fitting) != 1:
        msg = f"Its data file {name!r} is not there; copy it beside the header"
        raise SeriesError(Reason.UNREADABLE, msg, path=str(source))
    message = (
        f"The header names the data file {name!r}, which is not there; {fitting[0].name!r} has the "
        "header's own name and exactly the size, and was read."
    )
    numbers = {"named": name, "read": fitting[0].name}
    notice = Notice(NoticeCode.HEADER_CONFLICT, message, numbers, path=str(source))
    return (source, fitting[0]), (notice,)


def _fits(header: MetaImageHeader, data: ByteSource) -> bool:
    """Whether a file has exactly the bytes that a header asks for."""
    before = max(header.data_offset, 0)
    if header.compressed:
        return header.packed_bytes is not None and (
            data.size_bytes() == before + header.packed_bytes
        )
    return data.size_bytes() == before + voxel_bytes(header.shape_zyx, header.dtype)


def _check_size(header: MetaImageHeader, data: ByteSource) -> None:
    present_bytes = data.size_bytes() - max(header.data_offset, 0)
    path = str(data)
    if header.packed_bytes is not None and not 0 < header.packed_bytes <= present_bytes:
        msg = (
            f"CompressedDataSize is {header.packed_bytes}, {present_bytes} bytes are there; the "
            "file is cut or its header is wrong"
        )
        raise SeriesError(Reason.TRUNCATED, msg, path=path)
    check_size(header.shape_zyx, header.dtype, present_bytes, path, packed=header.compressed)


def _check_rest(header: MetaImageHeader, data: ByteSource) -> tuple[Notice, ...]:
    """A notice if bytes are left behind voxels that are not compressed."""
    if header.compressed or header.data_offset < 0:
        return ()
    expected = header.data_offset + voxel_bytes(header.shape_zyx, header.dtype)
    return check_rest(header.shape_zyx, header.dtype, data.size_bytes() - expected, str(data))


def _read_values(
    header: MetaImageHeader, data: ByteSource
) -> tuple[NDArray[np.generic], tuple[Notice, ...]]:
    path = str(data)
    expected = voxel_bytes(header.shape_zyx, header.dtype)
    values = np.empty(expected // header.dtype.itemsize, header.dtype)
    buffer = values.view(np.uint8).data
    rest: tuple[Notice, ...] = ()
    with data.open_stream() as file:
        file.seek(_first_byte(header, data))
        if header.compressed:
            most = smallest_plane_bytes(header.shape_zyx, header.dtype)
            inflated = inflate_into(file, buffer, path, max_extra=most)
            count = inflated.count
            rest = check_rest(header.shape_zyx, header.dtype, inflated.extra, path)
        else:
            count = read_into(file, buffer)
        drain(file)
    if count < expected:
        msg = f"{expected} bytes of voxels expected, {count} are there; the file is cut"
        raise SeriesError(Reason.TRUNCATED, msg, path=path)
    return values, rest


def _first_byte(header: MetaImageHeader, data: ByteSource) -> int:
    if header.data_offset >= 0:
        return header.data_offset
    return data.size_bytes() - (header.packed_bytes or voxel_bytes(header.shape_zyx, header.dtype))


def _text(numbers: object) -> str:
    return " ".join(f"{number:.17g}" for number in np.asarray(numbers).ravel().tolist())
