from dataclasses import replace

import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, PhantomSettings
from hounsfield.data.prepared.case import load_facts, save_case
from hounsfield.data.readers.phantoms import PhantomCase, PhantomSetConfig, read_phantoms
from hounsfield.preprocessing.errors import UsageError

TINY = PhantomSettings(shape_zyx=(56, 140, 140), spacing_mm=(2.5, 2.5, 5.0), vessel_ends=500)


def recipe(tmp_path, text):
    path = tmp_path / "phantoms.yaml"
    path.write_text(text)
    return path


def test_each_seed_is_a_patient_with_a_scan_of_its_own_that_is_always_the_same(tmp_path):
    path = recipe(tmp_path, "first: 7\ncount: 3")
    cases = read_phantoms(path).cases
    assert [case.patient_id for case in cases] == ["phantom-7", "phantom-8", "phantom-9"]
    assert len({case.settings for case in cases}) == 3
    assert read_phantoms(path).cases == cases


def test_settings_stay_within_the_recipe_and_all_slices_are_drawn():
    wanted = PhantomSetConfig(first=0, count=1, slice_mm={1.5: 3, 5: 1}, nodules=(2, 4))
    drawn = [wanted.case(seed).settings for seed in range(200)]
    assert {one.nodule_count for one in drawn} == {2, 3, 4}
    thick = sum(one.spacing_mm[2] == 5 for one in drawn)
    assert 30 < thick < 70
    assert all(1.0 <= one.spacing_mm[0] <= 1.2 for one in drawn)
    covered = [one.shape_zyx[0] * one.spacing_mm[2] for one in drawn]
    assert covered == pytest.approx([330] * 200, abs=3)


def test_a_phantom_becomes_a_synthetic_case_with_its_nodules_in_place():
    case = PhantomCase(3, replace(TINY, nodule_count=2)).make()
    assert case.synthetic
    assert case.series_uid == case.patient_id == "phantom-3"
    assert len(case.findings) == 2
    for finding in case.findings:
        z, y, x = np.rint(case.volume.voxel_xyz(finding.centre_world_mm)).astype(int)[::-1]
        assert case.volume.search_mask[z, y, x]


def test_classes_are_drawn_as_often_as_the_recipe_says():
    wanted = PhantomSetConfig(
        first=0,
        count=1,
        nodules=(5, 8),
        classes={"large_cell_carcinoma": 3, "normal": 1},
    )
    cases = [wanted.case(seed) for seed in range(100)]
    assert cases == [wanted.case(seed) for seed in range(100)]
    assert all(len(case.nodules) == case.settings.nodule_count for case in cases)
    drawn = [spec.histology for case in cases for spec in case.nodules]
    assert set(drawn) == {"large_cell_carcinoma", "normal"}
    assert 0.7 < np.mean([one == "large_cell_carcinoma" for one in drawn]) < 0.8


def test_a_prepared_phantom_tells_what_its_nodules_were_drawn_as(tmp_path):
    wanted = NoduleSpec(diameter_mm=12, margin="spiculated", place="pleura")
    save_case(PhantomCase(3, TINY, (wanted,)).make(), tmp_path / "case")
    (finding,) = load_facts(tmp_path / "case").findings
    assert finding.specified == wanted


def test_other_nodules_make_a_phantom_anew():
    spec = NoduleSpec(diameter_mm=12)
    known = {PhantomCase(3, SMALL, nodules).fingerprint for nodules in (None, (), (spec,))}
    assert len(known) == 3


def test_other_settings_make_a_phantom_anew():
    assert PhantomCase(3, SMALL).fingerprint != PhantomCase(4, SMALL).fingerprint
    other = replace(SMALL, nodule_count=2)
    assert PhantomCase(3, SMALL).fingerprint != PhantomCase(3, other).fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first: 7", "count: Field required"),
        ("first: 7\ncount: 0", "count: Input should be greater than 0"),
        ("first: 7\ncount: 1\nslices: 2", "slices: Extra inputs"),
        ("first: 7\ncount: 1\nnodules: [5, 2]", "nodules: .* must rise"),
        ("first: 7\ncount: 1\nclasses: {benign: 1}", "classes: .* the classes are adenocarcinoma"),
        ("first: [", "is not YAML"),
    ],
)
def test_a_wrong_recipe_is_told(tmp_path, text, message):
    with pytest.raises(UsageError, match=rf"phantoms\.yaml.*{message}"):
        read_phantoms(recipe(tmp_path, text))
