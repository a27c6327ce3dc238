"""Warnings of the protocol check, and its silence where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.evaluation.challenge_tables import evaluated, written

SCANS = [f"scan{i}" for i in range(12)]


def challenge(seed=0):
    """Twelve scans, nine of them with two nodules; predictions near each nodule and elsewhere."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([-150, -200, -400], [150, 50, -50], size=(18, 3)).round(2)
    nodules = [(SCANS[i // 2], *centre, 8.0) for i, centre in enumerate(centres.tolist())]
    hits = (centres + rng.uniform(-1, 1, size=centres.shape)).tolist()
    predictions = [(SCANS[i // 2], *place, 0.9) for i, place in enumerate(hits)]
    elsewhere = rng.uniform([-150, -200, -400], [150, 50, -50], size=(60, 3)).tolist()
    predictions += [(SCANS[i % 12], *place, round(i / 100, 2)) for i, place in enumerate(elsewhere)]
    return nodules, predictions


def warnings_of(folder, predictions, nodules=None, **options):
    """Evaluates, and returns the warnings by code."""
    own_nodules, _ = challenge()
    document = evaluated(
        folder, scans=SCANS, nodules=nodules or own_nodules, predictions=predictions, **options
    )
    return {warning.code: warning for warning in document.protocol_warnings}


def moved(predictions, move):
    return [(name, *move(x, y, z), score) for name, x, y, z, score in predictions]


def test_a_clean_submission_has_no_warning(tmp_path):
    assert warnings_of(tmp_path, challenge()[1]) == {}


def test_omitted_scans_are_counted(tmp_path):
    warnings = warnings_of(tmp_path, [p for p in challenge()[1] if p[0] != "scan1"])
    assert set(warnings) == {"scans_omitted"}
    assert "1 of the 12 listed scans" in warnings["scans_omitted"].message


def test_predicting_only_nodule_scans_is_reported_with_the_cpm_of_those_scans(tmp_path):
    nodules, predictions = challenge()
    with_nodules = {row[0] for row in nodules}
    kept = [p for p in predictions if p[0] in with_nodules]
    warnings = warnings_of(tmp_path, kept)
    fewer = evaluated(tmp_path, scans=sorted(with_nodules), nodules=nodules, predictions=kept)
    assert "(9 of 12 scans)" in warnings["nodule_scans_only"].message
    assert warnings["nodule_scans_only"].model_extra["cpm_of_predicted_scans"] == fewer.cpm


def test_predictions_on_unknown_scans_are_dropped_and_reported(tmp_path):
    warnings = warnings_of(tmp_path, [*challenge()[1], ("nowhere", 0, 0, 0, 0.5)])
    assert "1 predictions on 1 scans that are not listed" in warnings["scans_unknown"].message
    assert "nowhere in row 80" in warnings["scans_unknown"].message


def test_repeated_predictions_are_reported_and_still_count(tmp_path):
    predictions = [*challenge()[1], ("scan0", 1, 2, 3, 0.5), ("scan0", 1, 2, 3, 0.5)]
    assert warnings_of(tmp_path, predictions)["duplicate_predictions"].model_extra == {
        "predictions": 1
    }


def test_nan_scores_are_dropped_and_nan_positions_are_false_positives(tmp_path):
    nodules, predictions = challenge()
    clean = evaluated(tmp_path, scans=SCANS, nodules=nodules, predictions=predictions)
    broken = [*predictions, ("scan0", 1, 2, 3, "nan"), ("scan0", "nan", 2, 3, 0.5)]
    document = evaluated(tmp_path, scans=SCANS, nodules=nodules, predictions=broken)
    (warning,) = document.protocol_warnings
    assert warning.code == "not_finite"
    assert "first in row 80" in warning.message
    assert document.false_positives == clean.false_positives + 1


def test_scans_over_the_limit_are_counted(tmp_path):
    more = [("scan0", 300 + i, 0, 0, 0.001 * i) for i in range(130)]
    warnings = warnings_of(tmp_path, [*challenge()[1], *more])
    assert warnings["over_limit"].model_extra["scans"] == 1


@pytest.mark.parametrize(
    ("move", "frame"),
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
def test_coordinates_in_another_frame_are_reported(tmp_path, move, frame):
    warnings = warnings_of(tmp_path, moved(challenge()[1], move))
    assert frame in warnings["coordinates_suspect"].message


def test_voxel_indices_are_confirmed_where_origin_and_spacing_are_known(tmp_path):
    header = "seriesuid,origin_x_mm,origin_y_mm,origin_z_mm," + ",".join(
        f"spacing_{axis}_mm" for axis in "xyz"
    )
    rows = [(scan, -180, -230, -420 - i, 0.7, 0.7, 2) for i, scan in enumerate(SCANS)]
    origin_z = {row[0]: row[3] for row in rows}
    predictions = [
        (name, (x + 180) / 0.7, (y + 230) / 0.7, (z - origin_z[name]) / 2, score)
        for name, x, y, z, score in challenge()[1]
    ]
    facts = written(tmp_path / "facts.csv", rows, header)
    warnings = warnings_of(tmp_path, predictions, facts=facts)["coordinates_suspect"].model_extra
    assert (warnings["frame"], warnings["hits_in_frame"]) == ("voxel indices", 18)


def test_random_predictions_suggest_no_other_frame(tmp_path):
    rng = np.random.default_rng(5)
    places = rng.uniform([-150, -200, -400], [150, 50, -50], size=(1200, 3)).tolist()
    predictions = [(SCANS[i % 12], *p, i / 1200) for i, p in enumerate(places)]
    assert warnings_of(tmp_path, predictions) == {}


def test_a_submission_without_a_listed_scan_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match=r"predictions\.csv, row 2, column seriesuid: .*'17'.*--ids"
    ):
        warnings_of(tmp_path, [(17, 0, 0, 0, 0.5)])


def test_annotations_that_are_repeated_or_no_chest_holds_are_reported_and_still_count(tmp_path):
    nodules, predictions = challenge()
    again, far, flat = nodules[0], ("scan2", 0, 0, 900, 8.0), ("scan4", 1, 2, -100, 0)
    wrong = [*nodules, again, far, flat]
    options = {"scans": SCANS, "predictions": predictions}
    document = evaluated(tmp_path, nodules=wrong, **options)
    clean = evaluated(tmp_path, nodules=nodules, **options)
    warnings = {warning.code: warning for warning in document.protocol_warnings}
    assert document.nodules == clean.nodules + 3
    assert warnings["annotations_repeated"].model_extra == {"annotations": 1}
    assert warnings["annotations_impossible"].model_extra == {"scans": 2}
    assert "the first is scan2" in warnings["annotations_impossible"].message
