from dataclasses import replace

import numpy as np
import pytest

from hounsfield.models.contracts import Segmentation
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.rater import MalignancyRater
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.views.rating import (
    FEATURE_MEAN,
    FEATURE_SD,
    VIEW_CHANNELS,
    VIEW_VOXELS,
    nodule_features,
    rating_view,
    resample_nodule,
)
from tests.models.balls import a_ball_volume

CANDIDATE = Candidate((20.0, 20.0, 20.0), 9.0, 0.9)


def volume_from_features_mm3(image):
    """The volume that a network can read off the feature channel of a view."""
    return np.exp(image[:, 2, 0, 0, 0] * FEATURE_SD[0] + FEATURE_MEAN[0])


def logit_of_log_volume(image):
    return np.log(volume_from_features_mm3(image))[:, None] - 6


@pytest.fixture
def rater():
    manifest = read_manifest(model_folder("nodule_classifier"))
    calibration = manifest.calibration.model_copy(update={"slope": 2.0, "intercept": 1.0})
    return MalignancyRater(
        manifest.model_copy(update={"calibration": calibration}), logit_of_log_volume
    )


@pytest.mark.parametrize("diameter_mm", [4.0, 12.0, 26.0])
@pytest.mark.parametrize("spacing_mm", [(0.6, 0.6, 1.0), (0.8, 0.8, 2.5)])
def test_a_view_holds_the_whole_nodule_and_its_volume_as_a_feature(diameter_mm, spacing_mm):
    volume, outline = a_ball_volume(diameter_mm, shape_zyx=(50, 90, 90), spacing_mm=spacing_mm)
    view = rating_view(resample_nodule(volume, outline))
    edges = [view[1].take([0, -1], axis) for axis in range(3)]
    assert all((edge < 0.1).all() for edge in edges)
    ball_mm3 = np.pi / 6 * diameter_mm**3
    assert volume_from_features_mm3(view[None])[0] == pytest.approx(ball_mm3, rel=0.25)


def test_voxels_outside_the_segmented_slices_and_the_margin_do_not_change_a_view():
    volume, outline = a_ball_volume(9.0, spacing_mm=(0.7, 0.7, 2.0))
    view = rating_view(resample_nodule(volume, outline))
    z, y, x = np.nonzero(outline.mask)
    volume.hu.setflags(write=True)
    volume.hu[: z.min()] = volume.hu[z.max() + 1 :] = 3000
    volume.hu[:, : y.min() - 9] = volume.hu[:, :, x.max() + 10 :] = 3000
    assert np.array_equal(rating_view(resample_nodule(volume, outline)), view)
    assert view.shape == (VIEW_CHANNELS, *(VIEW_VOXELS,) * 3)


def test_calcium_a_chest_wall_and_spicules_change_their_feature():
    volume, outline = a_ball_volume(9.0)
    nodule = resample_nodule(volume, outline)
    plain = nodule_features(nodule)
    inside = nodule.fraction >= 0.5
    calcified = replace(nodule, hu=np.where(inside, 900, nodule.hu).astype(np.float32))
    walled = replace(nodule, hu=nodule.hu.copy())
    walled.hu[:, :, np.flatnonzero(inside.any((0, 1)))[-1] + 1 :] = 50
    spiky = replace(nodule, fraction=nodule.fraction.copy())
    spiky.fraction[:, nodule.fraction.shape[1] // 2, :-2] = 1
    for changed, feature in ((calcified, 1), (walled, 3)):
        assert nodule_features(changed)[feature] > plain[feature] + 0.5
    assert nodule_features(spiky)[2] < plain[2] - 0.5


def test_a_view_does_not_depend_on_where_the_box_of_the_segmentation_begins():
    volume, outline = a_ball_volume(9.0)
    tight = outline.mask.any((1, 2))
    first = int(np.flatnonzero(tight)[0])
    cropped = Segmentation((first, 0, 0), outline.fraction[tight])
    views = [rating_view(resample_nodule(volume, box)) for box in (outline, cropped)]
    assert np.array_equal(*views)


def test_ratings_are_calibrated_and_none_without_a_segmentation(rater):
    volume, outline = a_ball_volume(9.0)
    faint = Segmentation((3, 3, 3), np.full((2, 2, 2), 0.2, np.float32))
    outlines = [outline, None, faint]
    rated = rater.rate(volume, [CANDIDATE] * 3, outlines)
    (logit,) = rater.logits([resample_nodule(volume, outline)])
    assert rated == [pytest.approx(1 / (1 + np.exp(-(2 * logit + 1)))), None, None]
    assert rater.rate(volume, [], []) == []


def test_a_candidate_without_an_entry_for_its_segmentation_is_refused(rater):
    volume, outline = a_ball_volume(9.0)
    with pytest.raises(ValueError, match="one segmentation per candidate, got 1 for 2"):
        rater.rate(volume, [CANDIDATE] * 2, [outline])
