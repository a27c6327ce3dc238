import numpy as np

from hounsfield.models.training.augmentation.degradation import degrade, thick_slices


def test_thick_slices_average_what_they_cover():
    hu = np.zeros((30, 2, 2), np.float32)
    hu[15] = 300
    thick = thick_slices(hu, 3, 0)
    assert thick.shape == hu.shape
    assert thick.max() == 100
    assert np.count_nonzero(thick[:, 0, 0]) <= 6


def test_a_constant_stays_constant_under_thick_slices():
    hu = np.full((17, 3, 3), -850, np.float32)
    assert np.allclose(thick_slices(hu, 4, 3), -850)


def test_degradation_depends_on_the_generator_alone():
    hu = np.random.default_rng(0).normal(-800, 50, (16, 16, 16)).astype(np.float32)
    first, again = (degrade(hu.copy(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
