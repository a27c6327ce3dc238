import numpy as np
import pytest

from hounsfield.models.contracts import Candidate
from hounsfield.models.inference.segmenter import NoduleSegmenter, central_piece, on_native_grid
from hounsfield.models.measurements.size import sphere_diameter_mm, volume_mm3
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.views.segmentation import (
    VIEW_VOXELS,
    cut_view,
    size_prior,
    view_offsets_mm,
    view_spacing_mm,
)
from tests.models.balls import a_ball_volume


def looks_at_brightness(image):
    """Calls nodule what is brighter than halfway from lung to tissue."""
    bright = 20 * (image[:, :1] - (-405 + 1000) / 1400)
    return np.repeat(bright, 2, axis=1)


@pytest.fixture
def segmenter():
    manifest = read_manifest(model_folder("nodule_classifier"))
    return NoduleSegmenter(manifest, looks_at_brightness)


@pytest.mark.parametrize("diameter_mm", [4.0, 20.0, 100.0])
def test_every_nodule_fills_the_same_part_of_its_view(diameter_mm):
    width_mm = VIEW_VOXELS * view_spacing_mm(diameter_mm)
    assert width_mm == max(20.0, 2.6 * diameter_mm)
    ball = 4 / 3 * np.pi * (diameter_mm / 2 / view_spacing_mm(diameter_mm)) ** 3
    assert (size_prior(diameter_mm) >= 0.5).sum() == pytest.approx(ball, rel=0.1)


def test_a_view_repeats_the_outermost_voxels_beyond_the_array():
    hu = np.full((3, 60, 60), -800, np.int16)
    hu[0], hu[-1] = -300, 200
    view = cut_view(hu, (1.0, 1.0, 1.0), (1.0, 30.0, 30.0), 8.0)
    assert (view[0] == -300).all()
    assert (view[-1] == 200).all()


@pytest.mark.parametrize("spacing_mm", [(0.6, 0.6, 1.0), (0.8, 0.8, 2.5)])
@pytest.mark.parametrize("diameter_mm", [6.0, 20.0])
def test_a_ball_comes_back_from_the_view_with_its_volume(diameter_mm, spacing_mm):
    volume, _ = a_ball_volume(diameter_mm, shape_zyx=(40, 70, 70), spacing_mm=spacing_mm)
    offsets = view_offsets_mm(diameter_mm)
    away = np.sqrt(offsets[:, None, None] ** 2 + offsets[:, None] ** 2 + offsets**2)
    edge = (diameter_mm / 2 - away) / view_spacing_mm(diameter_mm)
    probability = np.clip(0.5 + 0.5 * edge, 0, 1).astype(np.float32)
    found = on_native_grid(probability, (19.3, 34.7, 35.0), diameter_mm, volume)
    whole = volume_mm3(found.fraction, volume.spacing_mm)
    assert sphere_diameter_mm(whole) == pytest.approx(diameter_mm, rel=0.02)


def test_of_several_pieces_the_one_in_the_middle_is_kept():
    probability = np.zeros((VIEW_VOXELS,) * 3, np.float32)
    probability[14:18, 14:18, 14:18] = 0.9
    probability[:8] = 0.9  # larger, but not where the candidate is
    kept = central_piece(probability, 6.0) >= 0.5
    assert kept.sum() == 4**3
    assert not central_piece(np.full((VIEW_VOXELS,) * 3, 0.4, np.float32), 6.0).any()


def test_a_nodule_told_at_the_wrong_place_and_size_is_looked_at_again(segmenter):
    volume, truth = a_ball_volume(16.0, shape_zyx=(40, 90, 90))
    centre = volume.world_mm((np.array(volume.shape_zyx) - 1)[::-1] / 2)
    told = Candidate((centre[0] + 4.0, centre[1], centre[2]), 9.0, 0.5)
    ((found, drawn),) = segmenter.segment(volume, [told])
    inside = np.zeros(volume.shape_zyx, bool)
    inside[found.box] = found.mask
    assert (inside == truth.mask).mean() > 0.995
    exact = volume_mm3(truth.fraction, volume.spacing_mm)
    assert volume_mm3(found.fraction, volume.spacing_mm) == pytest.approx(exact, rel=0.08)
    np.testing.assert_array_equal(drawn.fraction, found.fraction)  # the network gives both alike


def test_where_nothing_is_there_nothing_is_segmented(segmenter):
    volume, _ = a_ball_volume(6.0, inside_hu=-850)
    assert segmenter.segment(volume, [Candidate((20.0, 20.0, 20.0), 6.0, 0.5)]) == [(None, None)]
    assert segmenter.segment(volume, []) == []
