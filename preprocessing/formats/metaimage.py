"""MetaImage: ``.mhd`` with its ``.raw`` or ``.zraw``, and ``.mha``, the form of LUNA16."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import extent_rejection
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
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource


def describe_metaimage(
    source: ByteSource, find_sibling: Callable[[str], ByteSource | None]
) -> Series:
    """Makes the `Series` of a MetaImage from its header; no voxel is read.

    Args:
        source: The ``.mhd`` or ``.mha``.
        find_sibling: Gives the file of a name in the header's own folder, or None.

    Raises:
        SeriesError: The header is wrong, or its data file is not there or too short.
        OSError: A file cannot be read.
    """
    header = read_metaimage_header(source)
    sources: tuple[ByteSource, ...] = (source,)
    if header.data_file != LOCAL:
        data = find_sibling(header.data_file)
        if data is None:
            msg = f"{source}: its data file {header.data_file!r} is not there; copy it beside it"
            raise SeriesError(Reason.UNREADABLE, msg)
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
        rejection=rejection or extent_rejection(header.shape_zyx, spacing_mm, str(source)),
        readable=rejection is None,
    )


def read_metaimage(series: Series) -> Volume:
    """Reads the voxels.

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
    """Writes an array ``[z, y, x]`` with its LPS affine as a compressed ``.mha``."""
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


def _not_ct(header: MetaImageHeader, data: ByteSource, label: str) -> SeriesError | None:
    if header.modality not in {"", "MET_MOD_CT", "MET_MOD_UNKNOWN", "MET_MOD_OTHER"}:
        return SeriesError(Reason.NOT_CT, f"{label}: Modality is {header.modality}, not CT")
    error = cannot_hold_hu(header.dtype, 1, 0, label)
    if error is None and header.compressed:
        error = packed_too_well(header.shape_zyx, header.dtype, data.size_bytes(), label)
    return error


def _check_size(header: MetaImageHeader, data: ByteSource) -> None:
    there = data.size_bytes() - max(header.data_offset, 0)
    check_size(header.shape_zyx, header.dtype, there, str(data), packed=header.compressed)


def _read_values(header: MetaImageHeader, data: ByteSource) -> NDArray[np.generic]:
    wanted = voxel_bytes(header.shape_zyx, header.dtype)
    with data.open() as file:
        if header.data_offset >= 0:
            file.seek(header.data_offset)
        else:
            file.seek(-wanted, 2)
        if not header.compressed:
            values = np.empty(wanted // header.dtype.itemsize, header.dtype)
            got = read_into(file, values.view(np.uint8).data)
        else:
            inflater = zlib.decompressobj()
            try:
                buffer = inflater.decompress(file.read(), wanted)
            except zlib.error as error:
                msg = f"{data}: the packed data are damaged ({error}); copy the file again"
                raise SeriesError(Reason.UNREADABLE, msg) from error
            got = len(buffer)
            values = np.frombuffer(buffer[: got - got % header.dtype.itemsize], header.dtype)
    if got < wanted:
        msg = f"{data}: {wanted} bytes expected, {got} are there; the file is cut"
        raise SeriesError(Reason.TRUNCATED, msg)
    return values


def _text(numbers: object) -> str:
    return " ".join(f"{number:.17g}" for number in np.asarray(numbers).ravel().tolist())
