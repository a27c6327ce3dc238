import numpy as np
import pytest
import torch
import yaml
from monai.losses.focal_loss import FocalLoss
from safetensors.torch import save
from torch.utils.data import Dataset

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.models.calibration import joint_scores
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.loading import load_models
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.networks.reduce_net import ReduceNet
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.store.manifest import Calibration
from hounsfield.models.store.publishing import half_precision_weights, publish
from hounsfield.models.training.checks.insertion_benchmark import InsertionCandidates
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.detector.calibration import score_candidates
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.reducer.publication import joint_calibration, reducer_manifest
from hounsfield.models.training.reducer.task import reducer_task, reduction_loss
from hounsfield.models.training.train import run_training
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.training.prepared_folder import write_prepared_folder
from tests.models.training.toy_training import toy_optimisation, toy_train

SMALL = {"close_channels": [4, 4, 4, 8], "wide_channels": [4, 4, 8], "dropout_percent": 0}
SMALL_DETECTOR = {"stem_channels": 4, "stage_channels": [4, 4, 4], "pyramid_channels": 4}
SHIPPED = model_folder("nodule_detector")
PLAIN = FocalLoss(gamma=0.0, reduction="none")


class BallsAndTubes(Dataset):
    """A ball in the middle is a nodule; a tube through it, along any axis, is none."""

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        offset = rng.uniform(-1, 1, (3, 1, 1, 1)) + 7.5
        away = (np.indices((16, 16, 16)) - offset) ** 2
        nodule = index % 2
        if not nodule:
            away[int(rng.integers(3))] = 0
        image = (away.sum(0) < rng.uniform(2.5, 4) ** 2) + rng.normal(0, 0.05, (2, 16, 16, 16))
        return {
            "image": torch.from_numpy(image.astype(np.float32)),
            "nodule": torch.tensor(float(nodule)),
            "weight": torch.tensor(1.0),
        }


def test_a_reducer_learns_to_separate_balls_from_tubes(tmp_path):
    torch.manual_seed(1)
    task = TrainingTask(
        ReduceNet(**SMALL),
        BallsAndTubes(),
        BallsAndTubes(),
        lambda logits, batch: reduction_loss(logits, batch, PLAIN),
    )
    optimisation = toy_optimisation(
        steps=25, batch=8, learning_rate=0.01, validation_samples=8, ema_decay=0.5
    )
    network = toy_train(task, optimisation, tmp_path / "out").network
    unseen = [BallsAndTubes()[index] for index in range(1000, 1020)]
    with torch.inference_mode():
        logits = network(torch.stack([sample["image"] for sample in unseen]))
    correct = (logits > 0) == torch.tensor([sample["nodule"] > 0 for sample in unseen])
    assert correct.float().mean() >= 0.9


def test_the_loss_is_cross_entropy_over_the_samples_that_count():
    logits, nodule = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([1.0, 1.0, 0.0])
    batch = {"nodule": nodule, "weight": torch.tensor([1.0, 1.0, 0.0])}
    parts = reduction_loss(logits, batch, PLAIN)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:2], nodule[:2])
    assert parts["loss"] == pytest.approx(float(expected))
    assert parts["accuracy"] == 0.5


def test_the_better_model_gets_the_larger_slope_and_no_slope_is_negative():
    rng = np.random.default_rng(0)

    def ratings(count, detector, network):
        return np.stack((rng.normal(detector, 1, count), rng.normal(network, 1, count)), axis=1)

    nodules = tuple(row[None] for row in ratings(200, 0.5, 4.0))
    candidates = InsertionCandidates(
        (*nodules, np.empty((0, 2))), np.full(201, 8.0), ratings(500, 0.0, -4.0), 10
    )
    calibration = joint_calibration(candidates)
    assert calibration.slope > calibration.detector_slope > 0
    after = score_candidates(candidates, lambda logits: joint_scores(logits, calibration))
    before = score_candidates(candidates, lambda logits: logits[:, 0])
    assert after.sensitivity(1.0) > 0.95
    assert after.sensitivity(1.0) > before.sensitivity(1.0)
    assert after.hit_scores[-1] == 0  # a missed nodule stays missed
    worse = InsertionCandidates(nodules, np.full(200, 8.0), ratings(500, 5.0, 8.0), 10)
    assert joint_calibration(worse).slope > 0


def a_volume(seed):
    hu = np.full((48, 48, 48), -850, np.int16)
    hu += np.random.default_rng(seed).integers(-50, 50, hu.shape, np.int16)
    hu[20:26, 20:26, 20:26] = 40
    lung = np.full(hu.shape, RIGHT_LUNG, np.uint8)
    return WorkingVolume(hu, lung, lung > 0, np.eye(4))


@pytest.fixture
def config_path(tmp_path):
    """Three toy series in as many folds, a toy detector, and a reducer's configuration."""
    findings = (KnownFinding((22.5, 22.5, 22.5), 8.0),)
    cases = [
        PreparedCase(f"1.{fold}", f"1.{fold}", a_volume(fold), findings, synthetic=False)
        for fold in range(3)
    ]
    prepared = tmp_path / "prepared"
    write_prepared_folder(prepared, "luna16", cases)
    shipped = read_manifest(SHIPPED)
    changes = {"name": "toy", "network": SMALL_DETECTOR, "calibration": Calibration(slope=2.0)}
    torch.manual_seed(0)
    publish(
        shipped.model_copy(update=changes),
        save(CentreNet(**SMALL_DETECTOR).state_dict()),
        tmp_path / "detector-0",
    )
    settings = {
        "task": "reducer",
        "name": "toy_reducer",
        "seed": 1,
        "network": SMALL,
        "sampling": {
            "detector": str(tmp_path / "detector-{fold}"),
            "candidate_cache": str(tmp_path / "mined"),
            "own_probability": 1.0,
            "hu_window": [-1000, 400],
        },
        "optimisation": toy_optimisation(
            steps=2, batch=2, validation_samples=2, validate_every=2
        ).model_dump(),
        "data": {"cases": [str(prepared)]},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_trained_reducer_names_its_detector_and_refuses_another(config_path, tmp_path):
    config, trained_with = read_training_config(config_path), read_manifest(SHIPPED).trained_with
    weights = half_precision_weights(reducer_task(config).network)
    manifest = reducer_manifest(config, trained_with, weights)
    publish(manifest, weights, tmp_path / "out")
    detector = read_manifest(tmp_path / "detector-0")
    assert manifest.detector.name == "toy"
    assert manifest.detector.sha256 == detector.sha256
    assert manifest.operating_points is not None
    assert "the detector alone" in manifest.summary
    names = {"classifier": "nodule_classifier", "reducer": str(tmp_path / "out"), "threads": 1}
    models = load_models(detector=str(tmp_path / "detector-0"), **names)
    candidates = [Candidate((22.0, 22.0, 22.0), 6.0, 0.5)]
    assert len(models.reducer.reduce(a_volume(9), candidates)) == 1
    with pytest.raises(UsageError, match=r"toy_reducer belongs to toy .* got nodule_detector"):
        load_models(detector="nodule_detector", **names)


def test_a_configuration_without_detector_is_refused(config_path, tmp_path):
    settings = yaml.safe_load(config_path.read_text())
    del settings["sampling"]["detector"]
    config_path.write_text(yaml.safe_dump(settings))
    with pytest.raises(UsageError, match=r"sampling\.detector: Field required"):
        run_training(config_path, tmp_path / "out")
