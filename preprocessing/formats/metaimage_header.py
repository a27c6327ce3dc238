"""The header of a MetaImage: text lines of ``Key = Value``, the last naming the data.

Keys as in the MetaIO documentation (https://itk.org/Wiki/MetaIO/Documentation). ITK writes
coordinates in LPS mm, as DICOM does, so they are used unchanged.
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

MAX_HEADER_BYTES: Final = 64 * 1024
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
    """Shape, position and encoding of the voxels of a MetaImage.

    Attributes:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        dtype: Type of the stored values, with its byte order.
        data_file: Name of the file with the values, or `LOCAL`.
        data_offset: Byte where the values begin; -1 if they are the last bytes of the file.
        modality: As the header states it, for instance ``MET_MOD_CT``; empty if it does not.
    """

    shape_zyx: tuple[int, int, int]
    affine: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    compressed: bool
    data_file: str
    data_offset: int
    modality: str


def looks_like_metaimage(head: bytes) -> bool:
    """Returns whether a file is a MetaImage header, by its first bytes.

    Args:
        head: At least 512 bytes of the file, or all of a smaller one.
    """
    return _FIRST_KEYS.search(head[:512]) is not None


def read_metaimage_header(source: ByteSource) -> MetaImageHeader:
    """Reads and checks a header.

    Args:
        source: The ``.mhd`` or ``.mha`` file.

    Returns:
        The header, with the spellings of all versions of MetaIO resolved.

    Raises:
        SeriesError: A key is missing or wrong, or the header has no position.
        OSError: The file cannot be read.
    """
    with source.open() as file:
        keys = _header_keys(file, source)
        end = file.tell()
    path = str(source)
    dtype = _dtype(keys, path)
    shape_zyx = _shape_zyx(keys, path)
    affine = _affine(keys, path)
    check_grid(affine, shape_zyx, path)
    data_file = keys.get("elementdatafile", "")
    local = data_file.upper() == LOCAL
    offset = end if local else int(_numbers(keys, "headersize", 1, path, default=(0,))[0])
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
        line = file.readline(MAX_HEADER_BYTES)
        if not line or file.tell() > MAX_HEADER_BYTES:
            msg = "The MetaImage header must end with ElementDataFile, it does not"
            raise SeriesError(Reason.TRUNCATED, msg, path=str(source))
        key, _, value = os.fsdecode(line).partition("=")
        keys[key.strip().lower()] = value.strip()
    return keys


def _shape_zyx(keys: dict[str, str], path: str) -> tuple[int, int, int]:
    dimensions = int(_numbers(keys, "ndims", 1, path)[0])
    channels = int(_numbers(keys, "elementnumberofchannels", 1, path, default=(1,))[0])
    if dimensions != 3 or channels != 1:
        msg = f"NDims must be 3 with 1 channel, got {dimensions} with {channels}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    x, y, z = (int(count) for count in _numbers(keys, "dimsize", 3, path))
    return (z, y, x)


def _affine(keys: dict[str, str], path: str) -> NDArray[np.float64]:
    """The affine, from the first of each key's spellings. MetaIO lists the matrix by columns."""
    offset = _spelling(keys, ("offset", "position", "origin"))
    spacing = _spelling(keys, ("elementspacing", "elementsize"))
    matrix = _spelling(keys, ("transformmatrix", "rotation", "orientation"))
    if offset is None or spacing is None:
        msg = (
            "Offset and ElementSpacing must state the position of the voxels; without them no "
            "position can be reported"
        )
        raise SeriesError(Reason.NO_POSITION, msg, path=path)
    affine = np.eye(4)
    if matrix is not None:
        affine[:3, :3] = np.reshape(_numbers(keys, matrix, 9, path), (3, 3)).T
    affine[:3, :3] *= _numbers(keys, spacing, 3, path)
    affine[:3, 3] = _numbers(keys, offset, 3, path)
    return affine


def _spelling(keys: dict[str, str], spellings: tuple[str, ...]) -> str | None:
    return next((key for key in spellings if key in keys), None)


def _numbers(
    keys: dict[str, str],
    key: str,
    count: int,
    path: str,
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
        msg = f"{key} must be {count} numbers, got {keys.get(key, 'nothing')!r}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return numbers


def _flag(keys: dict[str, str], key: str, *, default: bool = False) -> bool:
    return keys[key].lower() in {"true", "1", "yes"} if key in keys else default


def _dtype(keys: dict[str, str], path: str) -> np.dtype[np.generic]:
    name = keys.get("elementtype", "")
    if name not in ELEMENT_TYPES or not _flag(keys, "binarydata", default=True):
        binary = keys.get("binarydata", "True")
        msg = f"ElementType {name!r} with BinaryData {binary!r} is not supported"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=path)
    big = any(_flag(keys, k) for k in ("binarydatabyteordermsb", "elementbyteordermsb"))
    return np.dtype(ELEMENT_TYPES[name]).newbyteorder(">" if big else "<")
