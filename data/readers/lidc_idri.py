"""LIDC-IDRI: DICOM series, and the readings of four radiologists as XML (Armato et al. 2011)."""

from __future__ import annotations

import filecmp
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.annotations.voxel_regions import (
    MAX_UID_CHARACTERS,
    VoxelRegion,
    image_world_mm,
    require_inside,
    source_affines,
)
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.fingerprints import files_fingerprint
from hounsfield.data.readers.dataset import (
    UNKNOWN_DIAMETER_MM,
    DatasetContents,
    excluded_by,
    missing_series,
    usable_ct,
)
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.data.readers.lidc_consensus import consensus_nodules
from hounsfield.data.readers.lidc_xml import read_lidc_xml
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.data.readers.lidc_xml import LidcReadings
    from hounsfield.preprocessing.volume import Volume

MIN_READERS = 3
"""A nodule outlined by fewer readers is ignored, as in LUNA16."""


def read_lidc_idri(source: Path) -> DatasetContents:
    """Finds the series and the readings.

    A series without readings is excluded: nothing says that it has no nodules.

    Args:
        source: A folder with any part of the download, in any arrangement of folders.

    Returns:
        One case per series with readings.
    """
    usable, excluded = usable_ct(discover([source]))
    readings, xml_of, unreadable = _readings_under(source)
    excluded += unreadable
    labelled = []
    for series in usable:
        uid = series.facts.series_uid
        if uid not in readings:
            msg = f"no XML with readings of the series {uid} is in the source"
            excluded.append(ExcludedCase(name=uid, reason="no_labels", message=msg, failed=False))
            continue
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=series.facts.patient_id,
                labels=partial(known_labels, readings.pop(uid)),
                labels_fingerprint=files_fingerprint([xml_of[uid]]),
            )
        )
    unread = {uid: xml_of[uid].name for uid in readings}
    return DatasetContents(labelled, [*excluded, *missing_series(source, unread, what="readings")])


def known_labels(readings: LidcReadings, volume: Volume) -> Labels:
    """Gives the consensus nodules with their outlines, then the findings to ignore.

    Every outlined nodule is in the mask. A nodule outlined by fewer than `MIN_READERS`, a nodule
    below 3 mm and a marked non-nodule are ignored, unless they lie within a nodule that counts.

    Args:
        readings: All marks of the series' readers.
        volume: The series, with the positions of its original images.

    Returns:
        Findings and outlines.

    Raises:
        SeriesError: The readings belong to another series, name images that it lacks, or lie
            outside the series.
    """
    if readings.series_uid != volume.series.series_uid:
        uid = readings.series_uid[:MAX_UID_CHARACTERS]
        msg = f"the readings belong to {uid}, not to {volume.series.series_uid}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    nodules = consensus_nodules(readings.nodules, volume)
    findings = [
        KnownFinding(
            nodule.centre_world_mm,
            nodule.diameter_mm,
            ignored=nodule.readers < MIN_READERS,
            readers=nodule.readers,
            malignancy=nodule.ratings.get("malignancy"),
            texture=nodule.ratings.get("texture"),
            spiculation=nodule.ratings.get("spiculation"),
            calcification=nodule.ratings.get("calcification"),
        )
        for nodule in nodules
    ]
    counted = [finding for finding in findings if not finding.ignored]
    affines = source_affines(volume)
    for point in readings.points:
        world_mm = image_world_mm(point.point_xy, point.sop_instance_uid, affines)
        require_inside(volume.voxel_xyz(world_mm), volume, "A mark")
        x, y, z = world_mm[0].tolist()
        if not any(_within(finding, (x, y, z)) for finding in counted):
            findings.append(KnownFinding((x, y, z), UNKNOWN_DIAMETER_MM, ignored=True, readers=1))
    regions = [nodule.majority for nodule in nodules]
    return Labels(tuple(findings), outlined=VoxelRegion.union(regions, volume))


def _within(finding: KnownFinding, point_world_mm: tuple[float, float, float]) -> bool:
    distance = np.linalg.norm(np.subtract(finding.centre_world_mm, point_world_mm))
    return bool(distance < finding.diameter_mm / 2)


def _readings_under(
    source: Path,
) -> tuple[dict[str, LidcReadings], dict[str, Path], list[ExcludedCase]]:
    """The readings by series UID, the file of each, and the files that cannot be used."""
    readings: dict[str, LidcReadings] = {}
    xml_of: dict[str, Path] = {}
    excluded: list[ExcludedCase] = []
    for path in sorted(source.rglob("*.xml")):
        try:
            reading = read_lidc_xml(path)
        except SeriesError as error:
            excluded.append(excluded_by(str(path), error))
            continue
        if reading is None:
            continue
        if reading.series_uid in readings:
            first = xml_of[reading.series_uid]
            if not filecmp.cmp(path, first, shallow=False):
                msg = f"{path} is about the same series as {first}, which is used"
                excluded.append(
                    ExcludedCase(name=str(path), reason="no_labels", message=msg, failed=False)
                )
            continue
        readings[reading.series_uid], xml_of[reading.series_uid] = reading, path
    return readings, xml_of, excluded
