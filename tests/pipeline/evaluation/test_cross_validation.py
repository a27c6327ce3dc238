import csv
import functools
import hashlib
import json
import shutil

import numpy as np
import pytest
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase, save_case
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest
from hounsfield.models.findings import Candidate
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.training.configuration import read_training_config
from hounsfield.pipeline.evaluation.cross_validation import (
    cross_validate,
    cross_validation_summary,
)
from hounsfield.pipeline.evaluation.luna16.command import luna16_command, luna16_summary
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume

FOLDS = 4
SIZE = 8
CENTRE = (4.0, 4.0, 4.0)


def a_case(uid, number):
    """The first of a fold's two scans has a nodule and an ignored finding; the other is empty.

    Scans lie side by side, so that a prediction on the wrong scan would hit nothing.
    """
    hu = np.full((SIZE,) * 3, -850, np.int16)
    findings = ()
    affine = np.eye(4)
    affine[0, 3] = 100 * number
    if uid.endswith("a"):
        hu[4, 4, 4] = 40
        nodule = (affine[0, 3] + CENTRE[0], *CENTRE[1:])
        aside = (affine[0, 3] + 40.0, 0.0, 0.0)
        findings = (KnownFinding(nodule, 6.0), KnownFinding(aside, 10.0, ignored=True))
    lung = np.ones_like(hu, np.uint8)
    volume = WorkingVolume(hu, lung, lung > 0, affine)
    return PreparedCase(uid, uid, volume, findings, synthetic=False)


@pytest.fixture
def config_file(tmp_path):
    prepared = tmp_path / "prepared"
    entries = []
    for number in range(2 * FOLDS):
        uid = f"1.{number // 2}.{'ab'[number % 2]}"
        save_case(a_case(uid, number), prepared / "cases" / uid)
        entries.append(
            SplitEntry(
                series_uid=uid,
                patient_id=uid,
                case=f"cases/{uid}",
                voxels_sha256=uid,
                fold=number // 2,
            )
        )
    split = SplitManifest(dataset="luna16", folds=FOLDS, series=tuple(entries))
    (prepared / "split.json").write_text(split.model_dump_json())
    settings = {
        "task": "detector",
        "name": "test",
        "seed": 1,
        "network": {},
        "sampling": {},
        "optimisation": {"steps": 5, "batch": 1, "learning_rate": 0.1},
        "data": {"cases": [str(prepared)]},
    }
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


class Training:
    """Replaces `run_training`: records its calls and writes a model whose weights are text."""

    def __init__(self):
        self.calls = []
        self.interrupted_at = None

    def __call__(self, config_file, out, /, *, fold, steps, progress):
        assert progress is None
        self.calls.append((fold, out.name))
        if fold == self.interrupted_at:
            raise KeyboardInterrupt
        config = read_training_config(config_file, fold=fold, steps=steps)
        weights = config.sha256().encode()
        manifest = read_manifest(model_folder("nodule_detector"))
        trained_with = manifest.trained_with.model_copy(update={"config_sha256": config.sha256()})
        manifest = manifest.model_copy(
            update={
                "weights": "weights.safetensors",
                "sha256": hashlib.sha256(weights).hexdigest(),
                "trained_with": trained_with,
            }
        )
        out.mkdir(parents=True)
        (out / manifest.weights).write_bytes(weights)
        (out / "manifest.json").write_text(manifest.model_dump_json())
        return manifest


class BrightVoxelDetector:
    """Detects bright voxels, and 120 false positives beside each."""

    def detect(self, volume):
        candidates = []
        for z, y, x in np.argwhere(volume.hu > 0):
            centre = volume.world_mm((x, y, z))
            candidates.append(Candidate(tuple(centre.tolist()), 6.0, 0.9))
            candidates += [
                Candidate((*(centre[:2] + 20).tolist(), float(k)), 6.0, 0.5 - 0.004 * k)
                for k in range(120)
            ]
        return candidates


@pytest.fixture
def training():
    return Training()


