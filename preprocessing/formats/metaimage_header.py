"""The header of a MetaImage: text lines of ``Key = Value``, the last naming the data.

Keys as in the MetaIO documentation (https://itk.org/Wiki/MetaIO/Documentation). ITK writes
coordinates in LPS mm, as DICOM does, so they are used unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.checks import check_grid
from hounsfield.preprocessing.formats.metaimage_keys import (
    BYTE_ORDER_MARK,
    MetaImageKeys,
    read_keys,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.sources import ByteSource

LOCAL: Final = "LOCAL"
"""The data follow the header in the same file."""

_FIRST_KEYS = re.compile(rb"(?mi)^(\xef\xbb\xbf)?\s*(NDims|ObjectType)\s*=")
_KEY_AND_VALUE = re.compile(rb"[A-Za-z]\w*[ \t]*=")
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
    first_line = head.removeprefix(BYTE_ORDER_MARK).lstrip().partition(b"\n")[0]
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
    path = str(source)
    with source.open_stream() as file:
        keys = read_keys(file, path)
        end = file.tell()
    dtype = _dtype(keys)
    shape_zyx = _shape_zyx(keys)
    affine = _affine(keys)
    check_grid(affine, shape_zyx, path)
    data_file = keys.text("elementdatafile")
    local = data_file.upper() == LOCAL
    compressed = keys.flag("compresseddata")
    packed_bytes = None
    if compressed and keys.text("compresseddatasize"):
        (packed_bytes,) = keys.whole_numbers("compresseddatasize", 1)
    (before,) = keys.whole_numbers("headersize", 1, default=(0,))
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
        modality=keys.text("modality"),
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


def _shape_zyx(keys: MetaImageKeys) -> tuple[int, int, int]:
    (dimensions,) = keys.whole_numbers("ndims", 1)
    (channels,) = keys.whole_numbers("elementnumberofchannels", 1, default=(1,))
    if dimensions != 3 or channels != 1:
        msg = f"NDims must be 3 with 1 channel, got {dimensions} with {channels}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=keys.path)
    x, y, z = keys.whole_numbers("dimsize", 3)
    return (z, y, x)


def _affine(keys: MetaImageKeys) -> NDArray[np.float64]:
    """The affine. MetaIO lists the matrix by columns, whose length is 1."""
    offset = keys.numbers_by_spelling(("offset", "position", "origin"), 3)
    spacing = keys.numbers_by_spelling(("elementspacing",), 3)
    spacing = spacing or keys.numbers_by_spelling(("elementsize",), 3)
    matrix = keys.numbers_by_spelling(("transformmatrix", "rotation", "orientation"), 9)
    if offset is None or spacing is None:
        msg = (
            "Offset and ElementSpacing must state the position of the voxels; without them no "
            "position can be reported"
        )
        raise SeriesError(Reason.NO_POSITION, msg, path=keys.path)
    affine = np.eye(4)
    if matrix is not None:
        affine[:3, :3] = np.reshape(matrix, (3, 3)).T
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if min(spacing) < 0 or np.abs(lengths - 1).max() > _LENGTH_TOLERANCE:
        msg = (
            f"ElementSpacing must be positive and the columns of TransformMatrix 1 long, got "
            f"{spacing} and lengths of {lengths.round(3).tolist()}; convert the series again"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=keys.path)
    affine[:3, :3] *= spacing
    affine[:3, 3] = offset
    return affine


def _dtype(keys: MetaImageKeys) -> np.dtype[np.generic]:
    name = keys.text("elementtype")
    if name not in ELEMENT_TYPES or not keys.flag("binarydata", default=True):
        binary = keys.text("binarydata", "True")
        msg = f"ElementType {name!r} with BinaryData {binary!r} is not supported"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=keys.path)
    big = any(map(keys.flag, ("binarydatabyteordermsb", "elementbyteordermsb")))
    return np.dtype(ELEMENT_TYPES[name]).newbyteorder(">" if big else "<")
