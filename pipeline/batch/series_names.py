"""The part number and the folder of each series of a run, which no other series has."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING

from hounsfield.pipeline.batch.output_folder import content_suffix, folder_name
from hounsfield.preprocessing.printable import printable_path

if TYPE_CHECKING:
    from hounsfield.pipeline.batch.ledger import Ledger, Row
    from hounsfield.preprocessing.series import Series

STUDIES_FOLDER = "studies"


class SeriesNames:
    """Gives each series of a run its own part number and folder.

    UIDs alone do not: two files may bear the same ones by mistake. What the ledger holds of other
    images stays theirs, so that one patient's results never take the place of another's.

    Args:
        ledger: What the output folder holds; None for an empty one.
    """

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._keys: set[tuple[str, str, str, int]] = set()
        self._folders: set[str] = set()

    def part(self, series: Series) -> int:
        """Returns the first number that no other series of this run and no other result has.

        Args:
            series: The series, known from its headers; the number is taken by it.
        """
        for part in count(1):
            key = (*series_identity(series), part)
            row = self._ledger.find(key) if self._ledger else None
            is_taken = row is not None and row.folder is not None and not _is_of(row, series)
            if key not in self._keys and not is_taken:
                self._keys.add(key)
                return part
        raise AssertionError

    def folder(self, series: Series) -> str:
        """Returns the folder by UIDs, or one named after the content too where that is taken.

        Args:
            series: The series, known from its headers; the folder is taken by it.
        """
        facts = series.facts
        by_uid = f"{STUDIES_FOLDER}/{folder_name(facts.study_uid)}/{folder_name(facts.series_uid)}"
        suffix = content_suffix(series.content_id)
        by_content = f"{by_uid}-{suffix}" if series.content_id else by_uid
        parts = (f"{by_content}-part{number}" for number in count(2))
        owner = self._ledger.owner(by_content) if self._ledger else None
        first = by_content if owner is not None and _is_of(owner, series) else by_uid
        for folder in chain((first, by_content), parts):
            if self._is_free(folder, series):
                self._folders.add(folder)
                return folder
        raise AssertionError

    def _is_free(self, folder: str, series: Series) -> bool:
        if folder in self._folders:
            return False
        owner = self._ledger.owner(folder) if self._ledger else None
        return owner is None or _is_of(owner, series)


def series_identity(series: Series) -> tuple[str, str, str]:
    """Returns path, study UID and series UID, as the ledger holds them.

    Args:
        series: The series, known from its headers.
    """
    return printable_path(series.path), series.facts.study_uid, series.facts.series_uid


def _is_of(row: Row, series: Series) -> bool:
    """Whether a row of the ledger is of the images of a series."""
    path, study_uid, series_uid = series_identity(series)
    return row.has_images_of(
        path=path, study_uid=study_uid, series_uid=series_uid, content_id=series.content_id
    )
