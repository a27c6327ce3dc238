"""Identifiers of MetaImage and NIfTI files, which have none: made from content, never from a name.

A file's name may be the patient's, and two patients' files may have one name. A name is used only
where it is a DICOM UID, as in LUNA16.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.inflating import GZIP_MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hounsfield.preprocessing.files.sources import ByteSource
    from hounsfield.preprocessing.series import Series

_SUFFIX = re.compile(r"(?i)\.(nii(\.gz)?|mh[ad])$")
_UID = re.compile(r"(?=.{1,64}$)[0-2](\.[0-9]+){3,}")  # PS3.5, 9.1
_DATA_FILE = re.compile(rb"(?im)^([ \t]*ElementDataFile[ \t]*=)[^\r\n]*")
_EDGE_BYTES: Final = 64 * 1024
_BLOCKS, _BLOCK_BYTES = 64, 4096
_CHUNK_BYTES: Final = 2**20
_DIGEST_BYTES: Final = 16


def identifiers(sources: tuple[ByteSource, ...]) -> tuple[str, str]:
    """Returns the UID of a file's study and series, and the digest of its content.

    A file that names itself by a UID, and a gzip file, which ends with a checksum of its content,
    are read in a hundred places only: LUNA16 has 888 scans of over 100 MB. Of one that names itself
    in an archive the archive's checksum is taken.

    Args:
        sources: The file, or the header of a MetaImage and its data file.

    Returns:
        The stem of the file's name if it is a DICOM UID, else ``file-`` and 16 digits of the
        digest; and the digest, in hexadecimal digits.

    Raises:
        OSError: A file cannot be read.
        SeriesError: A file is damaged, or changed since it was found.
    """
    stem = _SUFFIX.sub("", sources[0].name)
    is_uid = _UID.fullmatch(stem) is not None
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in _header_parts(sources):
        digest.update(part)
    data = sources[-1]
    if is_uid and data.entry is not None:
        digest.update(f"{data.entry.size} {data.entry.crc}".encode())
    else:
        sampled = is_uid or data.head(len(GZIP_MAGIC)) == GZIP_MAGIC
        for block in _sampled(data) if sampled else _whole(data):
            digest.update(block)
    content_id = digest.hexdigest()
    return (stem if is_uid else f"file-{content_id[:16]}"), content_id


def distinct_series(series: Iterable[Series]) -> list[Series]:
    """Returns single-file series with distinct identifiers, and marks the copies among them.

    Files with one identifier are compared in full: of equal ones the first by path is used, others
    are told apart by digits of their content that are appended.

    Args:
        series: Series of one file each (two for a MetaImage with a data file), in any order.
    """
    by_uid: dict[str, list[Series]] = defaultdict(list)
    for file in sorted(series, key=lambda file: str(file.sources[0])):
        by_uid[file.facts.series_uid].append(file)
    return [distinct for uid, group in by_uid.items() for distinct in _told_apart(uid, group)]


def _told_apart(uid: str, group: list[Series]) -> list[Series]:
    if len(group) == 1:
        return group
    digests = [_full_digest(series) for series in group]
    readable = {digest for digest in digests if isinstance(digest, str)}
    first_of: dict[str, Series] = {}
    distinct = []
    for series, digest in zip(group, digests, strict=True):
        if isinstance(digest, SeriesError):
            damaged = _renamed(series, f"{uid}-{_path_digits(series)}")
            distinct.append(replace(damaged, rejection=series.rejection or digest, readable=False))
            continue
        first = first_of.setdefault(digest, series)
        rejection = series.rejection if first is series else _same_content(series)
        renamed = series if len(readable) == 1 else _renamed(series, f"{uid}-{digest[:8]}")
        distinct.append(replace(renamed, rejection=rejection))
    return distinct


def _renamed(series: Series, uid: str) -> Series:
    return replace(series, facts=replace(series.facts, study_uid=uid, series_uid=uid))


def _path_digits(series: Series) -> str:
    name = str(series.sources[0]).encode()
    return hashlib.blake2b(name, digest_size=4).hexdigest()


def _same_content(copy: Series) -> SeriesError:
    msg = "The same bytes as another file; that file is used"
    return SeriesError(Reason.DUPLICATE_SERIES, msg, path=str(copy.sources[0]))


def _full_digest(series: Series) -> str | SeriesError:
    """The digest of every byte; or why they cannot be read, which costs this file alone."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    try:
        for part in _header_parts(series.sources):
            digest.update(part)
        for block in _whole(series.sources[-1]):
            digest.update(block)
    except SeriesError as error:
        return error.with_path(str(series.sources[-1]))
    except (OSError, MemoryError) as error:
        cause = getattr(error, "strerror", None) or type(error).__name__
        msg = f"The file cannot be read: {cause}"
        return SeriesError(Reason.UNREADABLE, msg, path=str(series.sources[-1]))
    return digest.hexdigest()


def _header_parts(sources: tuple[ByteSource, ...]) -> list[bytes]:
    """A MetaImage's header without the name of its data file, which a renamed copy changes."""
    if len(sources) == 1:
        return []
    with sources[0].open_stream() as file:
        return [_DATA_FILE.sub(rb"\1", file.read(_CHUNK_BYTES))]


def _whole(source: ByteSource) -> Iterator[bytes]:
    with source.open_stream() as file:
        while block := file.read(_CHUNK_BYTES):
            yield block


def _sampled(source: ByteSource) -> Iterator[bytes]:
    """The size, both ends and blocks between them, in the order of the file."""
    size = source.size_bytes()
    yield str(size).encode()
    with source.open_stream() as file:
        head = file.read(_EDGE_BYTES)
        yield head
        last = max(len(head), size - _EDGE_BYTES)
        step = (last - len(head)) // _BLOCKS
        for block in range(_BLOCKS):
            file.seek(len(head) + block * step)
            yield file.read(min(_BLOCK_BYTES, step))
        file.seek(last)
        yield file.read(_EDGE_BYTES)
