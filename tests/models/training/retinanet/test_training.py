import csv
import itertools

import numpy as np
import pytest
import torch
import yaml
from monai.transforms.compose import Compose

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.models.inference.loading import load_detector
from hounsfield.models.inference.retina_detector import lps_centres, ras_image
from hounsfield.models.networks.retina_net import RetinaConfig, retina_net
from hounsfield.models.training import train
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.retinanet.configuration import RetinaSamplingConfig
from hounsfield.models.training.retinanet.loss import RetinaLoss
from hounsfield.models.training.retinanet.samples import (
    IGNORED,
    NODULE,
    RetinaSamples,
    bundle_augmentation,
    patch_start,
    ras_boxes,
    rotated,
)
from hounsfield.models.training.retinanet.task import retina_task
from hounsfield.models.training.train import run_training
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.training.prepared_folder import write_prepared_folder

TOY = {
    "stage_channels": [4, 8],
    "stage_blocks": [1, 1],
    "pyramid_channels": 16,
    "anchor_shapes_xyz": [[6, 6, 6], [10, 10, 10]],
}
PATCH = (32, 32, 32)
DIAMETER = 9.0


def a_case(number, spacing=1.0, ignored=False, shape_zyx=(40, 48, 44)):
    """A bright ball in dark lung, not in the middle."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = (-30, 20, 100)
    rng = np.random.default_rng(number)
    centre_xyz = rng.uniform(12, 28, 3)
    z, y, x = np.indices(shape_zyx)
    distance = np.sqrt(sum((a - c) ** 2 for a, c in zip((x, y, z), centre_xyz, strict=True)))
    hu = np.where(distance < DIAMETER / 2, 50, -850) + rng.normal(0, 20, shape_zyx)
    full = np.ones(shape_zyx, bool)
    volume = WorkingVolume(hu.astype(np.int16), full.astype(np.uint8) * RIGHT_LUNG, full, affine)
    finding = KnownFinding(
        tuple(volume.world_mm(centre_xyz).tolist()), DIAMETER * spacing, ignored=ignored
    )
    return PreparedCase(f"1.2.{number}", f"patient {number}", volume, (finding,), synthetic=False)


def samples(cases, *, augmented=True, augmentation=None, **changes):
    sampling = RetinaSamplingConfig(**{"patch_xyz": PATCH, **changes})
    augmentation = augmentation or (bundle_augmentation() if augmented else None)
    return RetinaSamples(cases, sampling, augmentation=augmentation, length=60, seed=1)


def write_config(folder, cases, **changes):
    write_prepared_folder(folder / "prepared", "luna16", cases)
    settings = {
        "task": "retinanet",
        "name": "toy_retinanet",
        "seed": 7,
        "network": TOY,
        "sampling": {
            "patch_xyz": list(PATCH),
            "nodule_probability": 0.9,
            "hu_window": [-1024, 300],
        },
        "optimisation": {
            "steps": 70,
            "batch": 4,
            "optimiser": "sgd",
            "learning_rate": 0.05,
            "schedule": "multi_step",
            "warmup_steps": 5,
            "ema_decay": 0.8,
            "precision": "float32",
            "loader_workers": 0,
            "threads": 1,
            "log_every": 10,
            "validate_every": 70,
            "validation_samples": 4,
        },
        "data": {"cases": [str(folder / "prepared")]},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_box_is_read_back_as_the_finding_it_was_made_of():
    case = a_case(1)
    boxes, labels = ras_boxes(case)
    assert labels.tolist() == [NODULE]
    centre = case.volume.world_mm(lps_centres(boxes, case.volume.hu.shape[::-1]))[0]
    assert centre == pytest.approx(case.findings[0].centre_world_mm)
    assert (boxes[0, 3:] - boxes[0, :3]) == pytest.approx(DIAMETER)


def test_a_patch_is_a_part_of_the_array_that_the_network_sees():
    case = a_case(1, shape_zyx=(40, 48, 44))
    item = samples([case], augmented=False, nodule_probability=1.0)[0]
    whole = ras_image(case.volume.hu, (-1024.0, 300.0))
    box = ras_boxes(case)[0][0]
    start = np.rint(box - item["boxes"][0].numpy())[:3].astype(int)
    part = whole[(slice(None), *(slice(a, a + 32) for a in start))]
    assert torch.equal(part, item["image"])


@pytest.mark.parametrize("augmented", [False, True])
def test_boxes_stay_on_their_nodules(augmented):
    inside_means, outside_bright = [], []
    for item in itertools.islice(samples([a_case(1), a_case(2)], augmented=augmented), 40):
        image = item["image"][0].numpy()
        grids = np.indices(image.shape)
        inside = np.zeros(image.shape, bool)
        for box in item["boxes"][item["labels"] == NODULE].numpy():
            low, high = box[:3, None, None, None], box[3:, None, None, None]
            inside |= ((grids >= low) & (grids <= high)).all(axis=0)
        inside_means += [image[inside].mean()] if inside.any() else []
        outside_bright.append((image[~inside] > 0.6).mean() > 1e-4)
    assert len(inside_means) > 20
    assert np.mean(inside_means) > 0.35  # a ball fills half of its box; plain lung is at 0.13
    assert np.mean(outside_bright) < 0.25  # noise and contrast alone exceed it sometimes


def test_a_ball_stays_in_its_box_through_flips_and_quarter_turns():
    geometric = ("RandFlipBoxd", "RandRotateBox90d")
    flips = Compose([t for t in bundle_augmentation().transforms if type(t).__name__ in geometric])
    dataset = samples([a_case(3)], augmentation=flips, nodule_probability=1.0)
    for item in itertools.islice(dataset, 12):
        assert_on_the_ball(item["image"], item["boxes"][0])


def test_a_ball_stays_in_its_box_through_rotations_by_any_angle():
    dataset = samples([a_case(3)], augmented=False, nodule_probability=1.0)
    for index in range(8):
        item, rng = dataset[index], np.random.default_rng(index)
        box_and_label = item["boxes"][:1].numpy(), item["labels"][:1].numpy()
        image, boxes, labels = rotated(item["image"], *box_and_label, rng)
        for box in boxes:
            assert_on_the_ball(image, torch.from_numpy(box))
    assert labels.tolist() == [NODULE]


def assert_on_the_ball(image, box):
    bright = np.argwhere(image[0].numpy() > 0.5)
    assert bright.mean(axis=0) == pytest.approx((box[:3] + box[3:]).numpy() / 2, abs=0.3)


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    first, again = samples([a_case(1)]), samples([a_case(1)])
    _ = first[3]
    for name, value in first[7].items():
        assert torch.equal(value, again[7][name])
    assert not torch.equal(first[7]["image"], first[8]["image"])


def test_a_patch_holds_its_nodule_whole_and_centres_a_smaller_volume():
    rng = np.random.default_rng(0)
    shape, patch = np.array([100, 90, 20]), np.array([32, 32, 32])
    box = np.array([3.2, 60.1, 2.0, 12.2, 69.1, 11.0])
    for _ in range(50):
        start = patch_start(shape, patch, box, rng)
        assert (start[:2] <= box[:2]).all()
        assert (start[:2] + patch[:2] > box[3:5]).all()
        assert start[2] == -6


def a_loss():
    config = RetinaConfig(**TOY)
    return RetinaLoss(retina_net(config), config)


def test_anchors_in_a_box_to_ignore_are_neither_nodule_nor_background():
    loss = a_loss()
    corners = torch.tensor([[0.0, 0, 0], [20, 20, 20], [8, 8, 8]])
    anchors = torch.cat((corners, corners + 6), 1).repeat_interleave(2, 0)
    target = {
        "boxes": torch.tensor([[19.0, 19, 19, 27, 27, 27]]),
        "labels": torch.tensor([IGNORED]),
    }
    (matched,) = loss.compute_anchor_matched_idxs([anchors], [target], [3])
    assert matched.tolist() == [-1, -1, -2, -2, -1, -1]


def test_a_batch_without_nodules_has_a_finite_loss():
    loss = a_loss()
    dataset = samples([a_case(1, ignored=True)])
    batch = torch.utils.data.default_collate([dataset[0], dataset[1]])
    parts = loss.of_batch(loss.network(batch["image"]), batch)
    parts["loss"].backward()
    assert parts["boxes"] == 0
    assert torch.isfinite(parts["loss"])


def test_the_loss_of_a_batch_does_not_depend_on_the_random_state():
    loss = a_loss()
    dataset = samples([a_case(1), a_case(2)])
    batch = torch.utils.data.default_collate([dataset[4], dataset[5]])
    output = loss.network(batch["image"])
    first = loss.of_batch(output, batch)["loss"]
    torch.rand(5)
    assert torch.equal(first, loss.of_batch(output, batch)["loss"])


def test_series_of_different_spacings_are_refused_by_name(tmp_path):
    cases = [a_case(1), a_case(2), a_case(3, spacing=0.7)]
    config = read_training_config(write_config(tmp_path, cases))
    with pytest.raises(UsageError, match=r"one spacing, but 1\.2\.\d has .* prepare them alike"):
        retina_task(config)


def test_a_patch_that_the_strides_do_not_divide_is_refused(tmp_path):
    sampling = {"patch_xyz": [32, 32, 12]}
    cases = [a_case(number) for number in range(3)]
    config = read_training_config(write_config(tmp_path, cases, sampling=sampling))
    with pytest.raises(UsageError, match=r"patch_xyz must be divisible by .* got \(32, 32, 12\)"):
        retina_task(config)


def test_a_toy_training_lowers_the_loss_and_its_model_finds_an_unseen_nodule(tmp_path, monkeypatch):
    # The graph costs more seconds than the training; test_retina_detector has it.
    monkeypatch.setattr(train, "network_graph", lambda *_: None)
    config_path = write_config(tmp_path, [a_case(n) for n in range(6)])
    manifest = run_training(config_path, tmp_path / "model")
    with (tmp_path / "model" / "log.csv").open() as rows:
        losses = [float(row["loss"]) for row in csv.DictReader(rows)]
    assert losses[-1] < losses[0] / 2
    assert (manifest.architecture, manifest.spacing_mm) == ("retina_net", (1.0, 1.0, 1.0))
    unseen = a_case(20)
    best = load_detector(tmp_path / "model", threads=1).detect(unseen.volume)[0]
    off = np.linalg.norm(np.subtract(best.centre_world_mm, unseen.findings[0].centre_world_mm))
    assert off < DIAMETER / 4
    assert best.diameter_mm == pytest.approx(DIAMETER, rel=0.3)
