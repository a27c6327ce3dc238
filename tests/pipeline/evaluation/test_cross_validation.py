import csv
import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase, save_case
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest
from hounsfield.models.contracts import Candidate
from hounsfield.models.inference import loading
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.pipeline.evaluation.cross_validation import closing_lines, cross_validate
from hounsfield.pipeline.evaluation.luna16.command import luna16_command
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume

FOLDS = 4
SIZE = 8
CENTRE = (4.0, 4.0, 4.0)


def a_case(uid, number):
    """Of each fold's two scans the first holds a nodule and a place to ignore; the other is dark.

    Scans lie beside one another, so that a mark on the wrong one would hit nothing.
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
def recipe(tmp_path):
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
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


class Training:
    """Stands in for `run_training`: notes its calls, and writes a model that is text."""

    def __init__(self):
        self.calls = []
        self.dies_at = None

    def run_training(self, recipe, out, *, fold, steps, progress):
        assert progress is None
        self.calls.append((fold, out.name))
        if fold == self.dies_at:
            raise KeyboardInterrupt
        config = read_training_config(recipe, fold=fold, steps=steps)
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


class Bright:
    """Marks bright voxels, and beside each 120 places that are none."""

    def detect(self, volume):
        marks = []
        for z, y, x in np.argwhere(volume.hu > 0):
            centre = volume.world_mm((x, y, z))
            marks.append(Candidate(tuple(centre.tolist()), 6.0, 0.9))
            marks += [
                Candidate((*(centre[:2] + 20).tolist(), float(k)), 6.0, 0.5 - 0.004 * k)
                for k in range(120)
            ]
        return marks


@pytest.fixture
def training(monkeypatch):
    fake = Training()
    monkeypatch.setitem(sys.modules, "hounsfield.models.training.train", fake)
    monkeypatch.setattr(loading, "load_detector", lambda _folder, *, threads: Bright())  # noqa: ARG005
    return fake


def marks_of(folder):
    with (folder / "predictions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_all_folds_end_in_one_file_and_its_evaluation(recipe, training, tmp_path):
    out = tmp_path / "out"
    found = cross_validate(recipe, out, ["all"])
    assert training.calls == [(fold, f"fold-{fold}") for fold in range(FOLDS)]
    assert {row["seriesuid"] for row in marks_of(out)} == {f"1.{fold}.a" for fold in range(FOLDS)}
    # scans without a mark are listed, so that they stand in the division
    listed = (out / "seriesuids.csv").read_text().split()
    assert listed == [f"1.{fold}.{which}" for fold in range(FOLDS) for which in "ab"]
    assert (found.evaluation.scans, found.evaluation.nodules) == (2 * FOLDS, FOLDS)
    assert found.evaluation.true_positives == FOLDS
    assert found.evaluation.cpm == 1
    assert not any("ONLY PART" in line for line in closing_lines(found))


@pytest.mark.usefixtures("training")
def test_at_most_a_hundred_marks_of_a_scan_are_written_however_low(recipe, tmp_path):
    cross_validate(recipe, tmp_path / "out", ["2"])
    rows = marks_of(tmp_path / "out" / "fold-2")
    assert len(rows) == 100
    assert [float(row["probability"]) for row in rows] == sorted(
        (float(row["probability"]) for row in rows), reverse=True
    )
    assert float(rows[-1]["probability"]) < 0.11


@pytest.mark.usefixtures("training")
def test_the_figure_can_be_repeated_with_the_tables_beside_it(recipe, tmp_path):
    out = tmp_path / "out"
    cross_validate(recipe, out, ["all"])
    luna16_command(
        annotations=out / "annotations.csv",
        excluded=out / "annotations_excluded.csv",
        series=out / "seriesuids.csv",
        predictions=out / "predictions.csv",
        out=tmp_path / "again",
    )
    for name in ("evaluation.json", "nodules.csv", "marks.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / "evaluation" / name).read_bytes()
    assert len((out / "annotations_excluded.csv").read_text().splitlines()) == 1 + FOLDS


def test_some_folds_are_joined_apart_and_said_loudly(recipe, training, tmp_path):
    out = tmp_path / "out"
    found = cross_validate(recipe, out, ["3", "1"])
    assert [fold for fold, _ in training.calls] == [1, 3]
    assert found.folder == out / "folds-1-3"
    assert (found.scans, found.evaluation.scans) == (4, 4)
    assert not (out / "predictions.csv").exists()
    lines = closing_lines(found)
    assert "ONLY PART OF THE SET: the 4 scans of fold 1, 3 alone" in lines[0]
    assert "folds 0, 2 are left out" in lines[0]


def test_folds_made_elsewhere_are_joined_and_not_made_again(recipe, training, tmp_path):
    for fold in range(FOLDS):
        cross_validate(recipe, tmp_path / f"machine-{fold}", [str(fold)])
        made = tmp_path / f"machine-{fold}" / f"fold-{fold}"
        shutil.copytree(made, tmp_path / "out" / made.name)
    training.calls.clear()
    assert cross_validate(recipe, tmp_path / "out", ["all"]).evaluation.cpm == 1
    assert training.calls == []


def test_a_stopped_cross_validation_keeps_what_is_done_and_goes_on(recipe, training, tmp_path):
    training.dies_at = 2
    with pytest.raises(KeyboardInterrupt):
        cross_validate(recipe, tmp_path / "out", ["all"])
    training.calls.clear()
    training.dies_at = None
    (tmp_path / "out" / "fold-1" / "fold.json").unlink()  # as if stopped while it predicted
    cross_validate(recipe, tmp_path / "out", ["all"])
    assert [fold for fold, _ in training.calls] == [2, 3]
    whole = tmp_path / "whole"
    cross_validate(recipe, whole, ["all"])
    assert marks_of(tmp_path / "out") == marks_of(whole)


def test_folds_of_another_recipe_are_refused_before_anything_trains(recipe, training, tmp_path):
    cross_validate(recipe, tmp_path / "out", ["3"])
    training.calls.clear()
    with pytest.raises(UsageError, match=r"fold-3 was made by another recipe or number of steps"):
        cross_validate(recipe, tmp_path / "out", ["all"], steps=6)
    assert training.calls == []


@pytest.mark.usefixtures("training")
def test_a_model_of_another_fold_is_refused(recipe, tmp_path):
    out = tmp_path / "out"
    cross_validate(recipe, out, ["0"])
    (out / "fold-0").rename(out / "fold-1")
    with pytest.raises(UsageError, match="fold-1 was made by another recipe"):
        cross_validate(recipe, out, ["1"])


def change_marks(fold):
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


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_marks, "predictions.csv is not what fold.json speaks of"),
        (change_model, "are not of the model in it"),
        (change_scans, "marks on 1 scans, but its fold has 2"),
    ],
)
def test_marks_that_are_not_of_their_model_and_scans_are_refused(change, message, recipe, tmp_path):
    cross_validate(recipe, tmp_path / "out", ["0"])
    change(tmp_path / "out" / "fold-0")
    with pytest.raises(UsageError, match=message):
        cross_validate(recipe, tmp_path / "out", ["all"])


@pytest.mark.parametrize("words", [["9"], ["-1"], ["x"], ["all", "1"]])
def test_a_fold_that_is_not_there_is_refused(words, recipe, tmp_path):
    with pytest.raises(UsageError, match=r"all, or a fold that holds series \(0, 1, 2, 3\)"):
        cross_validate(recipe, tmp_path, words)


def test_what_marks_nothing_cannot_be_cross_validated(recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("detector", "classifier"))
    with pytest.raises(UsageError, match="ends in the marks of a detector"):
        cross_validate(recipe, tmp_path, ["0"])


@pytest.mark.usefixtures("training")
def test_scans_without_a_known_nodule_are_predicted_and_not_evaluated(recipe, tmp_path):
    facts = next((tmp_path / "prepared" / "cases").glob("1.0.a/case.json"))
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"findings": []}))
    found = cross_validate(recipe, tmp_path / "out", ["0"])
    assert found.evaluation is None
    assert "No nodule is known in these scans: not evaluated." in closing_lines(found)
    assert marks_of(tmp_path / "out" / "fold-0")
