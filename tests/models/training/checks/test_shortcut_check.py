from dataclasses import replace

import numpy as np
import pytest

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.models.training.checks.shortcut_check import background_features, check_shortcut
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume


def a_case(seed, *, noise_hu):
    shape = (40, 40, 40)
    hu = -850 + np.random.default_rng(seed).normal(0, noise_hu, shape)
    lung = np.full(shape, RIGHT_LUNG, np.uint8)
    volume = WorkingVolume(np.rint(hu).astype(np.int16), lung, lung > 0, np.eye(4))
    finding = KnownFinding((20.0, 20.0, 20.0), 10.0)
    return PreparedCase(str(seed), str(seed), volume, (finding,), synthetic=False)


def check_of(noise_hu):
    """The check of series with these deviations of noise, the second half of them with cancer."""
    cases = [a_case(seed, noise_hu=noise) for seed, noise in enumerate(noise_hu)]
    return check_shortcut(
        np.array([background_features(case) for case in cases]),
        np.arange(len(cases)) >= len(cases) // 2,
        np.array([case.patient_id for case in cases]),
    )


def test_cancers_from_a_noisier_scanner_are_a_shortcut():
    rng = np.random.default_rng(1)
    check = check_of([*rng.uniform(10, 25, 16), *rng.uniform(20, 40, 16)])
    assert check.is_shortcut
    assert check.auroc > 0.8
    assert (check.cancers, check.normals) == (16, 16)


def test_the_same_scanners_for_both_classes_are_no_shortcut():
    check = check_of(np.random.default_rng(2).uniform(10, 40, 32))
    assert not check.is_shortcut
    low, high = check.interval_95
    assert low < check.auroc < high


def test_a_patient_is_never_in_training_and_test_fold_at_once():
    """Else two similar series of each patient would be classified by the patient alone."""
    rng = np.random.default_rng(3)
    features = np.repeat(rng.normal(size=(24, 4)), 2, axis=0)
    patients = np.repeat([str(k) for k in range(24)], 2)
    check = check_shortcut(features, np.repeat(np.arange(24) % 2 == 0, 2), patients)
    assert check.auroc < 0.75


def test_too_few_patients_are_not_checked():
    assert check_shortcut(np.zeros((6, 2)), np.arange(6) > 2, np.arange(6).astype(str)) is None


def test_a_series_without_lungs_is_measured_in_its_corners():
    noise = []
    for noise_hu in (10, 30):
        case = a_case(1, noise_hu=noise_hu)
        without_lungs = replace(case.volume, lung_labels=np.zeros_like(case.volume.lung_labels))
        noise.append(background_features(replace(case, volume=without_lungs))[1])
    assert np.expm1(noise) == pytest.approx([10, 30], rel=0.1)
