"""LIDC-IDRI's XML: the marks of up to four radiologists in one series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.data.annotations.xml_files import number_of, read_xml, text_of
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

MAX_RATING = {"malignancy": 5, "texture": 5, "calcification": 6, "spiculation": 5}
"""The ratings that are read, and the end of each scale; all begin at 1, and 0 is no rating."""

MAX_NODULES, MAX_POINTS = 400, 2000
"""Marks of all readers together. LIDC-IDRI's fullest series have about a fifth of these; more
would only cost time, as every mark is compared with every other."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A reader's outline of a nodule on one image.

    Attributes:
        sop_instance_uid: The image on which it was drawn.
        points_xy: (column, row) of its corners, (0, 0) at the centre of the first pixel.
        inclusion: Whether it surrounds nodule, its own pixels lying just outside; otherwise it
            surrounds a hole in the nodule.
    """

    sop_instance_uid: str
    points_xy: tuple[tuple[float, float], ...]
    inclusion: bool


@dataclass(frozen=True, slots=True)
class ReaderNodule:
    """A nodule of 3 mm or more, outlined and rated by one reader."""

    reader: int
    outlines: tuple[Outline, ...]
    ratings: dict[str, int]


@dataclass(frozen=True, slots=True)
class ReaderPoint:
    """A position that a reader marked without outline: a nodule below 3 mm, or a non-nodule."""

    reader: int
    sop_instance_uid: str
    point_xy: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LidcReadings:
    """All marks of one XML file, which is about one series."""

    series_uid: str
    readers: int
    nodules: tuple[ReaderNodule, ...]
    points: tuple[ReaderPoint, ...]


def read_lidc_xml(path: Path) -> LidcReadings | None:
    """Reads the marks of a CT series.

    Args:
        path: One of LIDC-IDRI's XML files.

    Returns:
        The marks; None for XML of another kind, such as that of LIDC-IDRI's chest radiographs.

    Raises:
        SeriesError: The file is damaged or lacks an element that every reading has.
    """
    with as_series_error(
        path, "The XML file of LIDC-IDRI", remedy="download it again", quotes_library=True
    ):
        root = read_xml(path)
        return _readings(root, path) if root.tag == "LidcReadMessage" else None


def _readings(root: Element, path: Path) -> LidcReadings:
    series_uid = text_of(root, "ResponseHeader/SeriesInstanceUid", path)
    nodules: list[ReaderNodule] = []
    points: list[ReaderPoint] = []
    sessions = root.findall("readingSession")
    for reader, session in enumerate(sessions):
        for element in session.findall("unblindedReadNodule"):
            nodule = _nodule(element, reader, path)
            if nodule.ratings:
                nodules.append(nodule)
            else:
                points.extend(
                    ReaderPoint(reader, outline.sop_instance_uid, outline.points_xy[0])
                    for outline in nodule.outlines[:1]
                )
        for element in session.findall("nonNodule"):
            point_xy = (
                number_of(element, "locus/xCoord", path),
                number_of(element, "locus/yCoord", path),
            )
            image_uid = text_of(element, "imageSOP_UID", path)
            points.append(ReaderPoint(reader, image_uid, point_xy))
    if len(nodules) > MAX_NODULES or len(points) > MAX_POINTS:
        msg = (
            f"The file must have at most {MAX_NODULES} outlined nodules and {MAX_POINTS} points, "
            f"got {len(nodules)} and {len(points)}"
        )
        raise SeriesError(Reason.UNREADABLE, msg)
    return LidcReadings(series_uid, len(sessions), tuple(nodules), tuple(points))


def _nodule(element: Element, reader: int, path: Path) -> ReaderNodule:
    """A nodule; only those of 3 mm or more have ratings."""
    outlines = tuple(
        Outline(
            sop_instance_uid=text_of(roi, "imageSOP_UID", path),
            points_xy=tuple(
                (number_of(edge, "xCoord", path), number_of(edge, "yCoord", path))
                for edge in roi.findall("edgeMap")
            ),
            inclusion=text_of(roi, "inclusion", path).upper() == "TRUE",
        )
        for roi in element.findall("roi")
        if roi.find("edgeMap") is not None
    )
    ratings = {
        name: _rating(element, name, path)
        for name in MAX_RATING
        if element.find(f"characteristics/{name}") is not None
    }
    return ReaderNodule(reader, outlines, {name: r for name, r in ratings.items() if r})


def _rating(element: Element, name: str, path: Path) -> int:
    """A reader's rating on its scale; 0 where the reader gave none."""
    rating = number_of(element, f"characteristics/{name}", path)
    if rating not in range(MAX_RATING[name] + 1):
        msg = f"<{name}> must be an integer from 1 to {MAX_RATING[name]}, got {rating:g}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return int(rating)
