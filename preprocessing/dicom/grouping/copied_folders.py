"""Finds folders whose part of a series is a copy of what another folder holds."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.pixels.isolated_decoding import plane_digest
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from hounsfield.preprocessing.dicom.headers.instance import Instance
    from hounsfield.preprocessing.series import Series

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Copy:
    """Instances of one series in a folder that are all in another folder too.

    Attributes:
        instances: The headers of the copied files.
        folder: Their folder, or the archive and the folder inside it, as printable text.
    """

    instances: list[Instance]
    folder: str

    def as_series(self, grouped: Iterable[Series]) -> list[Series]:
        """Marks the series made of the instances as copies, unless they have a rejection."""
        msg = (
            f"The same {len(self.instances)} instance(s), by SOPInstanceUID, position and pixels, "
            "are in another folder too; that series is used"
        )
        rejection = SeriesError(Reason.DUPLICATE_SERIES, msg, path=self.folder)
        return [replace(series, rejection=series.rejection or rejection) for series in grouped]


def split_copies(instances: Sequence[Instance]) -> tuple[list[Instance], list[Copy]]:
    """Separates every folder whose part of a series is completely in another folder.

    An instance is a copy of another if UID, position and pixels are the same: anonymisers write
    one SOPInstanceUID into many images. The folder with the most intact instances is the original;
    among equals the first by name. A series that is only partly the same in two folders stays
    together: its duplicate instances are dropped when slices are sorted.

    Args:
        instances: Headers of all DICOM files, in any order.

    Returns:
        The instances to use, and the copies, one entry for each folder.
    """
    folders: dict[Hashable, dict[str, list[Instance]]] = {}
    for instance in instances:
        series = (instance.patient, instance.facts.study_uid, instance.facts.series_uid)
        by_folder = folders.setdefault(series, {})
        by_folder.setdefault(instance.source.folder, []).append(instance)
    originals: list[Instance] = []
    copies: list[Copy] = []
    for by_folder in folders.values():
        known: dict[Hashable, list[Instance]] = {}
        for folder, group in sorted(by_folder.items(), key=_most_intact_first):
            if known and _are_copies(group, known):
                copies.append(Copy(group, folder))
                continue
            originals.extend(group)
            for instance in group:
                known.setdefault(_identity(instance), []).append(instance)
    return originals, copies


def _most_intact_first(item: tuple[str, list[Instance]]) -> tuple[int, str]:
    folder, group = item
    return (-sum(instance.damage is None for instance in group), folder)


def _identity(instance: Instance) -> Hashable:
    """What a copy has in common with its original, as far as headers show."""
    layout = instance.pixels
    return (
        instance.sop_instance_uid,
        instance.frames,
        (layout.rows, layout.columns) if layout else None,
    )


def _are_copies(group: Sequence[Instance], known: dict[Hashable, list[Instance]]) -> bool:
    counts = Counter(map(_identity, group))
    if any(not instance.sop_instance_uid for instance in group):
        return False
    if any(count > len(known.get(identity, ())) for identity, count in counts.items()):
        return False
    return all(
        any(_same_pixels(instance, original) for original in known[_identity(instance)])
        for instance in group
    )


def _same_pixels(instance: Instance, original: Instance) -> bool:
    """Whether two instances hold the same pixels; damaged ones pass, since nothing is lost."""
    if instance.damage is not None or instance.pixels is None:
        return True
    if original.damage is not None or original.pixels is None:
        return False
    try:
        if _stored_digest(instance) == _stored_digest(original):
            return True
        return all(
            plane_digest(instance, frame) == plane_digest(original, other)
            for frame, other in zip(instance.frames, original.frames, strict=True)
        )
    except (SeriesError, OSError):
        return False


def _stored_digest(instance: Instance) -> bytes:
    """Of the encoding and the stored bytes: equal for files that were copied byte by byte."""
    layout = instance.pixels
    digest = hashlib.blake2b(instance.transfer_syntax_uid.encode(), digest_size=16)
    if layout is None:
        return digest.digest()
    fragments = [part for frame in layout.fragments for part in frame]
    with instance.source.open() as file:
        for start, length in fragments or [(layout.offset, layout.length)]:
            file.seek(start)
            left = length
            while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
                digest.update(chunk)
                left -= len(chunk)
    return digest.digest()
