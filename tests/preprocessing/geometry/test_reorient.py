"""An upright volume depends on the patient alone, not on how the array is stored."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.preprocessing.geometry.reorient import (
    Reorientation,
    reoriented,
    to_upright,
    upright,
    upright_view,
)
from tests.preprocessing.volumes import AXIAL, make_volume, rotation

EVERY = [
    Reorientation(order, tuple(axis for axis in range(3) if flips[axis]))
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3))
]
storage = st.sampled_from(EVERY)
angle = st.one_of(st.floats(-180, 180), st.sampled_from([-90.0, -45.0, 0.0, 45.0, 90.0]))


def a_volume(directions=AXIAL):
    return make_volume(directions, shape_zyx=(3, 4, 5), spacing_mm=(0.7, 0.9, 2.5))


@given(storage, angle, angle, angle)
def test_one_scan_is_one_upright_volume_however_it_is_stored(stored, x, y, z):
    volume = a_volume(rotation(x, y, z))
    first, again = upright(volume), upright(reoriented(volume, stored))
    assert np.array_equal(again.hu, first.hu)
    assert np.allclose(again.affine, first.affine, atol=1e-9)


@given(storage, angle, angle, angle)
def test_an_upright_grid_is_right_handed_and_less_than_63_degrees_off(stored, x, y, z):
    affine = upright(reoriented(a_volume(rotation(x, y, z)), stored)).affine
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    assert np.linalg.det(directions) == pytest.approx(1)
    assert (np.trace(directions) - 1) / 2 > np.cos(np.radians(63))


@given(storage)
def test_a_voxel_keeps_its_place_in_the_patient(stored):
    volume = a_volume()
    again = reoriented(volume, stored)
    for voxel in product(range(5), range(4), range(3)):
        x, y, z = np.rint(again.voxel_xyz(volume.world_mm(voxel))).astype(int)
        assert again.hu[z, y, x] == volume.hu[voxel[::-1]]


def test_an_upright_volume_is_not_copied():
    volume = a_volume(rotation(10, 20, 30))
    assert upright(volume) is volume
    assert np.shares_memory(upright(reoriented(volume, EVERY[-1])).hu, volume.hu)


def test_the_affine_of_an_upright_view_may_be_written_to():
    volume = a_volume()
    _, affine = upright_view(volume)
    affine[0, 3] += 1
    assert affine[0, 3] != volume.affine[0, 3]


@given(storage)
def test_what_is_written_into_an_upright_view_lands_at_its_place(stored):
    volume = reoriented(a_volume(), stored)
    labels = np.zeros(volume.shape_zyx, np.uint8)
    to_upright(volume.affine).view(labels)[2, 1, 3] = 7
    x, y, z = np.rint(volume.voxel_xyz(upright(volume).world_mm((3, 1, 2)))).astype(int)
    assert labels[z, y, x] == 7
    assert labels.sum() == 7


def test_filled_slices_are_those_of_the_native_grid_alone():
    volume = replace(a_volume(), filled_slices=(1,))
    assert upright(volume).filled_slices == (1,)
    assert reoriented(volume, EVERY[-1]).filled_slices == ()
