import numpy as np
import pytest

from hounsfield.models.measurements.size import (
    axial_axes,
    long_axis_by_moments_mm,
    sphere_diameter_mm,
    volume_mm3,
)
from tests.models.balls import ellipsoid_fraction


@pytest.mark.parametrize("spacing_mm", [(0.7, 0.7, 1.0), (0.6, 0.6, 2.5), (1.0, 1.0, 1.0)])
def test_a_ball_has_its_volume_and_diameter_on_any_grid(spacing_mm):
    fraction = ellipsoid_fraction((16, 40, 40), spacing_mm, (9.0, 12.0, 12.0), (5.0, 5.0, 5.0))
    volume = volume_mm3(fraction, spacing_mm)
    assert volume == pytest.approx(4 / 3 * np.pi * 125, rel=0.02)
    assert sphere_diameter_mm(volume) == pytest.approx(10.0, abs=0.1)


def test_axes_are_measured_on_the_slice_where_the_nodule_is_longest():
    spacing_mm = (0.7, 0.7, 1.0)
    fraction = ellipsoid_fraction((30, 60, 60), spacing_mm, (14.0, 20.0, 20.0), (8.0, 4.0, 7.0))
    axes = axial_axes(fraction, spacing_mm)
    assert axes.long_mm == pytest.approx(14.0, abs=0.4)
    assert axes.short_mm == pytest.approx(8.0, abs=0.4)
    assert axes.slice_index == 14
    assert axes.mean_mm == (axes.long_mm + axes.short_mm) / 2


def test_the_short_axis_is_perpendicular_to_an_oblique_long_axis():
    y, x = np.mgrid[:60, :60] - 30.0
    along, across = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)
    fraction = ((along / 20) ** 2 + (across / 8) ** 2 <= 1).astype(np.float32)[None]
    axes = axial_axes(fraction, (1.0, 1.0, 1.0))
    assert axes.long_mm == pytest.approx(40.0, abs=1.0)
    assert axes.short_mm == pytest.approx(16.0, abs=1.0)


def test_a_nodule_without_a_voxel_that_is_half_nodule_has_no_axes():
    assert axial_axes(np.full((2, 5, 5), 0.4, np.float32), (1.0, 1.0, 1.0)) is None


@pytest.mark.parametrize("radii", [(8, 8, 8), (6, 8, 14), (20, 7, 9)])
def test_the_long_axis_by_moments_is_that_of_an_ellipsoid(radii):
    z, y, x = np.ogrid[-25:26, -25:26, -25:26]
    inside = (z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2 <= 1
    axis_mm = long_axis_by_moments_mm(np.argwhere(inside), 3.0)
    assert axis_mm == pytest.approx(2 * max(radii) * 3.0, rel=0.03)


@pytest.mark.parametrize("spacing_mm", np.linspace(0.5, 1.0, 26).tolist())
def test_of_two_slices_of_one_length_the_first_is_measured_whatever_the_spacing(spacing_mm):
    fraction = np.zeros((2, 11, 20), np.float32)
    fraction[0, 5, 1:10] = fraction[1, 5, 8:17] = 1
    fraction[0, 4:7, 5] = fraction[1, 3:8, 12] = 1
    axes = axial_axes(fraction, (spacing_mm, spacing_mm, 1.0))
    assert axes.slice_index == 0
    assert axes.short_mm == pytest.approx(3 * spacing_mm)
