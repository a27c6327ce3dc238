"""Resampling reproduces linear fields, agrees with ITK, and averages noise when it coarsens."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK

from hounsfield.preprocessing.geometry.resampling import interpolation_matrix, resample_separable
from hounsfield.preprocessing.hu_rounding import AIR_HU


def _ramp(shape=(9, 12, 15)):
    z, y, x = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    return (100 * z - 20 * y + 8 * x).astype(np.int16)


@pytest.mark.parametrize("step_x", [0.4, 1.25, 1.7, 2.86, 5.0])
def test_a_linear_field_is_reproduced_at_any_step(step_x):
    positions = (np.array([0.5, 1.25, 2.0]), np.arange(0.25, 11, 0.5), np.arange(0, 14, step_x))
    z, y, x = np.meshgrid(*positions, indexing="ij")
    resampled = resample_separable(_ramp(), positions)
    assert np.abs(resampled - (100 * z - 20 * y + 8 * x)).max() <= 0.501


def test_uneven_positions_are_resampled_to_even_ones():
    true_mm = np.array([0.0, 1.0, 3.0, 4.0, 8.0])
    hu = np.broadcast_to((10 * true_mm)[:, None, None], (5, 3, 3)).astype(np.int16)
    wanted_mm = np.arange(0, 8.5, 0.5)
    index = np.interp(wanted_mm, true_mm, np.arange(5))
    resampled = resample_separable(hu, (index, np.arange(3), np.arange(3)))
    assert np.array_equal(resampled[:, 1, 1], 10 * wanted_mm)


def test_half_a_voxel_beyond_the_edge_keeps_its_value_and_farther_is_air():
    hu = np.full((2, 2, 4), 70, dtype=np.int16)
    x = np.array([-0.6, -0.5, 0.0, 3.5, 3.6])
    resampled = resample_separable(hu, (np.arange(2), np.arange(2), x))
    assert resampled[0, 0].tolist() == [AIR_HU, 70, 70, 70, AIR_HU]


def test_agrees_with_simpleitk_within_its_rounding():
    hu = np.random.default_rng(0).integers(-1000, 1000, (20, 30, 40)).astype(np.int16)
    image = SimpleITK.GetImageFromArray(hu)
    image.SetSpacing((0.703, 0.703, 1.11))
    sizes = [
        int(size * spacing) for size, spacing in zip((40, 30, 20), image.GetSpacing(), strict=True)
    ]
    grid = SimpleITK.Image(sizes, SimpleITK.sitkInt16)
    theirs = SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkLinear)
    x, y, z = (np.arange(n) / step for n, step in zip(sizes, image.GetSpacing(), strict=True))
    ours = resample_separable(hu, (z, y, x))
    # ITK truncates towards zero; this project rounds to the nearest.
    assert np.abs(SimpleITK.GetArrayFromImage(theirs).astype(int) - ours).max() <= 1


def test_threads_do_not_change_the_result():
    hu = np.random.default_rng(1).integers(-1000, 1000, (17, 20, 20)).astype(np.int16)
    positions = (np.arange(0, 16, 0.7), np.arange(0, 19, 2.5), np.arange(0, 19, 0.5))
    in_one_thread = resample_separable(hu, positions, threads=1)
    assert np.array_equal(in_one_thread, resample_separable(hu, positions, threads=3))


def test_views_with_any_strides_are_accepted():
    hu = _ramp()
    positions = (np.arange(0, 14, 1.3), np.arange(0, 11, 0.9), np.arange(0, 8, 0.7))
    view = np.flip(hu.transpose(2, 1, 0), 1)
    resampled = resample_separable(view, positions)
    assert np.array_equal(resampled, resample_separable(np.ascontiguousarray(view), positions))


def test_a_much_coarser_grid_averages_noise_away():
    hu = np.random.default_rng(2).normal(0, 100, (4, 400, 400)).astype(np.int16)
    fine_step, coarse_step = np.arange(10, 390, 1.42), np.arange(10, 390, 2.86)
    slices = np.arange(4)
    at_070_mm = resample_separable(hu, (slices, fine_step, fine_step)).std()
    at_035_mm = resample_separable(hu, (slices, coarse_step, coarse_step)).std()
    assert at_070_mm == pytest.approx(67, abs=3)
    assert at_035_mm < 40


def test_each_row_of_the_matrix_sums_to_one_at_any_step():
    for step in (0.3, 1.0, 1.5, 2.86, 7.0):
        matrix = interpolation_matrix(np.arange(0, 50, step), 50)
        assert matrix.sum(axis=1) == pytest.approx(1)


def test_decreasing_positions_are_refused():
    with pytest.raises(ValueError, match="positions of axis y must be 1D and not decrease"):
        resample_separable(_ramp(), (np.arange(3), np.array([2.0, 1.0]), np.arange(3)))
