import json

import pytest

from hounsfield.data.prepared.splits import (
    SplitEntry,
    SplitManifest,
    case_files,
    check_no_leak,
    part_of,
    patient_fold,
    read_split,
)
from hounsfield.preprocessing.errors import UsageError


def entry(series, patient, voxels=None, fold=0, source=""):
    return SplitEntry(
        series_uid=series,
        patient_id=patient,
        case=f"cases/{series}",
        voxels_sha256=series if voxels is None else voxels,
        fold=fold,
        source_series_uid=source,
    )


def written(folder, *entries, **facts):
    folder.mkdir(parents=True)
    manifest = SplitManifest(dataset="luna16", series=entries, **facts)
    (folder / "split.json").write_text(manifest.model_dump_json())
    return folder


def test_a_patient_in_two_folds_is_refused_by_name():
    with pytest.raises(UsageError, match="patient Anna is in the folds 2, 5"):
        check_no_leak([entry("1", "Anna", fold=2), entry("2", "Anna", fold=5), entry("3", "Bo")])


def test_a_series_under_two_names_is_refused_with_both():
    with pytest.raises(UsageError, match="1 and 2 of patient Anna are the same series"):
        check_no_leak([entry("1", "Anna", voxels="same"), entry("2", "Anna", voxels="same")])


def test_the_same_voxels_under_two_patients_are_refused_with_their_names():
    with pytest.raises(UsageError, match="under two patients: 1 of Anna and 2 of Bo"):
        check_no_leak([entry("1", "Anna", voxels="same"), entry("2", "Bo", voxels="same")])


def test_a_series_listed_for_two_patients_is_refused():
    with pytest.raises(UsageError, match="series 1 is listed 2 times, of Anna and Bo"):
        check_no_leak([entry("1", "Anna"), entry("1", "Bo", fold=1)])


def test_several_series_of_a_patient_may_be_in_one_fold():
    check_no_leak([entry("1", "Anna"), entry("2", "Anna"), entry("3", "Bo", fold=4)])


@pytest.mark.parametrize("other", [entry("1", "1", fold=2), entry("1.b", "B", fold=2, source="1")])
def test_parts_of_a_series_in_two_folds_are_refused_even_under_other_patients(other):
    nodule = entry("1.a", "A", fold=5, source="1")
    with pytest.raises(UsageError, match=r"series 1 or parts of it are in the folds 2 .* and 5"):
        check_no_leak([nodule, other])


def test_nodules_of_a_series_may_be_in_one_fold():
    check_no_leak([entry("1", "A"), entry("1.a", "A", source="1"), entry("1.b", "A", source="1")])


def test_only_some_of_many_leaks_are_named():
    entries = [entry(f"{n}.{k}", f"P{n}", fold=k) for n in range(8) for k in (0, 1)]
    with pytest.raises(UsageError, match=r"patient P4 .*; and 3 more\."):
        check_no_leak(entries)


def test_a_split_edited_to_leak_is_refused_when_read(tmp_path):
    folder = written(tmp_path / "made", entry("1", "Anna"), entry("2", "Anna"))
    split = json.loads((folder / "split.json").read_text())
    split["series"][0]["fold"] = 3
    (folder / "split.json").write_text(json.dumps(split))
    with pytest.raises(UsageError, match="Anna is in the folds 0, 3"):
        read_split(folder)


def test_every_case_is_in_one_part_and_the_next_fold_validates(tmp_path):
    entries = [entry(str(fold), f"P{fold}", fold=fold) for fold in range(10)]
    folder = written(tmp_path / "made", *entries)
    parts = {
        part: [path.name for path in case_files([folder], part, held=9)]
        for part in ("training", "validation", "test")
    }
    assert parts == {"training": list("12345678"), "validation": ["0"], "test": ["9"]}
    assert part_of(0, held=9, folds=10) == "validation"


def test_two_folders_are_checked_as_one(tmp_path):
    first = written(tmp_path / "first", entry("1", "Anna", fold=1))
    second = written(tmp_path / "second", entry("2", "Anna", fold=2))
    with pytest.raises(UsageError, match="Anna is in the folds 1, 2"):
        case_files([first, second], "training", held=0)


def test_folders_with_different_numbers_of_folds_are_refused(tmp_path):
    first = written(tmp_path / "first", entry("1", "Anna"))
    second = written(tmp_path / "second", entry("2", "Bo"), folds=5)
    with pytest.raises(
        UsageError, match=r"fold 0 must be in each of 2 split\(s\), which have \[5, 10\] folds"
    ):
        case_files([first, second], "training", held=0)


@pytest.mark.parametrize("content", ["{", '{"version": 2, "dataset": "x", "series": []}'])
def test_a_damaged_split_is_refused(tmp_path, content):
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(UsageError, match=r"split\.json: .*; prepare the data set again"):
        read_split(tmp_path)


def test_a_patients_fold_is_always_the_same():
    # The quotient of the id's SHA-256 by 5, modulo 10.
    assert [patient_fold(f"P{n}") for n in range(4)] == [8, 3, 6, 9]
