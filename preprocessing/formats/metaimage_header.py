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
from hounsfield.preprocessing.formats.checks import check_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource

MAX_HEADER_BYTES: Final = 64 * 1024
LOCAL: Final = "LOCAL"
"""The data follow the header in the same file."""

_FIRST_KEYS = re.compile(rb"(?mi)^(\xef\xbb\xbf)?\s*(NDims|ObjectType)\s*=")
_KEY_AND_VALUE = re.compile(rb"[A-Za-z]\w*[ \t]*=")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LIST = re.compile(r"(?i)list(\s+\d+D?)?$")
_PATTERN = re.compile(r".*%\d*d.*")
_LENGTH_TOLERANCE = 0.01
_LAST_BYTES = -1
"""HeaderSize of a file whose last bytes are the voxels."""

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
        packed_bytes: CompressedDataSize, the length of compressed values; None if not stated.
        modality: As the header states it, for instance ``MET_MOD_CT``; empty if it does not.
    """

    shape_zyx: tuple[int, int, int]
    affine: NDArray[np.float64]
    dtype: np.dtype[np.generic]
    compressed: bool
    data_file: str
    data_offset: int
    packed_bytes: int | None
    modality: str


def looks_like_metaimage(head: bytes) -> bool:
    """Returns whether a file is a MetaImage header, by its first bytes.

    Args:
        head: At least 2 KB of the file, or all of a smaller one. A comment of the same length may
            come first.
    """
    if _FIRST_KEYS.search(head) is None:
        return False
    first_line = head.removeprefix(_BYTE_ORDER_MARK).lstrip().partition(b"\n")[0]
    return _KEY_AND_VALUE.match(first_line) is not None


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
    with source.open_stream() as file:
        keys = _header_keys(file, source)
        end = file.tell()
    path = str(source)
    dtype = _dtype(keys, path)
    shape_zyx = _shape_zyx(keys, path)
    affine = _affine(keys, path)
    check_grid(affine, shape_zyx, path)
    data_file = keys.get("elementdatafile", "")
    local = data_file.upper() == LOCAL
    compressed = _flag(keys, "compresseddata")
    packed_bytes = None
    if compressed and keys.get("compresseddatasize"):
        (packed_bytes,) = _whole_numbers(keys, "compresseddatasize", 1, path)
    (before,) = _whole_numbers(keys, "headersize", 1, path, default=(0,))
    if before < _LAST_BYTES:
        msg = f"HeaderSize must be a number of bytes or {_LAST_BYTES}, got {before}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    offset = end if local else before
    if offset < 0 and compressed and not packed_bytes:
        msg = (
            "HeaderSize -1 says that the voxels are the last bytes of their file; compressed ones "
            "need CompressedDataSize to say how many"
        )
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return MetaImageHeader(
        shape_zyx=shape_zyx,
        affine=affine,
        dtype=dtype,
        compressed=compressed,
        data_file=LOCAL if local else data_file,
        data_offset=offset,
        packed_bytes=packed_bytes,
        modality=keys.get("modality", ""),
    )


def list_of_slices(data_file: str) -> str | None:
    """Returns why the data file that a header names is none: a list of files, one for each slice.

    Args:
        data_file: The value of ElementDataFile, where no file has that name.
    """
    words = data_file.split()
    if _LIST.fullmatch(data_file) or (_PATTERN.fullmatch(words[0] if words else "")):
        return (
            f"Slice lists are not read (ElementDataFile = {data_file}): save the volume as one file"
        )
    return None


def _header_keys(file: BinaryIO, source: ByteSource) -> dict[str, str]:
    """Reads the lines up to ElementDataFile, which is always the last; keys in lower case."""
    keys: dict[str, str] = {}
    while "elementdatafile" not in keys:
        line = file.readline(MAX_HEADER_BYTES)
        if not line or file.tell() > MAX_HEADER_BYTES:
            msg = "The MetaImage header must end with ElementDataFile, it does not"
            raise SeriesError(Reason.TRUNCATED, msg, path=str(source))
        if not keys:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        name, _, text = os.fsdecode(line).partition("=")
        key, value = name.strip().lower(), text.strip()
        if keys.get(key, value) != value and key != "comment":
            msg = f"The header states {key} twice, as {keys[key]!r} and {value!r}; convert it again"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=str(source))
        keys[key] = value
    return keys


def _shape_zyx(keys: dict[str, str], path: str) -> tuple[int, int, int]:
    (dimensions,) = _whole_numbers(keys, "ndims", 1, path)
    (channels,) = _whole_numbers(keys, "elementnumberofchannels", 1, path, default=(1,))
    if dimensions != 3 or channels != 1:
        msg = f"NDims must be 3 with 1 channel, got {dimensions} with {channels}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    x, y, z = _whole_numbers(keys, "dimsize", 3, path)
    return (z, y, x)


def _affine(keys: dict[str, str], path: str) -> NDArray[np.float64]:
    """The affine. MetaIO lists the matrix by columns, whose length is 1."""
    offset = _stated(keys, ("offset", "position", "origin"), 3, path)
    spacing = _stated(keys, ("elementspacing",), 3, path) or _stated(
        keys, ("elementsize",), 3, path
    )
    matrix = _stated(keys, ("transformmatrix", "rotation", "orientation"), 9, path)
    if offset is None or spacing is None:
        msg = (
            "Offset and ElementSpacing must state the position of the voxels; without them no "
            "position can be reported"
        )
        raise SeriesError(Reason.NO_POSITION, msg, path=path)
    affine = np.eye(4)
    if matrix is not None:
        affine[:3, :3] = np.reshape(matrix, (3, 3)).T
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if min(spacing) < 0 or np.abs(lengths - 1).max() > _LENGTH_TOLERANCE:
        msg = (
            f"ElementSpacing must be positive and the columns of TransformMatrix 1 long, got "
            f"{spacing} and lengths of {lengths.round(3).tolist()}; convert the series again"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    affine[:3, :3] *= spacing
    affine[:3, 3] = offset
    return affine


def _stated(
    keys: dict[str, str], spellings: tuple[str, ...], count: int, path: str
) -> tuple[float, ...] | None:
    """The numbers under the spellings of one key; None if it is absent.

    Raises:
        SeriesError: Two spellings have different numbers.
    """
    stated = {key: _numbers(keys, key, count, path) for key in spellings if key in keys}
    if len(set(stated.values())) > 1:
        pairs = ", ".join(f"{key} = {keys[key]}" for key in stated)
        msg = f"The header contradicts itself: {pairs}; convert the series again"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    return next(iter(stated.values()), None)


def _whole_numbers(
    keys: dict[str, str],
    key: str,
    count: int,
    path: str,
    *,
    default: tuple[float, ...] | None = None,
) -> tuple[int, ...]:
    numbers = _numbers(keys, key, count, path, default=default)
    if any(number != int(number) for number in numbers):
        msg = f"{key} must be {count} whole numbers, got {keys[key]!r}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return tuple(int(number) for number in numbers)


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
