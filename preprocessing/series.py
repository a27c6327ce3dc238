"""`Series`: one thing that could become a `Volume`, known from headers alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.files.sources import ByteSource
    from hounsfield.preprocessing.volume import SeriesFacts


Point = tuple[float, float, float]


class SeriesFormat(StrEnum):
    """The file format of a series."""

    DICOM = "dicom"
    METAIMAGE = "metaimage"
    NIFTI = "nifti"


class SeriesInstance(Protocol):
    """The header of one DICOM instance, as far as it concerns others than the DICOM reader."""

    @property
    def sop_instance_uid(self) -> str:
        """SOPInstanceUID (0008,0018); empty if the file has none."""

    @property
    def source(self) -> ByteSource:
        """The file that holds the instance."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series as its headers describe it; none of its pixels have been read.

    Attributes:
        path: The file or archive, or the deepest folder that holds all its files.
        format: Decides which reader is used.
        sources: Its files; for DICOM in the order of `instances`.
        facts: Identifiers and other header values.
        instances: DICOM only: the header of each instance, sorted along the slice normal.
        shape_zyx: Slices, rows, columns; None if the headers do not say.
        spacing_mm: (x, y, z) of the array; None if the headers do not say.
        box_mm: The lowest and the highest corner of the box around all voxel centres, (x, y, z) in
            LPS mm; None if the headers do not say.
        orientation: ``axial``, ``sagittal``, ``coronal``, ``oblique``, or empty if unknown.
        rejection: Why it cannot be analysed, as far as headers show; None if it may be.
        readable: Whether `read_volume` may be tried. A localizer or an MR is not readable, a
            series that is only too short for analysis is.
        notices: What the headers already show of the volume to come.
        grouping_notices: What `notices` says of the grouping of files, which reading the pixels
            cannot find again: copies, parts left out, identifiers that were mended.
        patient: Tells apart the patients of one StudyInstanceUID, by patient id, name and birth
            date; 0 for the first. The number counts only within one search.
        content_id: Hexadecimal digits that identify the images whatever their folder and file
            names: the same for a copy elsewhere, another for any other images. Empty where
            nothing asks for it.
    """

    path: Path
    format: SeriesFormat
    sources: tuple[ByteSource, ...] = field(repr=False)
    facts: SeriesFacts
    instances: tuple[SeriesInstance, ...] = field(default=(), repr=False)
    shape_zyx: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    box_mm: tuple[Point, Point] | None = None
    orientation: str = ""
    rejection: SeriesError | None = None
    readable: bool = True
    notices: tuple[Notice, ...] = ()
    grouping_notices: tuple[Notice, ...] = ()
    patient: int = 0
    content_id: str = ""

    @property
    def subject(self) -> str:
        """The series as the subject of a sentence, with its size where the headers state it."""
        if self.shape_zyx is None:
            return "The series"
        z, y, x = self.shape_zyx
        return f"The series of {x} x {y} x {z} voxels"

    def with_grouping_notices(self, *notices: Notice) -> Series:
        """Returns the series with further notices on how its files were grouped."""
        return replace(
            self,
            notices=(*notices, *self.notices),
            grouping_notices=(*notices, *self.grouping_notices),
        )
