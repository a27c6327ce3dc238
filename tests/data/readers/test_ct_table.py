import shutil
from pathlib import Path

import numpy as np
import pytest

from hounsfield.data.preparation import prepare
from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.splits import case_files, read_split
from hounsfield.data.readers.ct_table import read_ct_table
from hounsfield.preprocessing.errors import UsageError
from tests.data.luna16_download import write_mhd
from tests.data.readers.test_nodule_crop_files import write_crop, write_table

HEADER = "path,patient_id,fold,x_mm,y_mm,z_mm,diameter_mm,ignored,histology,remark"


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    write_mhd(folder / "a", "1.3.6.1")
    write_mhd(folder / "b", "1.3.6.2", shift_hu=3)
    return folder


def table(folder, *rows, header=HEADER):
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return path


def test_rows_of_a_path_are_one_case_and_a_row_without_position_has_no_findings(series, tmp_path):
    path = table(
        series,
        "a,Anna,3,35,2,3,8,,adenocarcinoma,clear",
        f"{series / 'b'},Bo,,,,,,,,",
        "a,Anna,3,-30,0,5,20,1,,doubtful",
    )
    report = prepare("ct-table", path, tmp_path / "out")
    assert (report.prepared, report.nodules, report.ignored) == (2, 1, 1)
    anna, bo = read_split(tmp_path / "out").series
    assert (anna.patient_id, anna.fold, bo.patient_id) == ("Anna", 3, "Bo")
    nodule, doubtful = load_case(tmp_path / "out" / anna.case).findings
    assert (nodule.centre_world_mm, nodule.diameter_mm) == ((35, 2, 3), 8)
    assert (nodule.histology, nodule.ignored, doubtful.ignored) == ("adenocarcinoma", False, True)
    assert load_case(tmp_path / "out" / bo.case).findings == ()


def test_the_fingerprint_changes_with_the_rows_of_the_series_only(series):
    first = read_ct_table(table(series, "a,Anna,,35,2,3,8,,,", "b,Bo,,,,,,,,")).cases
    second = read_ct_table(table(series, "a,Anna,,35,2,3,9,,,", "b,Bo,,,,,,,,")).cases
    assert [x.fingerprint == y.fingerprint for x, y in zip(first, second, strict=True)] == [
        False,
        True,
    ]


def test_prepared_folders_of_different_data_sets_can_be_used_together(series, tmp_path):
    prepare("ct-table", table(series, "a,Anna,3,35,2,3,8,,,"), tmp_path / "table")
    affine = [[-1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]
    write_crop(tmp_path, np.array(affine), np.ones((9, 9, 3), np.int16))
    write_table(tmp_path, (4, 4, 2))
    prepare("nodule-crops", tmp_path, tmp_path / "nodules")
    both = [tmp_path / "table", tmp_path / "nodules"]
    found = [*case_files(both, "training", held=0), *case_files(both, "test", held=0)]
    found += case_files(both, "validation", held=0)
    assert sorted(path.name for path in found) == ["1.2.n", "1.3.6.1"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,Anna,,35,2,,8,,,"], "row 2: x_mm, y_mm, z_mm and diameter_mm must be all filled"),
        (["a,Anna,,35,2,left,8,,,"], "row 2: z_mm: Input should be a valid number"),
        (["a,,,35,2,3,8,,,"], "row 2: patient_id: Input should be a valid string"),
        (["a,Anna,10,35,2,3,8,,,"], "row 2: fold: Input should be less than 10"),
        (["a,Anna,,35,2,3,8,,tumour,"], "row 2: histology: .* got 'tumour'"),
        (
            ["a,Anna,,35,2,3,8,,,", "a,Bo,,1,2,3,8,,,"],
            "row 3: patient_id and fold must equal those",
        ),
        (["a,Anna,,35,2,3,8,,,", "a,Anna,,,,,,,,"], "row 3: a series without findings"),
        (["a,Anna,,35,2,3,8,,,clear, round"], "row 2: must have 10 cells, got 11; put cells"),
        (
            ["a,Anna,,,,,,,,", "copy,Anna,,,,,,,,"],
            r"row 3: .*copy holds the series 1\.3\.6\.1, as does",
        ),
    ],
)
def test_a_wrong_row_is_refused_with_its_number(series, rows, message):
    shutil.copytree(series / "a", series / "copy", dirs_exist_ok=True)
    with pytest.raises(UsageError, match=rf"table\.csv, {message}"):
        read_ct_table(table(series, *rows))


def test_an_unknown_and_a_missing_column_are_refused(series):
    with pytest.raises(
        UsageError, match=r"table\.csv, row 1: has the column 'malignency'; the columns are path"
    ):
        read_ct_table(table(series, "a,A,,1,1,1,5,,,,5", header=f"{HEADER},malignency"))
    with pytest.raises(UsageError, match="row 1: lacks the column z_mm"):
        read_ct_table(table(series, "a,A,1,1,5", header="path,patient_id,x_mm,y_mm,diameter_mm"))


def test_a_path_without_exactly_one_series_is_excluded_with_its_row(series):
    contents = read_ct_table(table(series, ".,Anna,,,,,,,,", "nowhere,Bo,,,,,,,,"))
    assert not contents.cases
    several, absent = (case.message for case in contents.excluded)
    assert "row 2" in several
    assert "must hold one usable CT series, but holds" in several
    assert "row 3" in absent
    assert "nowhere must hold one usable CT series, but is missing" in absent


def test_a_position_outside_the_series_is_refused_with_its_row(series, tmp_path):
    report = prepare("ct-table", table(series, "a,Anna,,35,2,900,8,,,"), tmp_path / "out")
    (failed,) = report.failed
    assert "row 2: (35, 2, 900) mm lies outside the series; positions are in LPS" in failed.message


def test_a_tab_separated_table_and_short_rows_are_read(series):
    path = table(
        series,
        "a\tAnna\t35\t2\t3\t8",
        header="path\tpatient_id\tx_mm\ty_mm\tz_mm\tdiameter_mm\tremark",
    )
    (case,) = read_ct_table(path).cases
    assert case.patient_id == "Anna"


def test_an_empty_table_is_refused(series):
    with pytest.raises(UsageError, match="row 1: lacks the column path"):
        read_ct_table(table(series, header=""))


def test_the_shipped_table_of_backgrounds_can_be_read():
    backgrounds = Path(__file__).parents[3] / "configs" / "data" / "backgrounds.csv"
    contents = read_ct_table(backgrounds)  # the downloads that it names are not in the repository
    assert {case.reason for case in contents.excluded} <= {"series_missing"}
