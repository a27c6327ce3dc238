import csv

import pytest

from hounsfield.models.store.folders import (
    STORE,
    list_models,
    read_manifest,
    verified_graph,
    verified_weights,
)
from hounsfield.models.store.manifest import (
    Calibration,
    FineTunedFrom,
    Manifest,
    OperatingPoints,
    TrainedWith,
    TrainingMaterial,
)
from hounsfield.models.store.publishing import SERIES_FILE, model_card, publish
from hounsfield.preprocessing.errors import OutputError

REAL = TrainingMaterial(
    name="LIDC-IDRI", licence="CC BY 3.0", role="2 series", series_uids=("1.2", "1.3"), patients=2
)
SYNTHETIC = TrainingMaterial(name="phantoms", licence="Apache-2.0", role="9 series")


def a_manifest(*material, **changes):
    fields = {
        "name": "toy",
        "version": "1.0",
        "task": "detector",
        "summary": "A toy.",
        "licence": "Apache-2.0",
        "network": {},
        "weights": "",
        "sha256": "",
        "spacing_mm": (1.0, 1.0, 1.0),
        "hu_window": (-1000.0, 400.0),
        "calibration": Calibration(),
        "training_material": material,
        "limits": ("Not for children.",),
    }
    return Manifest(**(fields | changes))


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_a_published_folder_is_read_back_with_matching_checksums(tmp_path):
    published = publish(a_manifest(REAL), b"weights", tmp_path / "toy", graph=b"graph")
    assert read_manifest(tmp_path / "toy") == published
    assert verified_weights(tmp_path / "toy") == b"weights"
    assert verified_graph(tmp_path / "toy") == b"graph"


def test_the_same_weights_give_the_same_file(tmp_path):
    first, second = (publish(a_manifest(), b"weights", tmp_path / name) for name in ("a", "b"))
    assert first.sha256 == second.sha256


def test_the_training_series_are_listed_in_a_table_and_counted_in_the_card(tmp_path):
    publish(a_manifest(REAL, SYNTHETIC), b"weights", tmp_path)
    assert rows(tmp_path / SERIES_FILE) == [
        ["training_material", "series_uid"],
        ["LIDC-IDRI", "1.2"],
        ["LIDC-IDRI", "1.3"],
    ]
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "2 real series; their UIDs are in [series.csv](series.csv)." in card
    assert "1.2`" not in card


def test_without_real_series_there_is_no_table_not_even_an_old_one(tmp_path):
    publish(a_manifest(REAL), b"weights", tmp_path)
    publish(a_manifest(SYNTHETIC), b"weights", tmp_path)
    assert not (tmp_path / SERIES_FILE).exists()
    assert SERIES_FILE not in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_the_card_says_how_to_reproduce_the_weights_and_where_they_started():
    trained_with = TrainedWith(
        config="configs/train_toy.yaml",
        config_sha256="c" * 64,
        seed=7,
        steps=100,
        hours=1.5,
        hardware="2 cores",
        fine_tuned_from=FineTunedFrom(name="older", version="0.9", sha256="d" * 64),
    )
    points = OperatingPoints(screening=0.1, default=0.2, strict=0.3)
    card = model_card(a_manifest(trained_with=trained_with, operating_points=points))
    assert "Reproduce with: `hounsfield train configs/train_toy.yaml` (seed 7, 100 steps" in card
    assert f"Fine-tuned from: older 0.9 (sha256 `{'d' * 64}`)" in card
    assert "Operating points: screening 0.100, default 0.200, strict 0.300" in card
    assert "- Not for children." in card


@pytest.mark.parametrize(
    ("spacing_mm", "text"), [((1.0, 1.0, 1.0), "1 mm"), ((0.7, 0.7, 1.25), "0.7 x 0.7 x 1.25 mm")]
)
def test_the_card_gives_one_spacing_for_cubic_voxels_and_else_all_three(spacing_mm, text):
    assert f"- Input: {text}, HU -1000 to 400" in model_card(a_manifest(spacing_mm=spacing_mm))


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        publish(a_manifest(), b"weights", tmp_path / "file" / "toy")


@pytest.mark.parametrize("manifest", list_models(), ids=lambda manifest: manifest.name)
def test_the_card_and_the_table_of_a_shipped_model_are_those_of_its_manifest(manifest):
    folder = STORE / manifest.name
    assert (folder / "README.md").read_text(encoding="utf-8") == model_card(manifest)
    assert rows(folder / SERIES_FILE)[1:] == [
        [material.name, uid]
        for material in manifest.training_material
        for uid in material.series_uids
    ]