@pytest.fixture
def run(training):
    """`cross_validate` with replacements for training and inference."""

    def load_detector(folder, /, *, threads):
        assert (folder / "manifest.json").exists()
        assert threads >= 0
        return BrightVoxelDetector()

    return functools.partial(cross_validate, train=training, load_detector=load_detector)


def predictions_of(folder):
    with (folder / "predictions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_all_folds_are_joined_in_one_file_and_evaluated(config_file, run, training, tmp_path):
    out = tmp_path / "out"
    result = run(config_file, out, ["all"])
    assert training.calls == [(fold, f"fold-{fold}") for fold in range(FOLDS)]
    assert {row["seriesuid"] for row in predictions_of(out)} == {
        f"1.{fold}.a" for fold in range(FOLDS)
    }
    # scans without a prediction are listed, so that they count in the division
    listed = (out / "seriesuids.csv").read_text().split()
    assert listed == [f"1.{fold}.{which}" for fold in range(FOLDS) for which in "ab"]
    assert (result.evaluation.scans, result.evaluation.nodules) == (2 * FOLDS, FOLDS)
    assert result.evaluation.true_positives == FOLDS
    assert result.evaluation.cpm == 1
    assert not any("ONLY PART" in line for line in cross_validation_summary(result))


def test_at_most_100_candidates_of_a_scan_are_written_however_low_their_score(
    config_file, run, tmp_path
):
    run(config_file, tmp_path / "out", ["2"])
    rows = predictions_of(tmp_path / "out" / "fold-2")
    assert len(rows) == 100
    assert [float(row["probability"]) for row in rows] == sorted(
        (float(row["probability"]) for row in rows), reverse=True
    )
    assert float(rows[-1]["probability"]) < 0.11


def test_the_evaluation_can_be_repeated_with_the_tables_beside_it(config_file, run, tmp_path):
    out = tmp_path / "out"
    run(config_file, out, ["all"])
    luna16_command(
        annotations=out / "annotations.csv",
        excluded=out / "annotations_excluded.csv",
        series=out / "seriesuids.csv",
        predictions=out / "predictions.csv",
        out=tmp_path / "again",
    )
    for name in ("evaluation.json", "nodules.csv", "prediction_outcomes.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / "evaluation" / name).read_bytes()
    assert len((out / "annotations_excluded.csv").read_text().splitlines()) == 1 + FOLDS


def test_some_folds_are_joined_in_a_subfolder_with_a_warning(config_file, run, training, tmp_path):
    out = tmp_path / "out"
    result = run(config_file, out, ["3", "1"])
    assert [fold for fold, _ in training.calls] == [1, 3]
    assert result.folder == out / "folds-1-3"
    assert (result.scans, result.evaluation.scans) == (4, 4)
    assert not (out / "predictions.csv").exists()
    lines = cross_validation_summary(result)
    assert "ONLY PART OF THE SET: only the 4 scans of folds 1, 3" in lines[0]
    assert "Folds 0, 2 are omitted" in lines[0]


def test_folds_from_other_machines_are_joined_and_not_trained_again(
    config_file, run, training, tmp_path
):
    for fold in range(FOLDS):
        run(config_file, tmp_path / f"machine-{fold}", [str(fold)])
        made = tmp_path / f"machine-{fold}" / f"fold-{fold}"
        shutil.copytree(made, tmp_path / "out" / made.name)
    training.calls.clear()
    assert run(config_file, tmp_path / "out", ["all"]).evaluation.cpm == 1
    assert training.calls == []


def test_an_interrupted_cross_validation_resumes_and_keeps_finished_folds(
    config_file, run, training, tmp_path
):
    training.interrupted_at = 2
    with pytest.raises(KeyboardInterrupt):
        run(config_file, tmp_path / "out", ["all"])
    training.calls.clear()
    training.interrupted_at = None
    (tmp_path / "out" / "fold-1" / "fold.json").unlink()  # as if interrupted during prediction
    run(config_file, tmp_path / "out", ["all"])
    assert [fold for fold, _ in training.calls] == [2, 3]
    whole = tmp_path / "whole"
    run(config_file, whole, ["all"])
    assert predictions_of(tmp_path / "out") == predictions_of(whole)


def test_folds_of_another_configuration_are_refused_before_any_training(
    config_file, run, training, tmp_path
):
    run(config_file, tmp_path / "out", ["3"])
    training.calls.clear()
    with pytest.raises(UsageError, match=r"fold-3 was made with another training configuration"):
        run(config_file, tmp_path / "out", ["all"], steps=6)
    assert training.calls == []


def test_a_model_of_another_fold_is_refused(config_file, run, tmp_path):
    out = tmp_path / "out"
    run(config_file, out, ["0"])
    (out / "fold-0").rename(out / "fold-1")
    with pytest.raises(UsageError, match="fold-1 was made with another training configuration"):
        run(config_file, out, ["1"])


def change_predictions(fold):
    with (fold / "predictions.csv").open("a") as stream:
        stream.write("1.0.b,0,0,0,1\n")


def change_model(fold):
    manifest = read_manifest(fold)
    (fold / manifest.weights).write_bytes(b"other")
    other = manifest.model_copy(update={"sha256": hashlib.sha256(b"other").hexdigest()})
    (fold / "manifest.json").write_text(other.model_dump_json())


def change_scans(fold):
    record = json.loads((fold / "fold.json").read_text())
    (fold / "fold.json").write_text(json.dumps(record | {"series_uids": ["1.0.a"]}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_predictions, "predictions.csv does not match fold.json: delete"),
        (change_model, "predictions.csv is not by the model in"),
        (change_scans, "predictions of 1 scans, but its fold has 2"),
    ],
)
def test_predictions_of_another_model_or_other_scans_are_refused(
    change, message, config_file, run, tmp_path
):
    run(config_file, tmp_path / "out", ["0"])
    change(tmp_path / "out" / "fold-0")
    with pytest.raises(UsageError, match=message):
        run(config_file, tmp_path / "out", ["all"])


@pytest.mark.parametrize("folds", [["9"], ["-1"], ["x"], ["all", "1"]])
def test_an_unknown_fold_is_refused(folds, config_file, run, tmp_path):
    with pytest.raises(UsageError, match=r"all, or a fold that holds series \(0, 1, 2, 3\)"):
        run(config_file, tmp_path, folds)


def test_a_model_that_detects_nothing_cannot_be_cross_validated(config_file, run, tmp_path):
    config_file.write_text(config_file.read_text().replace("detector", "classifier"))
    with pytest.raises(UsageError, match="--fold evaluates the predictions of a detector"):
        run(config_file, tmp_path, ["0"])


def test_scans_without_a_known_nodule_are_predicted_but_not_evaluated(config_file, run, tmp_path):
    facts = next((tmp_path / "prepared" / "cases").glob("1.0.a/case.json"))
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"findings": []}))
    result = run(config_file, tmp_path / "out", ["0"])
    assert result.evaluation is None
    assert "These scans have no known nodule: not evaluated." in cross_validation_summary(result)
    assert predictions_of(tmp_path / "out" / "fold-0")


def test_the_summary_is_the_evaluation_and_the_path_of_the_predictions(config_file, run, tmp_path):
    result = run(config_file, tmp_path / "out", ["all"])
    *figures, last = cross_validation_summary(result)
    assert figures == luna16_summary(result.evaluation)
    path = tmp_path / "out" / "predictions.csv"
    assert last == f"Predictions of 8 scans of folds 0, 1, 2, 3: {path}"


def test_a_damaged_record_of_a_fold_is_refused(config_file, run, tmp_path):
    run(config_file, tmp_path / "out", ["0"])
    (tmp_path / "out" / "fold-0" / "fold.json").write_text("{}")
    with pytest.raises(UsageError, match=r"fold\.json: .*; delete it to predict"):
        run(config_file, tmp_path / "out", ["0"])


def test_a_worker_process_trains_but_neither_predicts_nor_joins(
    config_file, run, training, tmp_path, monkeypatch
):
    monkeypatch.setenv("RANK", "1")
    assert run(config_file, tmp_path / "out", ["0"]) is None
    assert training.calls == [(0, "fold-0")]
    assert not (tmp_path / "out" / "fold-0" / "predictions.csv").exists()
