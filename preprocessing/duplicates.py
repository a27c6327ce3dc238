"""Tells copies apart: the same series in two folders, and different files of the same name."""

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
    """Instances of one series in a folder that are all in another folder too."""

    instances: list[Instance]
    folder: str
    original_folder: str

    def as_series(self, grouped: Iterable[Series]) -> list[Series]:
        """Marks the series made of the instances as a copy; an own rejection says more."""
        count = len(self.instances)
        msg = (
            f"{self.folder}: the same {count} instance(s), by SOPInstanceUID, lie in"
            f" {self.original_folder} too; that series is used"
        )
        rejection = SeriesError(Reason.DUPLICATE_SERIES, msg)
        return [replace(series, rejection=series.rejection or rejection) for series in grouped]


def split_copies(instances: Sequence[Instance]) -> tuple[list[Instance], list[Copy]]:
    """Sets aside every folder whose part of a series is wholly in another folder.

    The folder with the most intact instances is the original; among equals the first by name.
    A series that is only partly the same in two folders stays whole: its doubled instances are
    dropped where slices are sorted.
    """
    folders: dict[tuple[str, str], dict[str, list[Instance]]] = {}
    for instance in instances:
        series = (instance.facts.study_uid, instance.facts.series_uid)
        by_folder = folders.setdefault(series, {})
        by_folder.setdefault(instance.source.folder, []).append(instance)
    originals: list[Instance] = []
    copies: list[Copy] = []
    for by_folder in folders.values():
        folder_of: dict[str, str] = {}
        for folder, group in sorted(by_folder.items(), key=_most_intact_first):
            uids = {instance.sop_instance_uid for instance in group}
            if "" not in uids and uids <= folder_of.keys():
                copies.append(Copy(group, folder, folder_of[min(uids)]))
                continue
            originals.extend(group)
            for uid in uids:
                folder_of.setdefault(uid, folder)
    return originals, copies


def distinct_names(series: Iterable[Series]) -> list[Series]:
    """Gives single-file series that share a name identifiers of their own.

    A MetaImage or NIfTI is known by its file name. Where two differ in content, each gets a part
    of its content's hash appended; where they are the same, the second is a duplicate.
    """
    by_name: dict[str, list[Series]] = defaultdict(list)
    for one in sorted(series, key=lambda one: str(one.sources[0])):
        by_name[one.facts.series_uid].append(one)
    return [renamed for name, group in by_name.items() for renamed in _renamed(name, group)]


def _renamed(name: str, group: list[Series]) -> list[Series]:
    """Names the series of one file name apart by content, and marks those of equal content."""
    if len(group) == 1:
        return group
    digests = [_digest(one) for one in group]
    first_of: dict[str, Series] = {}
    renamed = []
    for one, digest in zip(group, digests, strict=True):
        uid = name if len(set(digests)) == 1 else f"{name}-{digest[:8]}"
        first = first_of.setdefault(digest, one)
        rejection = one.rejection if first is one else _same_content(one, first)
        facts = replace(one.facts, study_uid=uid, series_uid=uid)
        renamed.append(replace(one, facts=facts, rejection=rejection))
    return renamed


def _most_intact_first(item: tuple[str, list[Instance]]) -> tuple[int, str]:
    folder, group = item
    return (-sum(instance.damage is None for instance in group), folder)


def _same_content(copy: Series, original: Series) -> SeriesError:
    msg = f"{copy.sources[0]}: the same bytes as {original.sources[0]}; that file is used"
    return SeriesError(Reason.DUPLICATE_SERIES, msg)


def _digest(series: Series) -> str:
    """Hashes the content of all files of a series."""
    digest = hashlib.sha256()
    for source in series.sources:
        with source.open() as file:
            digest.update(hashlib.file_digest(cast("io.BufferedIOBase", file), "sha256").digest())
    return digest.hexdigest()
