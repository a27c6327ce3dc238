"""Finds duplicates: one series in two folders, and single-file series of the same name."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Sequence

    from hounsfield.preprocessing.dicom.header import Instance
    from hounsfield.preprocessing.series import Series


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
            f"The same {len(self.instances)} instance(s), by SOPInstanceUID, are in another folder "
            "too; that series is used"
        )
        rejection = SeriesError(Reason.DUPLICATE_SERIES, msg, path=self.folder)
        return [replace(series, rejection=series.rejection or rejection) for series in grouped]


def split_copies(instances: Sequence[Instance]) -> tuple[list[Instance], list[Copy]]:
    """Separates every folder whose part of a series is completely in another folder.

    The folder with the most intact instances is the original; among equals the first by name. A
    series that is only partly the same in two folders stays together: its duplicate instances are
    dropped when slices are sorted.

    Args:
        instances: Headers of all DICOM files, in any order.

    Returns:
        The instances to use, and the copies, one entry for each folder.
    """
    folders: dict[tuple[str, str], dict[str, list[Instance]]] = {}
    for instance in instances:
        series = (instance.facts.study_uid, instance.facts.series_uid)
        by_folder = folders.setdefault(series, {})
        by_folder.setdefault(instance.source.folder, []).append(instance)
    originals: list[Instance] = []
    copies: list[Copy] = []
    for by_folder in folders.values():
        original_uids: set[str] = set()
        for folder, group in sorted(by_folder.items(), key=_most_intact_first):
            uids = {instance.sop_instance_uid for instance in group}
            if "" not in uids and uids <= original_uids:
                copies.append(Copy(group, folder))
                continue
            originals.extend(group)
            original_uids |= uids
    return originals, copies


def distinct_names(series: Iterable[Series]) -> list[Series]:
    """Returns single-file series with distinct identifiers, also if their files share a name.

    A MetaImage or NIfTI is identified by its file name. If two of one name differ in content,
    part of the content's hash is appended to each; if they are equal, the second is a duplicate.

    Args:
        series: Series of one file each (two for a MetaImage with a data file), in any order.
    """
    by_name: dict[str, list[Series]] = defaultdict(list)
    for file in sorted(series, key=lambda file: str(file.sources[0])):
        by_name[file.facts.series_uid].append(file)
    return [renamed for name, group in by_name.items() for renamed in _renamed(name, group)]


def _renamed(name: str, group: list[Series]) -> list[Series]:
    """Gives the series of one file name distinct names, and marks those of equal content."""
    if len(group) == 1:
        return group
    digests = [_digest(series) for series in group]
    first_of: dict[str, Series] = {}
    renamed = []
    for series, digest in zip(group, digests, strict=True):
        uid = name if len(set(digests)) == 1 else f"{name}-{digest[:8]}"
        first = first_of.setdefault(digest, series)
        rejection = series.rejection if first is series else _same_content(series)
        facts = replace(series.facts, study_uid=uid, series_uid=uid)
        renamed.append(replace(series, facts=facts, rejection=rejection))
    return renamed


def _most_intact_first(item: tuple[str, list[Instance]]) -> tuple[int, str]:
    folder, group = item
    return (-sum(instance.damage is None for instance in group), folder)


def _same_content(copy: Series) -> SeriesError:
    msg = "The same bytes as another file of this name; that file is used"
    return SeriesError(Reason.DUPLICATE_SERIES, msg, path=str(copy.sources[0]))


def _digest(series: Series) -> str:
    """Hashes the content of all files of a series."""
    digest = hashlib.sha256()
    for source in series.sources:
        with source.open() as file:
            digest.update(hashlib.file_digest(cast("io.BufferedIOBase", file), "sha256").digest())
    return digest.hexdigest()
