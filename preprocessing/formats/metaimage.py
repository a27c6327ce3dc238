"""MetaImage: ``.mhd`` with its ``.raw`` or ``.zraw``, and ``.mha``; the format of LUNA16."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import crop_rejection
from hounsfield.preprocessing.formats.common import (
    cannot_hold_hu,
    check_size,
    packed_too_well,
    read_into,
    right_handed,
    to_hu,
    voxel_bytes,
)
from hounsfield.preprocessing.formats.metaimage_header import (
    ELEMENT_TYPES,
    LOCAL,
    MetaImageHeader,
    read_metaimage_header,
)
from hounsfield.preprocessing.geometry.slice_geometry import orientation_name
from hounsfield.preprocessing.printable_path import file_name
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource


def describe_metaimage(
    source: ByteSource, find_sibling: Callable[[str], ByteSource | None]
) -> Series:
    """Describes a MetaImage as a `Series` from its header; no voxel is read.

    Args:
        source: The ``.mhd`` or ``.mha`` file.
        find_sibling: Returns the file of a name in the header's own folder, or None.

    Returns:
        One series whose study and series are named after the file.

    Raises:
        SeriesError: The header is wrong, or its data file is missing or too short.
        OSError: A file cannot be read.
    """
    header = read_metaimage_header(source)
    sources: tuple[ByteSource, ...] = (source,)
    if header.data_file != LOCAL:
        data = find_sibling(header.data_file)
        if data is None:
            name = file_name(header.data_file.replace("\\", "/"))
            msg = f"Its data file {name!r} is not there; copy it beside the header"
            raise SeriesError(Reason.UNREADABLE, msg, path=str(source))
        sources = (source, data)
    _check_size(header, sources[-1])
    spacing_x, spacing_y, spacing_z = np.linalg.norm(header.affine[:3, :3], axis=0).tolist()
    spacing_mm = (spacing_x, spacing_y, spacing_z)
    rejection = _not_ct(header, sources[-1], str(source))
    stem = re.sub(r"(?i)\.mh[ad]$", "", source.name)
    return Series(
        path=source.path,
        format=SeriesFormat.METAIMAGE,
        sources=sources,
        facts=SeriesFacts(study_uid=stem, series_uid=stem, modality="CT"),
        shape_zyx=header.shape_zyx,
        spacing_mm=spacing_mm,
        orientation=orientation_name(header.affine[:3, 2] / spacing_z),
        rejection=rejection or crop_rejection(header.shape_zyx, spacing_mm, str(source)),
        readable=rejection is None,
    )


def read_metaimage(series: Series) -> Volume:
    """Reads the voxels of a MetaImage.

    Args:
        series: The description that `describe_metaimage` returned.

    Returns:
        HU on the file's own grid, right-handed.

    Raises:
        SeriesError: The data are cut, damaged, or cannot be HU.
    """
    source, data_source = series.sources[0], series.sources[-1]
    header = read_metaimage_header(source)
    _check_size(header, data_source)
    stored = _read_values(header, data_source).reshape(header.shape_zyx)
    hu, notices = to_hu(stored, 1, 0, str(source))
    hu, affine = right_handed(hu, header.affine)
    return Volume(hu=hu, affine=affine, series=series.facts, notices=series.notices + notices)


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


def _check_size(header: MetaImageHeader, data: ByteSource) -> None:
    present_bytes = data.size_bytes() - max(header.data_offset, 0)
    check_size(header.shape_zyx, header.dtype, present_bytes, str(data), packed=header.compressed)


def _read_values(header: MetaImageHeader, data: ByteSource) -> NDArray[np.generic]:
    expected = voxel_bytes(header.shape_zyx, header.dtype)
    with data.open() as file:
        if header.data_offset >= 0:
            file.seek(header.data_offset)
        else:
            file.seek(-expected, 2)
        if not header.compressed:
            values = np.empty(expected // header.dtype.itemsize, header.dtype)
            count = read_into(file, values.view(np.uint8).data)
        else:
            inflater = zlib.decompressobj()
            try:
                buffer = inflater.decompress(file.read(), expected)
            except zlib.error as error:
                msg = f"The compressed voxels are damaged ({error}); copy the file again"
                raise SeriesError(Reason.UNREADABLE, msg, path=str(data)) from error
            count = len(buffer)
            values = np.frombuffer(buffer[: count - count % header.dtype.itemsize], header.dtype)
    if count < expected:
        msg = f"{expected} bytes of voxels expected, {count} are there; the file is cut"
        raise SeriesError(Reason.TRUNCATED, msg, path=str(data))
    return values


def _text(numbers: object) -> str:
    return " ".join(f"{number:.17g}" for number in np.asarray(numbers).ravel().tolist())
