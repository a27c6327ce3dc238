"""Locates the compressed frames of an encapsulated file without reading them.

DICOM PS3.5, A.4: an item with the basic offset table, one item for each fragment, a delimiter.
pydicom's own parser (`pydicom.encaps`) reads every fragment; discovery never reads pixels.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence

Fragment = tuple[int, int]
"""Offset in the file and length in bytes."""

_ITEM = (0xFFFE, 0xE000)
_MAX_FRAGMENTS = 200_000


class FragmentsError(ValueError):
    """The fragments are incomplete, or not what the header says."""


def find_fragments(file: BinaryIO, offset: int, size: int) -> tuple[list[int], list[Fragment]]:
    """Walks the items of encapsulated pixel data.

    Args:
        file: Open for reading and seekable.
        offset: First byte of the first item.
        size: Length of the file in bytes.

    Returns:
        The basic offset table (may be empty) and the fragments.

    Raises:
        FragmentsError: The file ends inside a fragment, or there is no fragment.
    """
    offsets: list[int] = []
    fragments: list[Fragment] = []
    file.seek(offset)
    for number in range(_MAX_FRAGMENTS):
        header = file.read(8)
        if len(header) < 8:
            # A missing sequence delimiter alone loses nothing.
            break
        group, element, length = struct.unpack("<HHI", header)
        if (group, element) != _ITEM:
            break
        position = offset + 8
        offset = position + length
        if offset > size:
            msg = f"fragment {number} has {length} bytes by its header, {size - position} are there"
            raise FragmentsError(msg)
        if number == 0:
            table = file.read(length)
            offsets = list(struct.unpack(f"<{length // 4}I", table[: length // 4 * 4]))
        else:
            fragments.append((position, length))
            file.seek(offset)
    if not fragments:
        msg = "the encapsulated pixel data holds no fragment"
        raise FragmentsError(msg)
    return offsets, fragments


def group_by_frame(
    file: BinaryIO, offsets: Sequence[int], fragments: Sequence[Fragment], frames: int
) -> list[tuple[Fragment, ...]]:
    """Assigns the fragments to frames.

    Without an offset table, each fragment is a frame if the numbers agree; otherwise a frame ends
    with the fragment that closes its codestream (end-of-image marker FFD9).

    Args:
        file: Open for reading and seekable.
        offsets: The basic offset table, which may be empty.
        fragments: In the order of the file, from `find_fragments`.
        frames: Number of frames by the header.

    Returns:
        The fragments of each frame.

    Raises:
        FragmentsError: The number of frames is not what the header says.
    """
    if frames == 1:
        return [tuple(fragments)]
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    if len(offsets) == frames:
        first = fragments[0][0] - 8  # offsets count from the first fragment's item (PS3.5, A.4)
        begins = {first + offset for offset in offsets}
        grouped = _split(fragments, [position - 8 in begins for position, _ in fragments])
    else:
        closed = [_closes_image(file, fragment) for fragment in fragments]
        grouped = _split(fragments, [True, *closed[:-1]])
    if len(grouped) != frames:
        msg = f"the header declares {frames} frames, {len(grouped)} are there"
        raise FragmentsError(msg)
    return grouped


def _split(fragments: Sequence[Fragment], begins: Sequence[bool]) -> list[tuple[Fragment, ...]]:
    groups: list[list[Fragment]] = []
    for fragment, is_first in zip(fragments, begins, strict=True):
        if is_first or not groups:
            groups.append([])
        groups[-1].append(fragment)
    return [tuple(group) for group in groups]


def _closes_image(file: BinaryIO, fragment: Fragment) -> bool:
    """Whether a fragment ends with the end-of-image marker, padding aside."""
    position, length = fragment
    file.seek(position + max(0, length - 16))
    return file.read(min(length, 16)).rstrip(b"\0").endswith(b"\xff\xd9")
