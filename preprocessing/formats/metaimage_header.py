"""The header of a MetaImage: text lines of ``Key = Value``, the last naming the data.

Keys as in the MetaIO documentation (https://itk.org/Wiki/MetaIO/Documentation); ITK writes the
world in LPS mm, as DICOM does, so nothing is turned.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.common import check_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource

HEADER_LIMIT: Final = 64 * 1024
LOCAL: Final = "LOCAL"
"""The data follow the header in the same file."""

_FIRST_KEYS = re.compile(rb"(?mi)^\s*(NDims|ObjectType)\s*=")
ELEMENT_TYPES: Final = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


@dataclass(frozen=True, slots=True, eq=False)
class MetaImageHeader:
    """What a MetaImage header says.

    Attributes:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        dtype: Of the stored values, with its byte order.
        data_file: Name of the file with the values, or `LOCAL`.
        data_offset: Byte where they begin; -1 if they are the last of the file.
    """

    shape_zyx: tuple[int, int, int]
    affine: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    compressed: bool
    data_file: str
    data_offset: int
    modality: str


def looks_like_metaimage(head: bytes) -> bool:
    """Whether a file's first bytes are those of a MetaImage header."""
    return _FIRST_KEYS.search(head[:512]) is not None


def read_metaimage_header(source: ByteSource) -> MetaImageHeader:
    """Reads and checks a header.

    Raises:
        SeriesError: A key is missing or wrong, or the header describes no volume in space.
        OSError: The file cannot be read.
    """
    with source.open() as file:
        keys = _header_keys(file, source)
        end = file.tell()
    label = str(source)
    dtype = _dtype(keys, label)
    shape_zyx = _shape_zyx(keys, label)
    affine = _affine(keys, label)
    check_grid(affine, shape_zyx, label)
    data_file = keys.get("elementdatafile", "")
    local = data_file.upper() == LOCAL
    offset = end if local else int(_numbers(keys, "headersize", 1, label, default=(0,))[0])
    return MetaImageHeader(
        shape_zyx=shape_zyx,
        affine=affine,
        dtype=dtype,
        compressed=_flag(keys, "compresseddata"),
        data_file=LOCAL if local else data_file,
        data_offset=offset,
        modality=keys.get("modality", ""),
    )


def _header_keys(file: BinaryIO, source: ByteSource) -> dict[str, str]:
    """Reads the lines up to ElementDataFile, which is always the last; keys in lower case."""
    keys: dict[str, str] = {}
    while "elementdatafile" not in keys:
        line = file.readline(HEADER_LIMIT)
        if not line or file.tell() > HEADER_LIMIT:
            msg = f"{source}: the MetaImage header must end with ElementDataFile, it does not"
            raise SeriesError(Reason.TRUNCATED, msg)
        key, _, value = os.fsdecode(line).partition("=")
        keys[key.strip().lower()] = value.strip()
    return keys


def _shape_zyx(keys: dict[str, str], label: str) -> tuple[int, int, int]:
    dimensions = int(_numbers(keys, "ndims", 1, label)[0])
    channels = int(_numbers(keys, "elementnumberofchannels", 1, label, default=(1,))[0])
    if dimensions != 3 or channels != 1:
        msg = f"{label}: NDims must be 3 with 1 channel, got {dimensions} with {channels}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    x, y, z = (int(count) for count in _numbers(keys, "dimsize", 3, label))
    return (z, y, x)


def _affine(keys: dict[str, str], label: str) -> NDArray[np.float64]:
    """The affine, from the first of each key's spellings. MetaIO lists the matrix by columns."""
    offset = _spelling(keys, ("offset", "position", "origin"))
    spacing = _spelling(keys, ("elementspacing", "elementsize"))
    matrix = _spelling(keys, ("transformmatrix", "rotation", "orientation"))
    if offset is None or spacing is None:
        msg = (
            f"{label}: Offset and ElementSpacing must say where the voxels lie; without them no"
            " place can be reported"
        )
        raise SeriesError(Reason.NO_POSITION, msg)
    affine = np.eye(4)
    if matrix is not None:
        affine[:3, :3] = np.reshape(_numbers(keys, matrix, 9, label), (3, 3)).T
    affine[:3, :3] *= _numbers(keys, spacing, 3, label)
    affine[:3, 3] = _numbers(keys, offset, 3, label)
    return affine


def _spelling(keys: dict[str, str], spellings: tuple[str, ...]) -> str | None:
    return next((key for key in spellings if key in keys), None)


def _numbers(
    keys: dict[str, str],
    key: str,
    count: int,
    label: str,
    *,
    default: tuple[float, ...] | None = None,
) -> tuple[float, ...]:
    if key not in keys and default is not None:
        return default
    try:
        numbers = tuple(float(word) for word in keys.get(key, "").split())
    except ValueError:
        numbers = ()
    if len(numbers) != count or not np.isfinite(numbers).all():
        msg = f"{label}: {key} must be {count} numbers, got {keys.get(key, 'nothing')!r}"
        raise SeriesError(Reason.UNREADABLE, msg)
    return numbers


def _flag(keys: dict[str, str], key: str, *, default: bool = False) -> bool:
    return keys[key].lower() in {"true", "1", "yes"} if key in keys else default


def _dtype(keys: dict[str, str], label: str) -> np.dtype[np.generic]:
    name = keys.get("elementtype", "")
    if name not in ELEMENT_TYPES or not _flag(keys, "binarydata", default=True):
        binary = keys.get("binarydata", "True")
        msg = f"{label}: ElementType {name!r} with BinaryData {binary!r} is not read"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    big = any(_flag(keys, k) for k in ("binarydatabyteordermsb", "elementbyteordermsb"))
    return np.dtype(ELEMENT_TYPES[name]).newbyteorder(">" if big else "<")
