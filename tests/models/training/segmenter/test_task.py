import numpy as np
import pytest
import torch

from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.training.augmentation.sites import vessel_site_in
from hounsfield.models.training.segmenter.configuration import SegmenterSamplingConfig
from hounsfield.models.training.segmenter.loss import segmentation_loss
from hounsfield.models.training.segmenter.samples import SegmentationSamples
from hounsfield.models.training.train import run_training
from hounsfield.models.views.segmentation import BOUNDARY_CHANNEL, READER_STYLE_CHANNEL
from tests.models.balls import a_ball_volume
from tests.models.training.toy_material import a_case, write_segmenter_config

KINDS = ("real", "pasted", "synthetic_class", "synthetic_size")


def samples(kind, **changes):
    _, ball = a_ball_volume(9.0, shape_zyx=(9, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.rint(-850 + 890 * ball.fraction).astype(np.int16)
    finding = KnownFinding((0.0, 0.0, 0.0), 9.0)
    crop = NoduleCrop(finding, "1", "1", hu, ball.fraction, 1.0)
    probabilities = {f"{name}_probability": float(name == kind) for name in KINDS}
    sampling = SegmenterSamplingConfig(**probabilities, **changes)
    return SegmentationSamples([a_case("2")], [crop], sampling, length=9, seed=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_depends_on_its_index_alone_and_shows_its_nodule(kind):
    sample, again = samples(kind)[4], samples(kind)[4]
    assert all(torch.equal(sample[name], again[name]) for name in sample)
    assert sample["image"].shape == (2, 32, 32, 32)
    edge = (
        BOUNDARY_CHANNEL if kind in {"synthetic_class", "synthetic_size"} else READER_STYLE_CHANNEL
    )
    known, fraction = sample["known"][edge] > 0, sample["fraction"][edge]
    inside, outside = (fraction > 0.9) & known, (fraction < 0.1) & known
    assert inside.sum() > 20
    hu = sample["image"][0]
    assert hu[inside].mean() > hu[outside].mean() + 0.1


def test_a_synthetic_nodule_is_in_the_middle_without_jitter():
    shown = samples("synthetic_size", jitter_mm=0.0, size_jitter=0.0)
    for index in range(9):
        fraction = shown[index]["fraction"][BOUNDARY_CHANNEL].numpy()
        centre = np.argwhere(fraction >= 0.5).mean(axis=0)
        widest = np.ptp(np.argwhere(fraction >= 0.5), axis=0).max() + 1
        assert np.linalg.norm(centre - 15.5) < 0.35 * widest  # the lung's edge may cut it


def input_to_true_volume(part_solid_probability):
    """Volume of the sphere in the input, over that of the synthetic nodule, of nine samples."""
    shown = samples(
        "synthetic_size",
        part_solid_probability=part_solid_probability,
        ground_glass_probability=0.0,
        jitter_mm=0.0,
        size_jitter=0.0,
    )
    of_input = [float((shown[index]["image"][1] > 0.5).sum()) for index in range(9)]
    true = [float((shown[index]["fraction"][BOUNDARY_CHANNEL] >= 0.5).sum()) for index in range(9)]
    return np.divide(of_input, true)


def test_some_part_solid_nodules_are_detected_with_the_size_of_their_core():
    assert 2 <= (input_to_true_volume(1.0) < 0.65).sum() <= 7
    assert (input_to_true_volume(0.0) > 0.8).all()


def test_a_vessel_site_is_the_brightest_voxel_of_lung_nearby():
    hu = np.full((40, 40, 40), -850, np.int16)
    hu[:, 20, 20] = 30
    hu[:, :, 30:] = 60  # no lung
    lung = np.zeros(hu.shape, np.uint8)
    lung[:, 14:26, 14:26] = 1
    for seed in range(5):
        site = vessel_site_in(hu, lung, np.random.default_rng(seed))
        assert site[1:].tolist() == [20, 20]
    assert vessel_site_in(hu, np.zeros_like(lung), np.random.default_rng(0)) is None


def test_beyond_the_slices_of_a_real_nodule_the_target_is_unknown():
    known = samples("real", jitter_mm=0.0, size_jitter=0.0)[0]["known"][READER_STYLE_CHANNEL]
    slices = (known > 0).any(dim=(1, 2)).sum()
    view_mm = 2.6 * 9 / 32
    assert slices == pytest.approx(9 / view_mm, abs=1.5)


def test_the_boundary_of_a_real_nodule_is_known_outside_and_deep_inside_only():
    sample = samples("real", jitter_mm=0.0, size_jitter=0.0)[0]
    reader_style, boundary = sample["known"] > 0
    fraction = sample["fraction"][BOUNDARY_CHANNEL]
    ring = reader_style & (fraction > 0.4) & (fraction < 0.6)
    assert ring.any()
    assert not (boundary & ring).any()
    assert (boundary & (fraction > 0.9)).any()
    assert (boundary & (fraction == 0)).any()
    synthetic = samples("synthetic_class")[0]["known"]
    assert not synthetic[READER_STYLE_CHANNEL].any()
    assert synthetic[BOUNDARY_CHANNEL].all()


def test_unknown_voxels_have_neither_loss_nor_gradient():
    fraction = torch.zeros(1, 2, 8, 8, 8)
    fraction[..., :4] = 1
    known = torch.ones_like(fraction)
    logits = torch.where(fraction > 0, 9.0, -9.0)
    perfect = segmentation_loss(logits, {"fraction": fraction, "known": known})
    assert perfect["dice"] == 1
    known[..., 6:] = 0
    logits[..., 6:] = 9.0  # wrong, but unknown
    logits.requires_grad_()
    partly_known = segmentation_loss(logits, {"fraction": fraction, "known": known})
    partly_known["loss"].backward()
    assert partly_known["dice"] == 1
    assert not logits.grad[..., 6:].any()


def test_a_trained_segmenter_can_be_loaded_and_segments(tmp_path):
    out = tmp_path / "out"
    manifest = run_training(write_segmenter_config(tmp_path), out)
    assert manifest.task == "segmenter"
    assert (out / "README.md").is_file()
    segmenter = load_segmenter(out, threads=1)
    volume, _ = a_ball_volume(9.0)
    assert len(segmenter.segment(volume, [Candidate((22.0, 22.0, 22.0), 9.0, 1.0)])) == 1
