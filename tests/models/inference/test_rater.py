from dataclasses import replace

import numpy as np
import pytest

from hounsfield.models.contracts import Candidate, Segmentation
from hounsfield.models.inference.rater import MalignancyRater
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.views.rating import (
    FEATURE_MEAN,
    FEATURE_SD,
    VIEW_CHANNELS,
    VIEW_VOXELS,
    measures,
    rating_view,
    resample_nodule,
)
from tests.models.balls import a_ball_volume

CANDIDATE = Candidate((20.0, 20.0, 20.0), 9.0, 0.9)


def outlined_volume_mm3(image):
    """What a network can read off a view about the size."""
    return np.exp(image[:, 2, 0, 0, 0] * FEATURE_SD[0] + FEATURE_MEAN[0])


def logit_of_log_volume(image):
    return np.log(outlined_volume_mm3(image))[:, None] - 6


@pytest.fixture
def rater():
    manifest = read_manifest(model_folder("nodule_classifier"))
    calibration = manifest.calibration.model_copy(update={"slope": 2.0, "intercept": 1.0})
    return MalignancyRater(
        manifest.model_copy(update={"calibration": calibration}), logit_of_log_volume
    )


@pytest.mark.parametrize("diameter_mm", [4.0, 12.0, 26.0])
@pytest.mark.parametrize("spacing_mm", [(0.6, 0.6, 1.0), (0.8, 0.8, 2.5)])
def test_a_view_holds_the_whole_nodule_and_tells_its_size(diameter_mm, spacing_mm):
    volume, outline = a_ball_volume(diameter_mm, shape_zyx=(50, 90, 90), spacing_mm=spacing_mm)
    view = rating_view(resample_nodule(volume, outline))
    edges = [view[1].take([0, -1], axis) for axis in range(3)]
    assert all((edge < 0.1).all() for edge in edges)
    ball_mm3 = np.pi / 6 * diameter_mm**3
    assert outlined_volume_mm3(view[None])[0] == pytest.approx(ball_mm3, rel=0.25)


def test_what_lies_beyond_the_outlined_slices_and_the_margin_is_not_seen():
    volume, outline = a_ball_volume(9.0, spacing_mm=(0.7, 0.7, 2.0))
    view = rating_view(resample_nodule(volume, outline))
    z, y, x = np.nonzero(outline.mask)
    volume.hu.setflags(write=True)
    volume.hu[: z.min()] = volume.hu[z.max() + 1 :] = 3000
    volume.hu[:, : y.min() - 9] = volume.hu[:, :, x.max() + 10 :] = 3000
    assert np.array_equal(rating_view(resample_nodule(volume, outline)), view)
    assert view.shape == (VIEW_CHANNELS, *(VIEW_VOXELS,) * 3)


def test_calcium_spicules_and_a_wall_are_measured():
    volume, outline = a_ball_volume(9.0)
    nodule = resample_nodule(volume, outline)
    plain = measures(nodule)
    inside = nodule.fraction >= 0.5
    calcified = replace(nodule, hu=np.where(inside, 900, nodule.hu).astype(np.float32))
    walled = replace(nodule, hu=nodule.hu.copy())
    walled.hu[:, :, np.flatnonzero(inside.any((0, 1)))[-1] + 1 :] = 50
    spiky = replace(nodule, fraction=nodule.fraction.copy())
    spiky.fraction[:, nodule.fraction.shape[1] // 2, :-2] = 1
    for changed, measure in ((calcified, 1), (walled, 3)):
        assert measures(changed)[measure] > plain[measure] + 0.5
    assert measures(spiky)[2] < plain[2] - 0.5


def test_a_nodule_is_seen_alike_wherever_its_box_begins():
    volume, outline = a_ball_volume(9.0)
    tight = outline.mask.any((1, 2))
    first = int(np.flatnonzero(tight)[0])
    closely = Segmentation((first, 0, 0), outline.fraction[tight])
    one, other = (rating_view(resample_nodule(volume, shown)) for shown in (outline, closely))
    assert np.array_equal(one, other)


def test_the_calibration_is_applied_and_what_has_no_outline_is_not_rated(rater):
    volume, outline = a_ball_volume(9.0)
    nothing = Segmentation((3, 3, 3), np.full((2, 2, 2), 0.2, np.float32))
    outlines = [outline, None, nothing]
    rated = rater.rate(volume, [CANDIDATE] * 3, outlines)
    (logit,) = rater.logits([resample_nodule(volume, outline)])
    assert rated == [pytest.approx(1 / (1 + np.exp(-(2 * logit + 1)))), None, None]
    assert rater.rate(volume, [], []) == []


def test_an_outline_a_candidate_is_asked_for(rater):
    volume, outline = a_ball_volume(9.0)
    with pytest.raises(ValueError, match="an outline a candidate, got 1, 2"):
        rater.rate(volume, [CANDIDATE] * 2, [outline])
