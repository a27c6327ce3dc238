import numpy as np

from hounsfield.preprocessing.geometry.slice_geometry import fit_stack
from hounsfield.preprocessing.geometry.stacking import (
    allocate_stack,
    finish_stack,
    finished_shape,
    stack_index,
)
from hounsfield.preprocessing.hu_rounding import AIR_HU
from tests.preprocessing.geometry.test_slice_geometry import _frames


def _finish(depths, values, **keywords):
    geometry = fit_stack(_frames(depths, **keywords))
    planes = allocate_stack(geometry, 6, 5)
    planes[...] = 9999
    for place, index in enumerate(geometry.order):
        planes[stack_index(geometry, place)] = values[index]
    volume, affine = finish_stack(planes, geometry)
    assert volume.shape == finished_shape(geometry, 6, 5)
    return volume, affine


def test_missing_slices_are_interpolated_between_their_neighbours():
    volume, _ = _finish([0, 1, 2, 5, 6], [0, 10, 20, 50, 60], thickness=[1.0] * 5)
    np.testing.assert_array_equal(volume[:, 0, 0], [0, 10, 20, 30, 40, 50, 60])


def test_uneven_slices_are_interpolated_in_depth():
    depths = np.array([0, 4, 7, 11, 15, 18.0])
    volume, affine = _finish(depths, depths * 10)
    places = affine[2, 3] + np.arange(len(volume)) * affine[2, 2]
    np.testing.assert_allclose(volume[:, 0, 0], places * 10, atol=0.5)


def test_an_even_orthogonal_stack_is_not_copied():
    geometry = fit_stack(_frames([0, 1, 2]))
    planes = allocate_stack(geometry, 6, 5)
    volume, _ = finish_stack(planes, geometry)
    assert volume is planes


def test_a_sheared_stack_keeps_every_pixel_and_holds_air_outside():
    # 0.5 mm down a column for each mm: one pixel of 0.5 mm a slice.
    volume, affine = _finish([0, 1, 2], [1, 2, 3], sideways=0.5)
    assert volume.shape == (3, 8, 5)
    np.testing.assert_array_equal(volume[:, :, 0] != AIR_HU, [
        [1, 1, 1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1, 1, 1],
    ])  # fmt: skip
    np.testing.assert_allclose(affine[:3, 3], [10, 20, 0])


def test_a_stack_sheared_upwards_begins_further_up():
    volume, affine = _finish([0, 1, 2], [1, 2, 3], sideways=-0.5)
    assert volume.shape == (3, 8, 5)
    np.testing.assert_allclose(affine[:3, 3], [10, 19, 0])
