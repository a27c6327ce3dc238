from dataclasses import replace

import numpy as np
import pytest

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.models.training.checks.shortcut_check import background_features, scanner_trap
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume


def a_case(seed, *, noise_hu):
    shape = (40, 40, 40)
    hu = -850 + np.random.default_rng(seed).normal(0, noise_hu, shape)
    lung = np.full(shape, RIGHT_LUNG, np.uint8)
    volume = WorkingVolume(np.rint(hu).astype(np.int16), lung, lung > 0, np.eye(4))
    finding = KnownFinding((20.0, 20.0, 20.0), 10.0)
    return PreparedCase(str(seed), str(seed), volume, (finding,), synthetic=False)


def trap_of(noise_hu):
    """Series with these deviations of noise, the second half of them with cancer."""
    cases = [a_case(seed, noise_hu=noise) for seed, noise in enumerate(noise_hu)]
    return scanner_trap(
        np.array([background_features(case) for case in cases]),
        np.arange(len(cases)) >= len(cases) // 2,
        np.array([case.patient_id for case in cases]),
    )


def test_cancers_from_a_noisier_scanner_are_told_by_their_noise():
    rng = np.random.default_rng(1)
    trap = trap_of([*rng.uniform(10, 25, 16), *rng.uniform(20, 40, 16)])
    assert trap.found
    assert trap.auroc > 0.8
    assert (trap.cancers, trap.normals) == (16, 16)


def test_where_both_come_from_the_same_scanners_no_trap_is_found():
    trap = trap_of(np.random.default_rng(2).uniform(10, 40, 32))
    assert not trap.found
    low, high = trap.interval_95
    assert low < trap.auroc < high


def test_a_scanner_s_patients_are_never_on_both_sides():
    """Two series of each patient that look alike would be told apart by the patient alone."""
    rng = np.random.default_rng(3)
    features = np.repeat(rng.normal(size=(24, 4)), 2, axis=0)
    patients = np.repeat([str(k) for k in range(24)], 2)
    trap = scanner_trap(features, np.repeat(np.arange(24) % 2 == 0, 2), patients)
    assert trap.auroc < 0.75


def test_few_patients_tell_nothing():
    assert scanner_trap(np.zeros((6, 2)), np.arange(6) > 2, np.arange(6).astype(str)) is None


def test_a_series_without_lungs_shows_the_noise_of_its_corners():
    noise = []
    for noise_hu in (10, 30):
        case = a_case(1, noise_hu=noise_hu)
        bare = replace(case.volume, lung_labels=np.zeros_like(case.volume.lung_labels))
        noise.append(background_features(replace(case, volume=bare))[1])
    assert np.expm1(noise) == pytest.approx([10, 30], rel=0.1)
