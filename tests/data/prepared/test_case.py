import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.data.phantom import NoduleSpec
from hounsfield.data.prepared.case import (
    CaseOrigin,
    KnownFinding,
    PreparedCase,
    load_case,
    load_facts,
    remove_case,
    save_case,
)
from hounsfield.preprocessing.errors import OutputError, UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume

REMEDY = "; prepare its source again: `hounsfield prepare` replaces damaged cases"


def a_case():
    hu = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = WorkingVolume(hu, np.ones_like(hu, np.uint8), hu > 3, np.eye(4))
    spec = NoduleSpec(diameter_mm=8.5, density="part_solid", solid_fraction=0.3)
    findings = (
        KnownFinding((1.0, 2.0, 3.0), 8.5, histology="normal", malignancy=2.5, specified=spec),
        KnownFinding((4.0, 5.0, 6.0), 10.0, ignored=True, readers=1),
    )
    origin = CaseOrigin("voxels", "files", "1.2")
    return PreparedCase("1.2.3", "someone", volume, findings, synthetic=True, origin=origin)


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "case"
    mask, candidates = np.full((2, 3, 4), 128, np.uint8), np.array([[1, 2, 3.5, 1]])
    save_case(replace(a_case(), nodule_mask=mask, candidates=candidates), folder)
    return folder


def change(folder, **values):
    """Changes keys of a case's document; a value of None deletes the key."""
    path = folder / "case.json"
    document = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))


def test_a_case_is_read_as_it_was_written(tmp_path):
    save_case(a_case(), tmp_path / "folder" / "case")
    again = load_case(tmp_path / "folder" / "case")
    for name in ("hu", "lung_labels", "search_mask", "affine"):
        assert np.array_equal(getattr(again.volume, name), getattr(a_case().volume, name))
    assert (again.series_uid, again.patient_id, again.synthetic) == ("1.2.3", "someone", True)
    assert (again.findings, again.origin) == (a_case().findings, a_case().origin)


def test_masks_and_candidates_are_kept_where_there_are_any(case, tmp_path):
    assert np.array_equal(load_case(case).nodule_mask, np.full((2, 3, 4), 128))
    assert np.array_equal(load_case(case).candidates, [[1, 2, 3.5, 1]])
    save_case(a_case(), tmp_path / "without")
    without = load_case(tmp_path / "without")
    assert without.nodule_mask is None
    assert without.candidates is None


def test_a_case_without_any_candidate_is_kept(tmp_path):
    save_case(replace(a_case(), candidates=np.empty((0, 4))), tmp_path / "case")
    assert load_case(tmp_path / "case").candidates.shape == (0, 4)


def test_a_failed_write_leaves_the_earlier_case(case, tmp_path):
    not_an_array = replace(a_case(), patient_id="another", candidates=np.array([object()]))
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        save_case(not_an_array, case)
    assert load_case(case).patient_id == "someone"
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file/case cannot be written"):
        save_case(a_case(), tmp_path / "file" / "case")


def test_a_removed_case_leaves_nothing_and_may_be_removed_twice(case, tmp_path):
    remove_case(case)
    remove_case(case)
    assert not list(tmp_path.iterdir())


def test_arrays_are_mapped_and_read_only(case):
    with pytest.raises(ValueError, match="read-only"):
        load_case(case).volume.hu[0] = 1


