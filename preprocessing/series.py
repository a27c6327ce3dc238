"""`Series`: one thing that could become a `Volume`, known from headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.dicom.header import Instance
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.files.sources import ByteSource
    from hounsfield.preprocessing.volume import SeriesFacts


class SeriesFormat(StrEnum):
    """The kind of files that a series lies in."""

    DICOM = "dicom"
    METAIMAGE = "metaimage"
    NIFTI = "nifti"


@dataclass(frozen=True, slots=True)
class Series:
    """One series as its headers tell of it; nothing of its pixels has been read.

    Attributes:
        path: The file or archive, or the deepest folder that holds all its files.
        format: Which reader takes it.
        sources: Its files; for DICOM in the order of `instances`.
        instances: DICOM only: the header of each instance, sorted along the slice normal.
        shape_zyx: Slices, rows, columns, where the headers tell.
        spacing_mm: (x, y, z) of the array, where the headers tell.
        orientation: ``axial``, ``sagittal``, ``coronal``, ``oblique``, or empty if unknown.
        rejection: Why it cannot be analysed, as far as headers tell; None where it may be.
        readable: Whether `read_volume` may be tried; a localizer or an MR is not, a series
            that is only too short for analysis is.
    """

    path: Path
    format: SeriesFormat
    sources: tuple[ByteSource, ...]
    facts: SeriesFacts
    instances: tuple[Instance, ...] = ()
    shape_zyx: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = ""
    rejection: SeriesError | None = None
    readable: bool = True
    notices: tuple[Notice, ...] = ()
