import csv
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase, save_case
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest
from hounsfield.models.inference.loading import load_detector
from hounsfield.models.inference.retina_detector import lps_centres, ras_image
from hounsfield.models.networks.retina_net import RetinaConfig, anchor_generator, retina_net
from hounsfield.models.training import train
from hounsfield.models.training.retinanet.loss import RetinaLoss
from hounsfield.models.training.retinanet.samples import (
    IGNORED,
    NODULE,
    RetinaSamples,
    RetinaSamplingConfig,
    patch_start,
    ras_boxes,
    turned,
)
from hounsfield.models.training.retinanet.task import retina_task
from hounsfield.models.training.train import run_training
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

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
    off = np.sqrt(sum((a - c) ** 2 for a, c in zip((x, y, z), centre_xyz, strict=True)))
    hu = np.where(off < DIAMETER / 2, 50, -850) + rng.normal(0, 20, shape_zyx)
    full = np.ones(shape_zyx, bool)
    volume = WorkingVolume(hu.astype(np.int16), full.astype(np.uint8) * RIGHT_LUNG, full, affine)
    finding = KnownFinding(
        tuple(volume.world_mm(centre_xyz).tolist()), DIAMETER * spacing, ignored=ignored
    )
    return PreparedCase(f"1.2.{number}", f"patient {number}", volume, (finding,), synthetic=False)


def samples(cases, varied=True, **plan):
    sampling = RetinaSamplingConfig(**{"patch_xyz": PATCH, **plan})
    return RetinaSamples(cases, sampling, varied=varied, length=60, seed=1)


def prepare(folder, cases):
    entries = []
    for fold, case in enumerate(cases):
        save_case(case, folder / "cases" / case.series_uid)
        entries.append(
            SplitEntry(
                series_uid=case.series_uid,
                patient_id=case.patient_id,
                case=f"cases/{case.series_uid}",
                voxels_sha256=str(fold),
                fold=fold,
            )
        )
    split = SplitManifest(dataset="luna16", folds=len(cases), series=tuple(entries))
    (folder / "split.json").write_text(split.model_dump_json())