def test_a_case_of_version_2_is_read_under_the_new_names(case):
    expected = load_facts(case)
    document = json.loads((case / "case.json").read_text())
    for finding in document["findings"]:
        spec = finding.pop("specified")
        if spec is not None:
            # Joined, so that renaming identifiers over the repository does not reach the old names.
            spec["_".join(("solid", "share"))] = spec.pop("solid_fraction")  # noqa: FLY002
            finding["_".join(("drawn", "as"))] = spec  # noqa: FLY002
    del document["version"]
    (case / "case.json").write_text(json.dumps({"form_version": 2} | document))
    assert load_facts(case) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": 4}, "version: Input should be 3, got 4"),
        ({"version": None, "form_version": 1}, "version: Field required"),
        ({"series_uid": None}, "series_uid: Field required"),
        ({"findings": None}, "findings: Field required"),
        ({"patient_id": 7}, "patient_id: Input should be a valid string, got 7"),
        ({"synthetic": "maybe"}, "synthetic: Input should be a valid boolean"),
        ({"affine": [[1, 0, 0, 0]]}, "affine.1: Field required"),
        ({"affine": "identity"}, "affine: Input should be a valid"),
        ({"findings": [{"diameter_mm": 3}]}, "findings.0.centre_world_mm: Field required"),
        ({"findings": [{"centre_world_mm": [1, 2, 3], "diameter_mm": float("nan")}]}, "finite"),
        ({"findings": [7]}, "findings.0: must hold keys with values, got int"),
        ({"findings": {"form_version": 2}}, "findings: Input should be a valid"),
        ({"version": None, "form_version": 2, "findings": 5}, "findings: Input should be"),
        ({"origin": {"voxels": "a"}}, "origin.voxels: Unexpected keyword argument"),
        ({"colour": "red"}, "colour: unknown key"),
    ],
)
def test_a_wrong_document_is_refused_in_one_sentence(case, values, message):
    change(case, **values)
    with pytest.raises(UsageError) as refusal:
        load_case(case)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(str(case / "case.json"))
    assert str(refusal.value).endswith(REMEDY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(length=st.integers(0, 10_000), byte=st.binary(max_size=2))
def test_a_document_cut_anywhere_is_refused(case, length, byte):
    path = case / "case.json"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: length % len(whole)] + byte)
        with pytest.raises(UsageError, match=r"case\.json: .*replaces damaged cases$"):
            load_facts(case)
    finally:
        path.write_bytes(whole)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("case.json", lambda path: path.unlink(), "cannot be read: No such file"),
        ("hu", lambda path: path.unlink(), "is missing"),
        ("search_mask", lambda path: path.unlink(), "is missing"),
        ("hu", lambda path: path.write_bytes(b""), "cannot be read as an array: No data left"),
        ("hu", cut, "cannot be read as an array: mmap length is greater than file size"),
        ("candidates", cut, "cannot be read as an array"),
        ("hu", lambda path: np.save(path, np.zeros((2, 3, 4))), "must hold int16, got float64"),
        (
            "lung_labels",
            lambda path: np.save(path, np.zeros((2, 3, 5), np.uint8)),
            r"must have shape \(2, 3, 4\), got \(2, 3, 5\)",
        ),
        (
            "nodule_mask",
            lambda path: np.save(path, np.zeros((2, 3), np.uint8)),
            r"must have shape \(2, 3, 4\), got \(2, 3\)",
        ),
        ("hu", lambda path: np.save(path, np.zeros(24, np.int16)), "must have shape"),
        (
            "candidates",
            lambda path: np.save(path, np.zeros((4, 3))),
            r"must have shape \(n, 4\), got \(4, 3\)",
        ),
    ],
)
def test_a_missing_or_damaged_file_is_refused_in_one_sentence(case, name, damage, message):
    path = case / name if name.endswith(".json") else case / f"{name}.npy"
    damage(path)
    with pytest.raises(UsageError, match=rf"{path.name}:? .*{message}.*{REMEDY}$"):
        load_case(case)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4).filter(lambda s: s != [2, 3, 4]),
    name=st.sampled_from(["hu", "lung_labels", "search_mask", "nodule_mask"]),
)
def test_an_array_of_any_other_shape_is_refused(case, shape, name):
    path = case / f"{name}.npy"
    whole = path.read_bytes()
    try:
        np.save(path, np.zeros(shape, np.load(path).dtype))
        with pytest.raises(UsageError, match="must have shape"):
            load_case(case)
    finally:
        path.write_bytes(whole)
