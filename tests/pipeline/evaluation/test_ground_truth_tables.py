import json
from types import SimpleNamespace

import pytest

from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.readers.luna16 import read_findings
from hounsfield.pipeline.evaluation.ground_truth_tables import write_ground_truth_tables
from hounsfield.pipeline.evaluation.luna16.command import luna16_command
from tests.real_series import REAL, needs_real_series

LUNA16 = REAL / "luna16"


def a_case(uid, *findings):
    return SimpleNamespace(series_uid=uid, findings=findings)


def test_nodules_and_ignored_findings_are_separated_and_every_scan_is_listed(tmp_path):
    nodule = KnownFinding((0.1 + 0.2, -2.0, 3.0), 8.5)
    ignored = KnownFinding((4.0, 5.0, 6.0), 10.0, ignored=True)
    tables = write_ground_truth_tables([a_case("1.1", nodule, ignored), a_case("1.2")], tmp_path)
    header = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
    # coordinates keep every digit: a prediction on the rim must have the same outcome
    assert tables.annotations.read_text() == header + "1.1,0.30000000000000004,-2.0,3.0,8.5\n"
    assert tables.excluded.read_text() == header + "1.1,4.0,5.0,6.0,10.0\n"
    assert tables.series.read_text() == "1.1\n1.2\n"
    assert tables.nodules == 1


@pytest.mark.real
@needs_real_series
def test_the_tables_of_prepared_scans_reproduce_the_official_result(tmp_path):
    known = LUNA16 / "known-result"
    nodules = read_findings(LUNA16 / "annotations.csv", ignored=False)
    excluded = read_findings(LUNA16 / "annotations_excluded.csv", ignored=True)
    uids = (known / "seriesuids.csv").read_text().split()
    cases = [a_case(uid, *nodules.get(uid, ()), *excluded.get(uid, ())) for uid in uids]
    tables = write_ground_truth_tables(cases, tmp_path)
    evaluation = luna16_command(
        annotations=tables.annotations,
        excluded=tables.excluded,
        series=tables.series,
        predictions=known / "submission.csv",
        out=tmp_path / "evaluation",
        resamplings=1,
    )
    expected = json.loads((known / "expected.json").read_text())
    assert evaluation.cpm == pytest.approx(expected["cpm"], abs=1e-6)
    assert evaluation.ignored_excluded == expected["ignored_excluded"]
    assert evaluation.false_positives == expected["false_positives"]
