from dataclasses import replace

import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, PhantomSettings
from hounsfield.data.prepared.case import load_facts, save_case
from hounsfield.data.readers.phantoms import PhantomCase, PhantomSetConfig, read_phantoms
from hounsfield.preprocessing.errors import UsageError

TINY = PhantomSettings(shape_zyx=(56, 140, 140), spacing_mm=(2.5, 2.5, 5.0), vessel_ends=500)


def written(tmp_path, text):
    path = tmp_path / "phantoms.yaml"
    path.write_text(text)
    return path


def test_each_seed_is_a_patient_with_a_reproducible_scan(tmp_path):
    path = written(tmp_path, "first: 7\ncount: 3")
    cases = read_phantoms(path).cases
    assert [case.patient_id for case in cases] == ["phantom-7", "phantom-8", "phantom-9"]
    assert len({case.settings for case in cases}) == 3
    assert read_phantoms(path).cases == cases


def test_settings_stay_within_the_configuration_and_cover_all_slice_distances():
    phantoms = PhantomSetConfig(first=0, count=1, slice_mm={1.5: 3, 5: 1}, nodules=(2, 4))
    scans = [phantoms.case(seed).settings for seed in range(200)]
    assert {scan.nodule_count for scan in scans} == {2, 3, 4}
    thick = sum(scan.spacing_mm[2] == 5 for scan in scans)
    assert 30 < thick < 70
    assert all(1.0 <= scan.spacing_mm[0] <= 1.2 for scan in scans)
    covered = [scan.shape_zyx[0] * scan.spacing_mm[2] for scan in scans]
    assert covered == pytest.approx([330] * 200, abs=3)


def test_a_phantom_becomes_a_synthetic_case_with_its_nodules_in_place():
    case = PhantomCase(3, replace(TINY, nodule_count=2)).make()
    assert case.synthetic
    assert case.series_uid == case.patient_id == "phantom-3"
    assert len(case.findings) == 2
    for finding in case.findings:
        z, y, x = np.rint(case.volume.voxel_xyz(finding.centre_world_mm)).astype(int)[::-1]
        assert case.volume.search_mask[z, y, x]


def test_classes_have_the_configured_frequencies():
    phantoms = PhantomSetConfig(
        first=0,
        count=1,
        nodules=(5, 8),
        classes={"large_cell_carcinoma": 3, "normal": 1},
    )
    cases = [phantoms.case(seed) for seed in range(100)]
    assert cases == [phantoms.case(seed) for seed in range(100)]
    assert all(len(case.nodules) == case.settings.nodule_count for case in cases)
    histologies = [spec.histology for case in cases for spec in case.nodules]
    assert set(histologies) == {"large_cell_carcinoma", "normal"}
    assert 0.7 < np.mean([histology == "large_cell_carcinoma" for histology in histologies]) < 0.8


def test_a_prepared_phantom_keeps_the_specifications_of_its_nodules(tmp_path):
    wanted = NoduleSpec(diameter_mm=12, margin="spiculated", place="pleura")
    save_case(PhantomCase(3, TINY, (wanted,)).make(), tmp_path / "case")
    (finding,) = load_facts(tmp_path / "case").findings
    assert finding.specified == wanted


def test_the_fingerprint_changes_with_the_nodules():
    spec = NoduleSpec(diameter_mm=12)
    known = {PhantomCase(3, SMALL, nodules).fingerprint for nodules in (None, (), (spec,))}
    assert len(known) == 3


def test_the_fingerprint_changes_with_seed_and_settings():
    assert PhantomCase(3, SMALL).fingerprint != PhantomCase(4, SMALL).fingerprint
    other = replace(SMALL, nodule_count=2)
    assert PhantomCase(3, SMALL).fingerprint != PhantomCase(3, other).fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first: 7", "count: Field required"),
        ("first: 7\ncount: 0", "count: Input should be greater than 0"),
        ("first: 7\ncount: 1\nslices: 2", "slices: unknown key"),
        (
            "first: 7\ncount: 1\nnodules: [5, 2]",
            "nodules: the first number must not be above the second",
        ),
        ("first: 7\ncount: 1\nclasses: {benign: 1}", "classes: must be among adenocarcinoma"),
        ("first: [", "line 1: not YAML"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, text, message):
    with pytest.raises(UsageError, match=rf"phantoms\.yaml.*{message}"):
        read_phantoms(written(tmp_path, text))
