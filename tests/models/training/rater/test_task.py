import numpy as np
import pytest
import torch
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase, save_case
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest
from hounsfield.models.contracts import Candidate
from hounsfield.models.inference.loading import load_rater
from hounsfield.models.training.rater.samples import RaterSamplingConfig, RatingSamples
from hounsfield.models.training.rater.task import fitted_calibration
from hounsfield.models.training.train import run_training
from hounsfield.models.views.rating import FEATURE_SD
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume
from tests.models.balls import a_ball_volume
from tests.models.training.toy_training import toy_plan

TARGETS = (0.1, 0.2, None, 0.8, 0.9)


def a_crop(rating, diameter_mm=9.0):
    _, ball = a_ball_volume(diameter_mm, shape_zyx=(24, 30, 30), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.rint(-850 + 890 * ball.share).astype(np.int16)
    finding = KnownFinding((0.0, 0.0, 0.0), diameter_mm, malignancy=rating)
    return NoduleCrop(finding, "1", "1", hu, ball.share, 1.0)


def test_a_sample_depends_on_its_index_alone_and_has_the_target_of_its_rating():
    nodules = [a_crop(rating) for rating in (1.0, 3.0, 5.0)]
    samples = RatingSamples(nodules, RaterSamplingConfig(TARGETS), length=20, seed=1)
    one, other = samples[7], samples[7]
    assert torch.equal(one["image"], other["image"])
    taught = {round(float(sample["target"][0]), 3) for sample in samples}
    assert taught == {0.1, 0.9}


def test_nodules_of_no_taught_rating_are_no_material():
    with pytest.raises(UsageError, match="none among 1"):
        RatingSamples([a_crop(3.0)], RaterSamplingConfig(TARGETS), length=1, seed=1)


def test_the_size_is_told_whatever_the_augmentation():
    plan = RaterSamplingConfig(TARGETS, redrawn=0.0)
    sizes = []
    for diameter_mm in (6.0, 12.0):
        samples = RatingSamples([a_crop(5.0, diameter_mm)], plan, length=8, seed=1)
        images = torch.stack([sample["image"] for sample in samples])
        sizes.append(images[:, 2, 0, 0, 0])
    assert min(sizes[1]) > max(sizes[0])
    assert float(sizes[1].mean() - sizes[0].mean()) == pytest.approx(
        np.log(8) / FEATURE_SD[0], rel=0.2
    )


def test_a_calibration_brings_too_sure_an_answer_back():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    suspicious = rng.random(4000) < 1 / (1 + np.exp(-logits))
    line = fitted_calibration(3 * logits + 2, suspicious)
    back = line.slope * (3 * logits + 2) + line.intercept
    assert np.abs(back - logits).mean() < 0.25


def test_a_recipe_becomes_a_model_that_rates(tmp_path):
    entries = []
    for index in range(6):
        crop = a_crop(5.0 if index % 2 else 1.0)
        uid = str(index)
        ones = np.ones(crop.hu.shape, bool)
        volume = WorkingVolume(crop.hu, ones.astype(np.uint8), ones, np.eye(4))
        mask = np.rint(255 * crop.mask).astype(np.uint8)
        case = PreparedCase(uid, uid, volume, (crop.finding,), synthetic=False, nodule_mask=mask)
        save_case(case, tmp_path / "nodules" / "cases" / uid)
        entry = {"series_uid": uid, "patient_id": uid, "voxels_sha256": uid, "fold": index // 2}
        entries.append(SplitEntry(case=f"cases/{uid}", **entry))
    split = SplitManifest(dataset="nodule-crops", folds=3, series=tuple(entries))
    (tmp_path / "nodules" / "split.json").write_text(split.model_dump_json())
    settings = {
        "task": "rater",
        "name": "toy_rater",
        "seed": 1,
        "network": {"widths": [4, 4, 4, 4]},
        "sampling": {"targets": list(TARGETS)},
        "optimisation": toy_plan(steps=2, batch=2, validation_samples=2).model_dump(),
        "data": {"nodules": [str(tmp_path / "nodules")]},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings))
    manifest = run_training(tmp_path / "recipe.yaml", tmp_path / "out")
    assert manifest.task == "rater"
    volume, outline = a_ball_volume(9.0)
    candidate = Candidate((20.0, 20.0, 20.0), 9.0, 0.9)
    ratings = [
        load_rater(tmp_path / "out", threads=1, runtime=runtime).rate(
            volume, [candidate], [outline]
        )[0]
        for runtime in ("torch", "openvino")
    ]
    assert 0 < ratings[0] < 1
    assert ratings[0] == pytest.approx(ratings[1], abs=1e-4)
