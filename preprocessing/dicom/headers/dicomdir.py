"""DICOMDIR: the index of an exported disc, used only to report files that are missing."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pydicom.uid import MediaStorageDirectoryStorage

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hounsfield.preprocessing.files.sources import ByteSource

_MEDIA_STORAGE_DIRECTORY = MediaStorageDirectoryStorage.encode()
_MEDIA_STORAGE_SOP_CLASS = b"\x02\x00\x02\x00UI"
"""Tag and VR of MediaStorageSOPClassUID, (0002,0002)."""


def is_dicomdir(head: bytes) -> bool:
    """Returns whether a file that begins with a DICOM preamble is a DICOMDIR, whatever its name.

    Group 0002 is always explicit little endian (PS3.10, 7.1), so the element (0002,0002) can be
    found as bytes.

    Args:
        head: At least the first 2 KB of the file, or all of a smaller one.
    """
    at = head.find(_MEDIA_STORAGE_SOP_CLASS, 132)
    if at < 0:
        return False
    length = int.from_bytes(head[at + 6 : at + 8], "little")
    return head[at + 8 : at + 8 + length].strip(b" \0") == _MEDIA_STORAGE_DIRECTORY


def referenced_files(source: ByteSource) -> list[tuple[str, ...]]:
    """Returns the files that a DICOMDIR names, each as the parts of its path below the DICOMDIR.

    Args:
        source: The DICOMDIR, whatever it is called.

    Raises:
        SeriesError: It cannot be parsed.
    """
    from pydicom import dcmread

    with (
        as_series_error(str(source), "This DICOMDIR", reason=Reason.NOT_AN_IMAGE),
        source.open_stream() as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        dataset = dcmread(file, force=True, specific_tags=["DirectoryRecordSequence"])
        records = dataset.get("DirectoryRecordSequence") or []
        named = [record.get("ReferencedFileID") for record in records]
        files = [(name,) if isinstance(name, str) else tuple(name) for name in named if name]
    if not all(isinstance(part, str) for parts in files for part in parts):
        msg = "This DICOMDIR is damaged: a ReferencedFileID (0004,1500) is no text"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg, path=str(source))
    return files


def dicomdir_message(source: ByteSource, exists: Callable[[tuple[str, ...]], bool]) -> str:
    """Returns a sentence on a DICOMDIR: how many of the files that it names are missing.

    Args:
        source: The DICOMDIR, whatever it is called.
        exists: Returns whether there is a file with these path parts below the DICOMDIR's folder.
    """
    try:
        named = referenced_files(source)
    except SeriesError as error:
        return error.message
    missing = [parts for parts in named if not exists(parts)]
    if not missing:
        return f"A DICOMDIR, an index only; all {len(named)} files that it names are here"
    first = "/".join(missing[0])
    return (
        f"This DICOMDIR names {len(missing)} files that are not here "
        f"(of {len(named)}; the first is {first})"
    )
