import numpy as np
import pytest

from hounsfield.models.findings import Candidate
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


def threshold_network(image):
    """Segments what is brighter than halfway from lung to tissue, the same in both channels."""
    bright = 20 * (image[:, :1] - (-405 + 1000) / 1400)
    return np.repeat(bright, 2, axis=1)


@pytest.fixture
def segmenter():
    manifest = read_manifest(model_folder("nodule_classifier"))
    return NoduleSegmenter(manifest, threshold_network)


@pytest.mark.parametrize("diameter_mm", [4.0, 20.0, 100.0])
def test_nodules_of_every_size_fill_the_same_part_of_their_view(diameter_mm):
    width_mm = VIEW_VOXELS * view_spacing_mm(diameter_mm)
    assert width_mm == max(20.0, 2.6 * diameter_mm)
    ball = 4 / 3 * np.pi * (diameter_mm / 2 / view_spacing_mm(diameter_mm)) ** 3
    assert (size_prior(diameter_mm) >= 0.5).sum() == pytest.approx(ball, rel=0.1)


def test_a_view_repeats_the_outermost_voxels_outside_the_volume():
    hu = np.full((3, 60, 60), -800, np.int16)
    hu[0], hu[-1] = -300, 200
    view = cut_view(hu, (1.0, 1.0, 1.0), (1.0, 30.0, 30.0), 8.0)
    assert (view[0] == -300).all()
    assert (view[-1] == 200).all()


@pytest.mark.parametrize("spacing_mm", [(0.6, 0.6, 1.0), (0.8, 0.8, 2.5)])
@pytest.mark.parametrize("diameter_mm", [6.0, 20.0])
def test_a_ball_keeps_its_volume_on_the_native_grid(diameter_mm, spacing_mm):
    volume, _ = a_ball_volume(diameter_mm, shape_zyx=(40, 70, 70), spacing_mm=spacing_mm)
    offsets = view_offsets_mm(diameter_mm)
    away = np.sqrt(offsets[:, None, None] ** 2 + offsets[:, None] ** 2 + offsets**2)
    edge = (diameter_mm / 2 - away) / view_spacing_mm(diameter_mm)
    probability = np.clip(0.5 + 0.5 * edge, 0, 1).astype(np.float32)
    ball = on_native_grid(probability, (19.3, 34.7, 35.0), diameter_mm, volume)
    ball_mm3 = volume_mm3(ball.fraction, volume.spacing_mm)
    assert sphere_diameter_mm(ball_mm3) == pytest.approx(diameter_mm, rel=0.02)


def test_of_several_pieces_the_one_at_the_candidate_is_kept():
    probability = np.zeros((VIEW_VOXELS,) * 3, np.float32)
    probability[14:18, 14:18, 14:18] = 0.9
    probability[:8] = 0.9  # larger, but not where the candidate is
    kept = central_piece(probability, 6.0) >= 0.5
    assert kept.sum() == 4**3
    assert not central_piece(np.full((VIEW_VOXELS,) * 3, 0.4, np.float32), 6.0).any()


def test_a_candidate_with_wrong_place_and_size_is_segmented_in_a_corrected_view(segmenter):
    volume, truth = a_ball_volume(16.0, shape_zyx=(40, 90, 90))
    centre = volume.world_mm((np.array(volume.shape_zyx) - 1)[::-1] / 2)
    wrong = Candidate((centre[0] + 4.0, centre[1], centre[2]), 9.0, 0.5)
    ((boundary, reader_style),) = segmenter.segment(volume, [wrong])
    inside = np.zeros(volume.shape_zyx, bool)
    inside[boundary.box] = boundary.mask
    assert (inside == truth.mask).mean() > 0.995
    exact = volume_mm3(truth.fraction, volume.spacing_mm)
    assert volume_mm3(boundary.fraction, volume.spacing_mm) == pytest.approx(exact, rel=0.08)
    np.testing.assert_array_equal(reader_style.fraction, boundary.fraction)


def test_a_candidate_in_plain_lung_has_no_segmentation(segmenter):
    volume, _ = a_ball_volume(6.0, inside_hu=-850)
    assert segmenter.segment(volume, [Candidate((20.0, 20.0, 20.0), 6.0, 0.5)]) == [(None, None)]


def test_without_candidates_there_is_nothing_to_segment(segmenter):
    volume, _ = a_ball_volume(6.0)
    assert segmenter.segment(volume, []) == []
