import numpy as np
import pytest
import torch
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.loading import load_rater
from hounsfield.models.training.rater.configuration import RaterSamplingConfig
from hounsfield.models.training.rater.samples import RatingSamples
from hounsfield.models.training.train import run_training
from hounsfield.models.views.rating import FEATURE_SD
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume
from tests.models.balls import a_ball_volume
from tests.models.training.prepared_folder import write_prepared_folder
from tests.models.training.toy_training import toy_optimisation

TARGETS = (0.1, 0.2, None, 0.8, 0.9)


def a_crop(rating, diameter_mm=9.0):
    _, ball = a_ball_volume(diameter_mm, shape_zyx=(24, 30, 30), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.rint(-850 + 890 * ball.fraction).astype(np.int16)
    finding = KnownFinding((0.0, 0.0, 0.0), diameter_mm, malignancy=rating)
    return NoduleCrop(finding, "1", "1", hu, ball.fraction, 1.0)


def test_a_sample_depends_on_its_index_alone_and_has_the_target_of_its_rating():
    nodules = [a_crop(rating) for rating in (1.0, 3.0, 5.0)]
    samples = RatingSamples(nodules, RaterSamplingConfig(targets=TARGETS), length=20, seed=1)
    assert torch.equal(samples[7]["image"], samples[7]["image"])
    targets = {round(float(sample["target"][0]), 3) for sample in samples}
    assert targets == {0.1, 0.9}


def test_nodules_whose_rating_has_no_target_are_refused():
    with pytest.raises(
        UsageError, match=r"rating has a target in sampling\.targets, got none among 1"
    ):
        RatingSamples([a_crop(3.0)], RaterSamplingConfig(targets=TARGETS), length=1, seed=1)


def test_augmentation_does_not_change_the_measured_size():
    sampling = RaterSamplingConfig(targets=TARGETS, outline_variation_probability=0.0)
    sizes = []
    for diameter_mm in (6.0, 12.0):
        samples = RatingSamples([a_crop(5.0, diameter_mm)], sampling, length=8, seed=1)
        images = torch.stack([sample["image"] for sample in samples])
        sizes.append(images[:, 2, 0, 0, 0])
    assert min(sizes[1]) > max(sizes[0])
    assert float(sizes[1].mean() - sizes[0].mean()) == pytest.approx(
        np.log(8) / FEATURE_SD[0], rel=0.2
    )


def test_a_trained_rater_gives_the_same_rating_with_either_backend(tmp_path):
    cases = []
    for index in range(6):
        crop = a_crop(5.0 if index % 2 else 1.0)
        uid = str(index)
        ones = np.ones(crop.hu.shape, bool)
        volume = WorkingVolume(crop.hu, ones.astype(np.uint8), ones, np.eye(4))
        mask = np.rint(255 * crop.mask).astype(np.uint8)
        cases.append(
            PreparedCase(uid, uid, volume, (crop.finding,), synthetic=False, nodule_mask=mask)
        )
    write_prepared_folder(tmp_path / "nodules", "nodule-crops", cases, cases_per_fold=2)
    settings = {
        "task": "rater",
        "name": "toy_rater",
        "seed": 1,
        "network": {"widths": [4, 4, 4, 4]},
        "sampling": {"targets": list(TARGETS)},
        "optimisation": toy_optimisation(steps=2, batch=2, validation_samples=2).model_dump(),
        "data": {"nodules": [str(tmp_path / "nodules")]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    manifest = run_training(tmp_path / "config.yaml", tmp_path / "out")
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
