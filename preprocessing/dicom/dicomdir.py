"""DICOMDIR: the index of an exported disc. A hint, never the truth: it only tells what is gone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import PYDICOM_PARSE_ERRORS, SeriesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hounsfield.preprocessing.files.sources import ByteSource

_MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
_MEDIA_STORAGE_SOP_CLASS = b"\x02\x00\x02\x00UI"


def is_dicomdir(head: bytes) -> bool:
    """Whether a file that begins with a DICOM preamble is a DICOMDIR, whatever its name.

    Group 0002 is always explicit little endian (PS3.10, 7.1), so that the element
    (0002,0002) can be looked for as bytes.
    """
    at = head.find(_MEDIA_STORAGE_SOP_CLASS, 132)
    if at < 0:
        return False
    length = int.from_bytes(head[at + 6 : at + 8], "little")
    return head[at + 8 : at + 8 + length].strip(b" \0") == _MEDIA_STORAGE_DIRECTORY


def referenced_files(source: ByteSource) -> list[tuple[str, ...]]:
    """Lists the files that a DICOMDIR names, each as the parts of its path below the DICOMDIR.

    Raises:
        SeriesError: It cannot be parsed.
    """
    from pydicom import dcmread

    try:
        with source.open() as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = dcmread(file, force=True, specific_tags=["DirectoryRecordSequence"])
            records = dataset.get("DirectoryRecordSequence") or []
            named = [record.get("ReferencedFileID") for record in records]
    except PYDICOM_PARSE_ERRORS as error:
        msg = f"{source}: this DICOMDIR cannot be parsed ({type(error).__name__})"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg) from error
    return [(name,) if isinstance(name, str) else tuple(name) for name in named if name]


def dicomdir_message(source: ByteSource, exists: Callable[[tuple[str, ...]], bool]) -> str:
    """Says what a DICOMDIR is good for: how many of the files that it names are not here.

    Args:
        source: The DICOMDIR.
        exists: Whether the file of these path parts, below the DICOMDIR's folder, is there.
    """
    try:
        named = referenced_files(source)
    except SeriesError as error:
        return error.message
    missing = [parts for parts in named if not exists(parts)]
    if not missing:
        return f"{source}: an index only; all {len(named)} files that it names are here"
    first = "/".join(missing[0])
    return (
        f"{source}: DICOMDIR names {len(missing)} files that are not here"
        f" (of {len(named)}; the first is {first})"
    )
