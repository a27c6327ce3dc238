"""Runs the documented commands from a download to a CPM, at toy size."""

import csv
import json
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hounsfield.data.phantom import PhantomSettings
from hounsfield.data.phantom.synthetic_luna16 import write_synthetic_luna16
from hounsfield.data.prepared.splits import read_split
from hounsfield.models.store.folders import read_manifest
from hounsfield.pipeline.cli.main import app

PROJECT = Path(__file__).parents[1]
SCRIPT = PROJECT / "docs" / "luna16_synthetic.sh"
TOY_SCANS, TOY_STEPS = 4, 20
TOY = PhantomSettings(shape_zyx=(56, 96, 96), spacing_mm=(3.6, 3.6, 5.0), vessel_ends=100)


def documented_commands():
    """Lists the words of each command in the script."""
    lines = SCRIPT.read_text().splitlines()
    return [shlex.split(line) for line in lines if line.startswith(("hounsfield ", "python "))]


def toy_config(folder):
    """Writes the training configuration for LUNA16 with a small network and small samples."""
    settings = yaml.safe_load((PROJECT / "configs" / "train_luna16.yaml").read_text())
    settings["network"] = {"stem_channels": 4, "stage_channels": [8, 8, 8], "pyramid_channels": 8}
    settings["sampling"]["crop_voxels"] = 32
    settings["optimisation"] |= {
        "batch": 2,
        "loader_workers": 0,
        "threads": 1,
        "precision": "float32",
        "validation_samples": 4,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def call(words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The folder in which the script ran, and the output of its commands by name."""
    folder = tmp_path_factory.mktemp("trial")
    toy = {"$config": str(toy_config(folder)), "300": str(TOY_STEPS)}
    printed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for program, *words in documented_commands():
            if program == "python":
                assert words == [
                    "-m",
                    "hounsfield.data.phantom.synthetic_luna16",
                    "LUNA16",
                    "--scans",
                    "20",
                ]
                write_synthetic_luna16(Path("LUNA16"), scans=TOY_SCANS, settings=TOY)
            else:
                printed[words[0]] = call([toy.get(word, word) for word in words])
    return folder, printed


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_synthetic_set_has_the_form_of_luna16(trial):
    download = trial[0] / "LUNA16"
    images = sorted(download.glob("subset*/*.mhd"))
    assert [path.parent.name for path in images] == [f"subset{k}" for k in range(TOY_SCANS)]
    listed = (download / "seriesuids.csv").read_text().split()
    assert set(listed) == {path.stem for path in images}
    nodules = rows_of(download / "annotations.csv")
    excluded = rows_of(download / "annotations_excluded.csv")
    candidates = rows_of(download / "candidates.csv")
    assert len({row["seriesuid"] for row in nodules}) == 3  # one scan is healthy
    assert {row["diameter_mm"] for row in excluded} == {"-1"}
    positions = [tuple(row[axis] for axis in ("coordX", "coordY", "coordZ")) for row in nodules]
    positive = [row for row in candidates if row["class"] == "1"]
    assert [tuple(row[a] for a in ("coordX", "coordY", "coordZ")) for row in positive] == positions
    assert sum(row["class"] == "0" for row in candidates) == 20 * TOY_SCANS


def test_the_official_subsets_are_the_folds(trial):
    folder = trial[0]
    for entry in read_split(folder / "prepared" / "luna16").series:
        assert (folder / "LUNA16" / f"subset{entry.fold}" / f"{entry.series_uid}.mhd").exists()


def test_the_script_repeats_the_evaluation_of_the_training(trial):
    folder, printed = trial
    joined = folder / "runs" / "luna16" / "folds-0-1"
    made = json.loads((joined / "evaluation" / "evaluation.json").read_text())
    assert json.loads((folder / "evaluation" / "evaluation.json").read_text()) == made
    tested = {path.stem for k in (0, 1) for path in (folder / f"LUNA16/subset{k}").glob("*.mhd")}
    assert set((joined / "seriesuids.csv").read_text().split()) == tested
    assert {row["seriesuid"] for row in rows_of(joined / "predictions.csv")} <= tested
    official = rows_of(folder / "LUNA16" / "annotations.csv")
    assert made["nodules"] == sum(row["seriesuid"] in tested for row in official)
    assert "ONLY PART OF THE SET" in printed["train"]
    assert "ONLY PART" not in printed["evaluate"]


def test_a_fold_never_starts_from_the_weights_of_another(trial, monkeypatch):
    folder = trial[0]
    monkeypatch.chdir(folder)
    call(["train", "config.yaml", "--out", "alone", "--steps", str(TOY_STEPS), "--fold", "1"])
    after_fold_0 = read_manifest(folder / "runs" / "luna16" / "fold-1")
    alone = read_manifest(folder / "alone" / "fold-1")
    assert alone.sha256 == after_fold_0.sha256
    assert alone.sha256 != read_manifest(folder / "runs" / "luna16" / "fold-0").sha256
