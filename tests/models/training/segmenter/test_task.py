import numpy as np
import pytest
import torch

from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.contracts import Candidate
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.training.augmentation.sites import vessel_site_in
from hounsfield.models.training.segmenter.samples import (
    SegmentationSamples,
    SegmenterSamplingConfig,
)
from hounsfield.models.training.segmenter.task import segmentation_loss
from hounsfield.models.training.train import run_training
from hounsfield.models.views.segmentation import BOUNDARY_CHANNEL, READER_STYLE_CHANNEL
from tests.models.balls import a_ball_volume
from tests.models.training.toy_material import a_case, a_segmenter_recipe

ONLY = {
    name: {**dict.fromkeys(("real", "pasted", "painted", "plain"), 0.0), name: 1.0}
    for name in ("real", "pasted", "painted", "plain")
}


def samples(kind, **changes):
    _, ball = a_ball_volume(9.0, shape_zyx=(9, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.rint(-850 + 890 * ball.share).astype(np.int16)
    finding = KnownFinding((0.0, 0.0, 0.0), 9.0)
    crop = NoduleCrop(finding, "1", "1", hu, ball.share, 1.0)
    plan = SegmenterSamplingConfig(**ONLY[kind], **changes)
    return SegmentationSamples([a_case("2")], [crop], plan, length=9, seed=3)


@pytest.mark.parametrize("kind", list(ONLY))
def test_a_sample_depends_on_its_index_alone_and_shows_its_nodule(kind):
    one, other = samples(kind)[4], samples(kind)[4]
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["image"].shape == (2, 32, 32, 32)
    edge = BOUNDARY_CHANNEL if kind in {"painted", "plain"} else READER_STYLE_CHANNEL
    known, share = one["known"][edge] > 0, one["share"][edge]
    inside, outside = (share > 0.9) & known, (share < 0.1) & known
    assert inside.sum() > 20
    hu = one["image"][0]
    assert hu[inside].mean() > hu[outside].mean() + 0.1


def test_a_digital_nodule_lies_where_it_is_told_wherever_its_kind_lies():
    shown = samples("plain", jitter_mm=0.0, size_jitter=0.0)
    for index in range(9):
        share = shown[index]["share"][BOUNDARY_CHANNEL].numpy()
        centre = np.argwhere(share >= 0.5).mean(axis=0)
        widest = np.ptp(np.argwhere(share >= 0.5), axis=0).max() + 1
        assert np.linalg.norm(centre - 15.5) < 0.35 * widest  # the lung's edge may cut it


def told_over_true(part_solid):
    """Volumes of the balls that are told, over those of the digital nodules."""
    exact_sizes = {"jitter_mm": 0.0, "size_jitter": 0.0, "ground_glass": 0.0}
    shown = samples("plain", part_solid=part_solid, **exact_sizes)
    told = [float((shown[index]["image"][1] > 0.5).sum()) for index in range(9)]
    true = [float((shown[index]["share"][BOUNDARY_CHANNEL] >= 0.5).sum()) for index in range(9)]
    return np.divide(told, true)


def test_some_part_solid_nodules_are_told_as_little_more_than_their_core_and_some_whole():
    assert 2 <= (told_over_true(part_solid=1.0) < 0.65).sum() <= 7
    assert (told_over_true(part_solid=0.0) > 0.8).all()


def test_a_site_on_a_vessel_is_the_brightest_near():
    hu = np.full((40, 40, 40), -850, np.int16)
    hu[:, 20, 20] = 30
    hu[:, :, 30:] = 60  # no lung
    lung = np.zeros(hu.shape, np.uint8)
    lung[:, 14:26, 14:26] = 1
    for seed in range(5):
        site = vessel_site_in(hu, lung, np.random.default_rng(seed))
        assert site[1:].tolist() == [20, 20]
    assert vessel_site_in(hu, np.zeros_like(lung), np.random.default_rng(0)) is None


def test_beyond_the_slices_of_a_real_crop_nothing_is_known():
    known = samples("real", jitter_mm=0.0, size_jitter=0.0)[0]["known"][READER_STYLE_CHANNEL]
    slices = (known > 0).any(dim=(1, 2)).sum()
    view_mm = 2.6 * 9 / 32
    assert slices == pytest.approx(9 / view_mm, abs=1.5)


def test_of_a_real_nodule_the_true_edge_is_known_outside_and_deep_inside_alone():
    one = samples("real", jitter_mm=0.0, size_jitter=0.0)[0]
    drawn, exact = one["known"] > 0
    share = one["share"][BOUNDARY_CHANNEL]
    ring = drawn & (share > 0.4) & (share < 0.6)
    assert ring.any()
    assert not (exact & ring).any()
    assert (exact & (share > 0.9)).any()
    assert (exact & (share == 0)).any()
    painted = samples("painted")[0]["known"]
    assert not painted[READER_STYLE_CHANNEL].any()
    assert painted[BOUNDARY_CHANNEL].all()


def test_what_is_not_known_costs_nothing():
    share = torch.zeros(1, 2, 8, 8, 8)
    share[..., :4] = 1
    known = torch.ones_like(share)
    logits = torch.where(share > 0, 9.0, -9.0)
    perfect = segmentation_loss(logits, {"share": share, "known": known})
    assert perfect["dice"] == 1
    known[..., 6:] = 0
    logits[..., 6:] = 9.0  # wrong, but unknown
    logits.requires_grad_()
    still = segmentation_loss(logits, {"share": share, "known": known})
    still["loss"].backward()
    assert still["dice"] == 1
    assert not logits.grad[..., 6:].any()


def test_a_recipe_becomes_a_model_that_segments(tmp_path):
    out = tmp_path / "out"
    manifest = run_training(a_segmenter_recipe(tmp_path), out)
    assert manifest.task == "segmenter"
    assert (out / "README.md").is_file()
    segmenter = load_segmenter(out, threads=1)
    volume, _ = a_ball_volume(9.0)
    assert len(segmenter.segment(volume, [Candidate((22.0, 22.0, 22.0), 9.0, 1.0)])) == 1
