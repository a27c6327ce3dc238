"""What the protocol check says, and that it stays silent where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.evaluation.tables_for_tests import evaluated, written

SCANS = [f"scan{i}" for i in range(12)]


def challenge(seed=0):
    """Twelve scans of which nine hold two nodules, and a mark near each, and elsewhere."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([-150, -200, -400], [150, 50, -50], size=(18, 3)).round(2)
    nodules = [(SCANS[i // 2], *centre, 8.0) for i, centre in enumerate(centres.tolist())]
    near = (centres + rng.uniform(-1, 1, size=centres.shape)).tolist()
    marks = [(SCANS[i // 2], *place, 0.9) for i, place in enumerate(near)]
    strewn = rng.uniform([-150, -200, -400], [150, 50, -50], size=(60, 3)).tolist()
    marks += [(SCANS[i % 12], *place, round(i / 100, 2)) for i, place in enumerate(strewn)]
    return nodules, marks


def codes(folder, marks, nodules=None, **options):
    """Evaluates, and returns what was said, by code."""
    own_nodules, _ = challenge()
    document = evaluated(
        folder, scans=SCANS, nodules=nodules or own_nodules, marks=marks, **options
    )
    return {warning.code: warning for warning in document.protocol_warnings}


def moved(marks, place):
    return [(name, *place(x, y, z), score) for name, x, y, z, score in marks]


def test_a_clean_submission_gets_no_warning(tmp_path):
    assert codes(tmp_path, challenge()[1]) == {}


def test_omitted_scans_are_counted(tmp_path):
    said = codes(tmp_path, [m for m in challenge()[1] if m[0] != "scan1"])
    assert set(said) == {"scans_omitted"}
    assert "1 of the 12 listed scans" in said["scans_omitted"].message


def test_predicting_nodule_scans_only_is_said_with_the_cpm_of_those_scans(tmp_path):
    nodules, marks = challenge()
    with_nodules = {row[0] for row in nodules}
    kept = [m for m in marks if m[0] in with_nodules]
    said = codes(tmp_path, kept)
    fewer = evaluated(tmp_path, scans=sorted(with_nodules), nodules=nodules, marks=kept)
    assert "(9 of 12 scans)" in said["nodule_scans_only"].message
    assert said["nodule_scans_only"].model_extra["cpm_of_predicted_scans"] == fewer.cpm


def test_unknown_scans_are_left_out_and_named(tmp_path):
    said = codes(tmp_path, [*challenge()[1], ("nowhere", 0, 0, 0, 0.5)])
    assert "1 marks on 1 scans that are not listed" in said["scans_unknown"].message
    assert "nowhere in row 80" in said["scans_unknown"].message


def test_repeated_marks_are_said_and_still_count(tmp_path):
    marks = [*challenge()[1], ("scan0", 1, 2, 3, 0.5), ("scan0", 1, 2, 3, 0.5)]
    assert codes(tmp_path, marks)["duplicate_marks"].model_extra == {"marks": 1}


def test_nan_scores_are_left_out_and_nan_places_are_false_positives(tmp_path):
    nodules, marks = challenge()
    clean = evaluated(tmp_path, scans=SCANS, nodules=nodules, marks=marks)
    broken = [*marks, ("scan0", 1, 2, 3, "nan"), ("scan0", "nan", 2, 3, 0.5)]
    document = evaluated(tmp_path, scans=SCANS, nodules=nodules, marks=broken)
    (warning,) = document.protocol_warnings
    assert warning.code == "not_finite"
    assert "first in row 80" in warning.message
    assert document.false_positives == clean.false_positives + 1


def test_marks_over_the_cap_are_counted(tmp_path):
    more = [("scan0", 300 + i, 0, 0, 0.001 * i) for i in range(130)]
    said = codes(tmp_path, [*challenge()[1], *more])
    assert said["over_the_cap"].model_extra["scans"] == 1


@pytest.mark.parametrize(
    ("place", "frame"),
    [
        (lambda x, y, z: (-x, -y, z), "RAS"),
        (lambda x, y, z: (-x, y, z), "x flipped (negated)"),
        (lambda x, y, z: (x, -y, z), "y flipped (negated)"),
        (lambda x, y, z: (x, y, -z), "z flipped (negated)"),
        (lambda x, y, z: (z, y, x), "z, y, x order"),
        (lambda x, y, z: (x, y, -500 - z), "z flipped within the image"),
        (lambda x, y, z: ((x + 180) / 0.7, (y + 230) / 0.7, (z + 420) / 2), "voxel"),
    ],
)
def test_coordinates_of_another_frame_are_named(tmp_path, place, frame):
    said = codes(tmp_path, moved(challenge()[1], place))
    assert frame in said["coordinates_suspect"].message


def test_voxel_indices_are_proved_where_origin_and_spacing_are_known(tmp_path):
    header = "seriesuid,origin_x_mm,origin_y_mm,origin_z_mm," + ",".join(
        f"spacing_{axis}_mm" for axis in "xyz"
    )
    rows = [(scan, -180, -230, -420 - i, 0.7, 0.7, 2) for i, scan in enumerate(SCANS)]
    origin_z = {row[0]: row[3] for row in rows}
    marks = [
        (name, (x + 180) / 0.7, (y + 230) / 0.7, (z - origin_z[name]) / 2, score)
        for name, x, y, z, score in challenge()[1]
    ]
    facts = written(tmp_path / "facts.csv", rows, header)
    said = codes(tmp_path, marks, facts=facts)["coordinates_suspect"].model_extra
    assert (said["frame"], said["hits_if_so"]) == ("voxel indices", 18)


def test_random_marks_raise_no_suspicion_of_their_frame(tmp_path):
    rng = np.random.default_rng(5)
    places = rng.uniform([-150, -200, -400], [150, 50, -50], size=(1200, 3)).tolist()
    marks = [(SCANS[i % 12], *p, i / 1200) for i, p in enumerate(places)]
    assert codes(tmp_path, marks) == {}


def test_a_submission_without_a_listed_scan_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"marks\.csv, row 2, column seriesuid: .*'17'.*--ids"):
        codes(tmp_path, [(17, 0, 0, 0, 0.5)])
