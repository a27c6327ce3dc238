"""LIDC-IDRI: DICOM series, and the readings of four radiologists as XML (Armato et al. 2011)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.annotations.voxel_regions import VoxelRegion, image_world_mm, source_affines
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.fingerprints import files_fingerprint
from hounsfield.data.readers.dataset import (
    UNKNOWN_DIAMETER_MM,
    DatasetContents,
    ExcludedCase,
    failure,
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

READERS_NEEDED = 3
"""A nodule that fewer outlined is neither to be found nor empty, as LUNA16 has it."""


def read_lidc_idri(source: Path) -> DatasetContents:
    """Finds the series and the readings, wherever they lie under `source`.

    A series without readings is left out: nothing says that it is empty.
    """
    usable, left_out = usable_ct(discover([source]))
    readings, xml_of, unreadable = _readings_under(source)
    left_out += unreadable
    labelled = []
    for series in usable:
        uid = series.facts.series_uid
        if uid not in readings:
            msg = f"no XML with readings of the series {uid} is in the source"
            left_out.append(ExcludedCase(name=uid, reason="no_labels", message=msg, failed=False))
            continue
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=series.facts.patient_id,
                labels=partial(known_labels, readings.pop(uid)),
                labels_fingerprint=files_fingerprint([xml_of[uid]]),
            )
        )
    return DatasetContents(
        labelled, [*left_out, *missing_series(source, readings, what="readings")]
    )


def known_labels(readings: LidcReadings, volume: Volume) -> Labels:
    """The consensus nodules with their outlines, then what is neither nodule nor empty.

    Every outlined nodule is in the mask. A nodule outlined by fewer than `READERS_NEEDED`, a
    nodule below 3 mm and a marked non-nodule are to be ignored, unless they lie within a nodule
    that counts.

    Raises:
        SeriesError: The readings are of another series, or of images that are not there.
    """
    if readings.series_uid != volume.series.series_uid:
        msg = f"readings are of {readings.series_uid}, the series is {volume.series.series_uid}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    nodules = consensus_nodules(readings.nodules, volume)
    findings = [
        KnownFinding(
            nodule.centre_world_mm,
            nodule.diameter_mm,
            ignored=nodule.readers < READERS_NEEDED,
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
        place = image_world_mm(point.point_xy, point.sop_instance_uid, affines)[0]
        x, y, z = place.tolist()
        if not any(_within(finding, (x, y, z)) for finding in counted):
            findings.append(KnownFinding((x, y, z), UNKNOWN_DIAMETER_MM, ignored=True, readers=1))
    regions = [nodule.majority for nodule in nodules]
    return Labels(tuple(findings), outlined=VoxelRegion.union(regions, volume))


def _within(finding: KnownFinding, place_world_mm: tuple[float, float, float]) -> bool:
    distance = np.linalg.norm(np.subtract(finding.centre_world_mm, place_world_mm))
    return bool(distance < finding.diameter_mm / 2)


def _readings_under(
    source: Path,
) -> tuple[dict[str, LidcReadings], dict[str, Path], list[ExcludedCase]]:
    """The readings by series, the file of each, and what could not be used."""
    readings: dict[str, LidcReadings] = {}
    xml_of: dict[str, Path] = {}
    left_out: list[ExcludedCase] = []
    for path in sorted(source.rglob("*.xml")):
        try:
            found = read_lidc_xml(path)
        except SeriesError as error:
            left_out.append(failure(str(path), error))
            continue
        if found is None:
            continue
        if found.series_uid in readings:
            first = xml_of[found.series_uid]
            if path.read_bytes() != first.read_bytes():
                msg = f"{path} reads the same series as {first}, which is used"
                left_out.append(
                    ExcludedCase(name=str(path), reason="no_labels", message=msg, failed=False)
                )
            continue
        readings[found.series_uid], xml_of[found.series_uid] = found, path
    return readings, xml_of, left_out