def a_recipe(folder, cases, **changes):
    prepare(folder / "prepared", cases)
    recipe = {
        "task": "retinanet",
        "name": "toy_retinanet",
        "seed": 7,
        "network": TOY,
        "sampling": {"patch_xyz": list(PATCH), "nodule_share": 0.9, "hu_window": [-1024, 300]},
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
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_a_box_lies_where_the_detector_would_read_the_finding():
    case = a_case(1)
    boxes, labels = ras_boxes(case)
    assert labels.tolist() == [NODULE]
    centre = case.volume.world_mm(lps_centres(boxes, case.volume.hu.shape[::-1]))[0]
    assert centre == pytest.approx(case.findings[0].centre_world_mm)
    assert (boxes[0, 3:] - boxes[0, :3]) == pytest.approx(DIAMETER)


def test_a_patch_is_the_same_part_of_the_array_that_the_network_sees():
    case = a_case(1, shape_zyx=(40, 48, 44))
    item = samples([case], varied=False, nodule_share=1.0)[0]
    whole = ras_image(case.volume.hu, (-1024.0, 300.0))
    box = ras_boxes(case)[0][0]
    start = np.rint(box - item["boxes"][0].numpy())[:3].astype(int)
    part = whole[(slice(None), *(slice(a, a + 32) for a in start))]
    assert torch.equal(part, item["image"])


@pytest.mark.parametrize("varied", [False, True])
def test_boxes_stay_on_their_nodules(varied):
    on, off = [], []
    for item in itertools.islice(samples([a_case(1), a_case(2)], varied), 40):
        image = item["image"][0].numpy()
        grids = np.indices(image.shape)
        inside = np.zeros(image.shape, bool)
        for box in item["boxes"][item["labels"] == NODULE].numpy():
            low, high = box[:3, None, None, None], box[3:, None, None, None]
            inside |= ((grids >= low) & (grids <= high)).all(axis=0)
        on += [image[inside].mean()] if inside.any() else []
        off.append((image[~inside] > 0.6).mean() > 1e-4)
    assert len(on) > 20
    assert np.mean(on) > 0.35  # a ball fills half of its box; plain lung is at 0.13
    assert np.mean(off) < 0.25  # noise and contrast alone pass it now and then


def test_a_ball_keeps_to_its_box_through_flips_and_quarter_turns():
    dataset = samples([a_case(3)], nodule_share=1.0)
    kept = ("RandFlipBoxd", "RandRotateBox90d")
    dataset._vary.transforms = [t for t in dataset._vary.transforms if type(t).__name__ in kept]
    for item in itertools.islice(dataset, 12):
        assert_on_the_ball(item["image"], item["boxes"][0])


def test_a_ball_keeps_to_its_box_through_turns_by_any_angle():
    dataset = samples([a_case(3)], varied=False, nodule_share=1.0)
    for index in range(8):
        item, rng = dataset[index], np.random.default_rng(index)
        one = item["boxes"][:1].numpy(), item["labels"][:1].numpy()
        image, boxes, labels = turned(item["image"], *one, rng)
        for box in boxes:
            assert_on_the_ball(image, torch.from_numpy(box))
    assert labels.tolist() == [NODULE]


def assert_on_the_ball(image, box):
    bright = np.argwhere(image[0].numpy() > 0.5)
    assert bright.mean(axis=0) == pytest.approx((box[:3] + box[3:]).numpy() / 2, abs=0.3)


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    one, other = samples([a_case(1)]), samples([a_case(1)])
    _ = one[3]
    for name, value in one[7].items():
        assert torch.equal(value, other[7][name])
    assert not torch.equal(one[7]["image"], one[8]["image"])


def test_a_patch_around_a_nodule_holds_it_whole_and_one_larger_than_the_volume_centres_it():
    rng = np.random.default_rng(0)
    shape, patch = np.array([100, 90, 20]), np.array([32, 32, 32])
    box = np.array([3.2, 60.1, 2.0, 12.2, 69.1, 11.0])
    for _ in range(50):
        start = patch_start(shape, patch, box, rng)
        assert (start[:2] <= box[:2]).all()
        assert (start[:2] + patch[:2] > box[3:5]).all()
        assert start[2] == -6


def a_loss():
    plan = RetinaConfig(**TOY)
    return RetinaLoss(retina_net(plan), plan), anchor_generator(plan)


def test_anchors_in_a_place_to_ignore_are_neither_nodule_nor_background():
    loss, _ = a_loss()
    corners = torch.tensor([[0.0, 0, 0], [20, 20, 20], [8, 8, 8]])
    anchors = torch.cat((corners, corners + 6), 1).repeat_interleave(2, 0)
    target = {
        "boxes": torch.tensor([[19.0, 19, 19, 27, 27, 27]]),
        "labels": torch.tensor([IGNORED]),
    }
    (matched,) = loss.compute_anchor_matched_idxs([anchors], [target], [3])
    assert matched.tolist() == [-1, -1, -2, -2, -1, -1]


def test_a_batch_without_any_nodule_has_a_loss():
    loss, _ = a_loss()
    dataset = samples([a_case(1, ignored=True)])
    batch = torch.utils.data.default_collate([dataset[0], dataset[1]])
    parts = loss.of_batch(loss.network(batch["image"]), batch)
    parts["loss"].backward()
    assert parts["boxes"] == 0
    assert torch.isfinite(parts["loss"])


def test_the_loss_of_a_batch_is_the_same_whenever_it_is_taken():
    loss, _ = a_loss()
    dataset = samples([a_case(1), a_case(2)])
    batch = torch.utils.data.default_collate([dataset[4], dataset[5]])
    output = loss.network(batch["image"])
    first = loss.of_batch(output, batch)["loss"]
    torch.rand(5)
    assert torch.equal(first, loss.of_batch(output, batch)["loss"])


def test_series_of_different_spacings_are_refused_by_name(tmp_path):
    cases = [a_case(1), a_case(2), a_case(3, spacing=0.7)]
    config = SimpleNamespace(
        data=SimpleNamespace(
            cases=(tmp_path / "prepared",), nodules=(), fold=0, held_out_patients=()
        )
    )
    prepare(tmp_path / "prepared", cases)
    with pytest.raises(UsageError, match=r"one spacing, but 1\.2\.\d has .* prepare them alike"):
        retina_task(config)


def test_a_toy_training_lowers_the_loss_and_its_model_finds_an_unseen_nodule(tmp_path, monkeypatch):
    # The graph costs more seconds than the training; test_retina_detector has it.
    monkeypatch.setattr(train, "network_graph", lambda *_: None)
    recipe = a_recipe(tmp_path, [a_case(n) for n in range(6)])
    manifest = run_training(recipe, tmp_path / "model")
    with (tmp_path / "model" / "log.csv").open() as rows:
        losses = [float(row["loss"]) for row in csv.DictReader(rows)]
    assert losses[-1] < losses[0] / 2
    assert (manifest.architecture, manifest.spacing_mm) == ("retina_net", (1.0, 1.0, 1.0))
    unseen = a_case(20)
    best = load_detector(tmp_path / "model", threads=1).detect(unseen.volume)[0]
    off = np.linalg.norm(np.subtract(best.centre_world_mm, unseen.findings[0].centre_world_mm))
    assert off < DIAMETER / 4
    assert best.diameter_mm == pytest.approx(DIAMETER, rel=0.3)
