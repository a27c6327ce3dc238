from unittest.mock import ANY

import pytest

from hounsfield.data.preparation import prepare
from hounsfield.data.prepared.case import load_case
from hounsfield.data.readers.luna16 import read_candidates, read_findings, read_luna16
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.reading import read_volume
from tests.data.luna16_download import write_mhd, write_tables


def labels_of(case):
    return case.labels(read_volume(case.series))


def test_series_have_their_official_subset_and_their_findings(tmp_path):
    write_mhd(tmp_path / "subset3", "1.3.6.1")
    write_mhd(tmp_path / "subset9" / "subset9", "1.3.6.2")
    write_mhd(tmp_path / "more", "1.3.6.3")
    nodule, excluded = ("1.3.6.1", 1.5, -2, 3, 6.25), ("1.3.6.1", 4, 5, 6, -1)
    write_tables(tmp_path, nodule, excluded=[excluded])
    contents = read_luna16(tmp_path)
    assert [(case.series_uid, case.fold) for case in contents.cases] == [
        ("1.3.6.3", None),
        ("1.3.6.1", 3),
        ("1.3.6.2", 9),
    ]
    nodule, ignored = labels_of(contents.cases[1]).findings
    assert (nodule.centre_world_mm, nodule.diameter_mm, nodule.ignored) == (
        (1.5, -2, 3),
        6.25,
        False,
    )
    assert (ignored.diameter_mm, ignored.ignored) == (10, True)  # unknown, as the protocol has it
    assert not labels_of(contents.cases[2]).findings
    assert contents.excluded == []


def test_a_series_without_its_raw_file_is_excluded_and_absent_series_are_counted(tmp_path):
    write_mhd(tmp_path / "subset0", "1.3.6.1")
    (tmp_path / "subset0" / "1.3.6.1.raw").unlink()
    write_tables(
        tmp_path, ("1.3.6.1", 0, 0, 0, 5), ("1.3.6.7", 0, 0, 0, 5), ("1.3.6.8", 0, 0, 0, 5)
    )
    contents = read_luna16(tmp_path)
    assert contents.cases == []
    cases = {case.reason: case for case in contents.excluded}
    assert "Its data file '1.3.6.1.raw' is not there" in cases["unreadable"].message
    assert "name 2 series that are not in the source" in cases["series_missing"].message
    assert (cases["unreadable"].failed, cases["series_missing"].failed) == (True, False)


def test_the_table_of_nodules_must_exist_once(tmp_path):
    with pytest.raises(UsageError, match=r"must hold annotations\.csv, but there is none"):
        read_luna16(tmp_path)
    write_tables(tmp_path)
    (tmp_path / "copy").mkdir()
    write_tables(tmp_path / "copy")
    with pytest.raises(UsageError, match=r"must hold one annotations\.csv, but holds"):
        read_luna16(tmp_path)


def test_candidates_come_from_the_second_list_where_both_exist(tmp_path):
    write_mhd(tmp_path / "subset0", "1.3.6.1")
    write_mhd(tmp_path / "subset0", "1.3.6.2")
    write_tables(tmp_path)
    header = "seriesuid,coordX,coordY,coordZ,class\n"
    assert labels_of(read_luna16(tmp_path).cases[0]).candidates is None
    (tmp_path / "candidates.csv").write_text(f"{header}1.3.6.1,1,2,3,0\n")
    first = read_luna16(tmp_path).cases[0]
    (tmp_path / "candidates_V2.csv").write_text(f"{header}1.3.6.1,1,2,3,0\n1.3.6.1,4,5,6.5,1\n")
    both, none = read_luna16(tmp_path).cases
    assert labels_of(both).candidates.tolist() == [[1, 2, 3, 0], [4, 5, 6.5, 1]]
    assert labels_of(none).candidates.shape == (0, 4)
    assert first.fingerprint != both.fingerprint


def test_a_wrong_cell_is_refused_with_row_and_column(tmp_path):
    write_tables(tmp_path, ("1.3.6.1", 0, 0, 0, 5), ("1.3.6.2", "left", 0, 0, 5))
    with pytest.raises(
        UsageError, match=r"annotations\.csv, row 3, column coordX: must be a number, got 'left'"
    ):
        read_findings(tmp_path / "annotations.csv", ignored=False)


def test_a_table_without_a_column_is_refused(tmp_path):
    table = tmp_path / "annotations.csv"
    table.write_text("seriesuid,coordX,coordY,coordZ\n1.3.6.1,1,2,3\n")
    with pytest.raises(UsageError, match=r"annotations\.csv: must have a column diameter_mm"):
        read_findings(table, ignored=False)


def test_rows_of_a_candidate_table_are_grouped_by_series_in_their_order(tmp_path):
    (tmp_path / "candidates.csv").write_text(
        "seriesuid,coordX,coordY,coordZ,class\nb,1,2,3,0\na,4,5,6,1\nb,7,8,9,1\n"
    )
    candidates = read_candidates(tmp_path)
    assert candidates["b"].tolist() == [[1, 2, 3, 0], [7, 8, 9, 1]]
    assert candidates["a"].tolist() == [[4, 5, 6, 1]]


def test_rows_outside_their_series_or_listed_twice_are_left_out_with_their_row(tmp_path):
    source, nodule = tmp_path / "luna16", ("1.3.6.1", 1.5, -2, 3, 6.25)
    write_mhd(source / "subset0", "1.3.6.1")
    outside, huge = ("1.3.6.1", 1.5, -2, -900, 6.25), ("1.3.6.1", 4, 5, 6, 1e9)
    excluded = [("1.3.6.1", 7, 8, 9, -1)] * 2  # as in the official table
    write_tables(source, nodule, nodule, outside, huge, ("1.7", 0, 0, 0, 5), excluded=excluded)
    (source / "candidates.csv").write_text(
        "seriesuid,coordX,coordY,coordZ,class\n1.3.6.1,1,2,3,0\n1.3.6.1,1,2,9000,0\n1.3.6.1,1e9,2,3,0\n"
    )
    for _ in range(2):  # a case that is kept tells of them again
        report = prepare("luna16", source, tmp_path / "out")
        assert (report.nodules, report.ignored) == (1, 1)
        told = [(case.reason, case.failed, case.message) for case in report.excluded]
        for expected in (
            ("label_outside", True, "annotations.csv, row 4: (1.5, -2, -900) mm lies outside the"),
            ("label_outside", True, "annotations.csv, row 5: a diameter of 1e+09 mm must be above"),
            ("label_outside", True, "candidates.csv, row 3: the first of 2 that lie outside the"),
            ("label_repeated", False, "annotations.csv, row 3: has the place of annotations.csv,"),
            ("series_missing", False, "annotations name 1 series that are not in the source (the"),
        ):
            assert [row for row in told if row[2].startswith(expected[2])] == [(*expected[:2], ANY)]
    (case,) = (tmp_path / "out" / "cases").iterdir()
    assert load_case(case).candidates.tolist() == [[1, 2, 3, 0]]
