"""The kind of a file by its first bytes, never by its name."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from hounsfield.preprocessing.dicom.headers.dicomdir import is_dicomdir
from hounsfield.preprocessing.formats.metaimage_header import looks_like_metaimage
from hounsfield.preprocessing.formats.nifti_header import nifti_header_bytes

HEAD_BYTES: Final = 2048
"""Number of bytes that `content_kind` needs."""


class ContentKind(Enum):
    """The kinds of files that discovery distinguishes."""

    DICOM = auto()
    DICOMDIR = auto()
    ZIP = auto()
    METAIMAGE = auto()
    NIFTI = auto()
    GZIP = auto()
    EMPTY = auto()
    UNKNOWN = auto()
    """Perhaps DICOM without a preamble: the DICOM reader decides."""


def content_kind(head: bytes) -> ContentKind:
    """Returns the kind of a file.

    Args:
        head: The first `HEAD_BYTES` bytes of the file, or all of a smaller one.
    """
    if not head:
        return ContentKind.EMPTY
    if head[128:132] == b"DICM":
        return ContentKind.DICOMDIR if is_dicomdir(head) else ContentKind.DICOM
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ContentKind.ZIP
    if nifti_header_bytes(head):
        return ContentKind.NIFTI
    if looks_like_metaimage(head):
        return ContentKind.METAIMAGE
    return ContentKind.GZIP if head.startswith(b"\x1f\x8b") else ContentKind.UNKNOWN
