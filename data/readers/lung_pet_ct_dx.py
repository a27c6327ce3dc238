"""Lung-PET-CT-Dx: DICOM series, lesion boxes as Pascal VOC, histology as a letter (TCIA 2020).

There is one file per slice, named by its SOPInstanceUID; the name of each box is the letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.annotations.voxel_regions import image_voxels, source_affines
from hounsfield.data.annotations.xml_files import (
    MAX_SHOWN_CHARACTERS,
    number_of,
    read_xml,
    text_of,
)
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.fingerprints import files_fingerprint
from hounsfield.data.readers.dataset import DatasetContents, usable_ct
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

HISTOLOGY_OF_LETTER = {
    "A": "adenocarcinoma",
    "B": "small_cell_carcinoma",
    "E": "large_cell_carcinoma",
    "G": "squamous_cell_carcinoma",
}

MAX_BOXES = 50
"""Boxes of one image; those of the collection have a few."""

MAX_SLICES_APART = 2
"""Boxes that overlap in the plane and are at most this far apart belong to one lesion."""


@dataclass(frozen=True, slots=True)
class ImageBox:
    """A box on one image, (column, row) of its first and last pixel."""

    sop_instance_uid: str
    low_xy: tuple[float, float]
    high_xy: tuple[float, float]
    letter: str


@dataclass(frozen=True, slots=True)
class BoxedLesion:
    """A lesion made of boxes on neighbouring slices.

    Attributes:
        centre_world_mm: Centre of the box around all of them, (x, y, z) in LPS mm.
        size_mm: Sides of that box along the volume's (x, y, z) axes.
        letter: The most frequent letter of its boxes, see `HISTOLOGY_OF_LETTER`.
        slices: Number of slices with a box.
    """

    centre_world_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]
    letter: str
    slices: int

    @property
    def diameter_mm(self) -> float:
        """Diameter of the sphere inscribed in a cube of the box's volume."""
        return float(np.cbrt(np.prod(self.size_mm)))


def read_lung_pet_ct_dx(source: Path) -> DatasetContents:
    """Finds the CT series and the boxes.

    A patient's boxes belong to one series; the patient's other series are excluded.

    Args:
        source: A folder with any part of the download, in any arrangement of folders.

    Returns:
        One case per series with boxes.
    """
    usable, excluded = usable_ct(discover([source]))
    path_of = {path.stem: path for path in sorted(source.rglob("*.xml"))}
    labelled = []
    for series in usable:
        uids = [
            instance.sop_instance_uid
            for instance in series.instances
            if instance.sop_instance_uid in path_of
        ]
        if not uids:
            uid = series.facts.series_uid
            msg = f"no boxes of the series {uid} are in the source"
            excluded.append(ExcludedCase(name=uid, reason="no_labels", message=msg, failed=False))
            continue
        files = tuple(path_of.pop(uid) for uid in dict.fromkeys(uids))
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=series.facts.patient_id,
                labels=partial(known_labels, files),
                labels_fingerprint=files_fingerprint(files),
            )
        )
    unused = [path for path in path_of.values() if _is_box_file(path)]
    if unused:
        msg = f"{len(unused)} box file(s) name images that are missing (the first: {unused[0]})"
        excluded.append(
            ExcludedCase(name=str(source), reason="series_missing", message=msg, failed=False)
        )
    return DatasetContents(labelled, excluded)


def known_labels(files: Iterable[Path], volume: Volume) -> Labels:
    """Reads the lesions of a series.

    Args:
        files: Box files whose images are in the series.
        volume: The series, with the positions of its original images.

    Returns:
        One finding per lesion, with its histology; no outlines.

    Raises:
        SeriesError: A file is damaged, has an unknown letter, its image is not in the series, or
            a box leaves the image.
    """
    boxes = [box for path in files for box in read_boxes(path)]
    return Labels(
        tuple(
            KnownFinding(
                lesion.centre_world_mm,
                lesion.diameter_mm,
                histology=HISTOLOGY_OF_LETTER[lesion.letter],
            )
            for lesion in boxed_lesions(boxes, volume)
        )
    )


def read_boxes(path: Path) -> list[ImageBox]:
    """Reads the boxes on one image.

    Args:
        path: A Pascal VOC file, named by the image's SOPInstanceUID.

    Returns:
        The boxes in the order of the file.

    Raises:
        SeriesError: The file is damaged, has more than `MAX_BOXES`, a number is not finite, or a
            letter is none of A, B, E, G.
    """
    with as_series_error(
        path, "The Pascal VOC file", remedy="download it again", quotes_library=True
    ):
        elements = read_xml(path).findall("object")
        if len(elements) > MAX_BOXES:
            msg = f"The file must have at most {MAX_BOXES} boxes, got {len(elements)}"
            raise SeriesError(Reason.UNREADABLE, msg)
        return [_box(element, path) for element in elements]


def _box(element: Element, path: Path) -> ImageBox:
    letter = text_of(element, "name", path).upper()
    if letter not in HISTOLOGY_OF_LETTER:
        letters = ", ".join(HISTOLOGY_OF_LETTER)
        msg = f"<name> must be one of {letters}, got {letter[:MAX_SHOWN_CHARACTERS]!r}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    x0, y0, x1, y1 = (
        number_of(element, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    if x1 < x0 or y1 < y0:
        msg = f"A box must not end before it begins, got x {x0:g} to {x1:g}, y {y0:g} to {y1:g}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return ImageBox(path.stem, (x0, y0), (x1, y1), letter)


def boxed_lesions(boxes: Iterable[ImageBox], volume: Volume) -> list[BoxedLesion]:
    """Joins boxes on neighbouring slices into lesions.

    Args:
        boxes: Boxes of one series, in any order.
        volume: The series, with the positions of its original images.

    Returns:
        The lesions, from the first slice on.

    Raises:
        SeriesError: A box is on an image that is not in the series, or leaves it.
    """
    affines = source_affines(volume)
    placed = []
    for box in boxes:
        corners = image_voxels([box.low_xy, box.high_xy], box.sop_instance_uid, affines, volume)
        placed.append((corners.min(axis=0), corners.max(axis=0), box.letter))
    placed.sort(key=lambda box: (tuple(box[0]), tuple(box[1])))
    lesions: list[list[tuple[NDArray[np.int64], NDArray[np.int64], str]]] = []
    for low, high, letter in placed:
        for lesion in lesions:
            if any(_touch(low, high, *other) for other in lesion):
                lesion.append((low, high, letter))
                break
        else:
            lesions.append([(low, high, letter)])
    return [_lesion(members, volume) for members in lesions]


def _touch(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    other_low: NDArray[np.int64],
    other_high: NDArray[np.int64],
    _letter: str,
) -> bool:
    """Whether two boxes, [z, y, x], overlap in the plane and are close along z."""
    reach = np.array((MAX_SLICES_APART, 0, 0))
    return bool(((low - reach <= other_high) & (other_low <= high + reach)).all())


def _lesion(
    members: Sequence[tuple[NDArray[np.int64], NDArray[np.int64], str]], volume: Volume
) -> BoxedLesion:
    low = np.min([member[0] for member in members], axis=0)
    high = np.max([member[1] for member in members], axis=0)
    x, y, z = volume.world_mm((low + high)[::-1] / 2).tolist()
    width, depth, height = ((high - low + 1)[::-1] * volume.spacing_mm).tolist()
    letters = [member[2] for member in members]
    return BoxedLesion(
        centre_world_mm=(x, y, z),
        size_mm=(width, depth, height),
        letter=max(sorted(set(letters)), key=letters.count),
        slices=len({int(member[0][0]) for member in members}),
    )


def _is_box_file(path: Path) -> bool:
    """Whether a file has boxes; a damaged one may have."""
    try:
        return read_xml(path).tag == "annotation"
    except SeriesError:
        return True
