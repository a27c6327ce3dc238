from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from hounsfield.models.inference.loading import load_mass_detector
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.engine.configuration import DataConfig
from hounsfield.models.training.masses import publication
from hounsfield.models.training.masses.chests import PHANTOMS
from hounsfield.models.training.masses.pictures import mass_pictures
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS
from hounsfield.models.training.masses.task import FOLDS, split_chests
from hounsfield.models.training.train import run_training
from hounsfield.preprocessing.errors import UsageError
from tests.models.training.toy_training import toy_optimisation


@pytest.fixture(scope="module")
def config_path(chest, tmp_path_factory):
    """A configuration that trains on one real chest and one phantom."""
    folder = tmp_path_factory.mktemp("masses")
    chest.save(folder)
    phantom = replace(chest, name="phantom-1", synthetic=True, source=PHANTOMS)
    phantom.save(folder)
    settings = {
        "task": "mass_detector",
        "name": "toy_mass_detector",
        "seed": 1,
        "network": {"channels": [4, 4, 4, 4]},
        "sampling": {"crop_voxels": [32, 32, 32], "crops_per_case": 1},
        "optimisation": toy_optimisation(steps=1, batch=1, validation_samples=1).model_dump(),
        "data": {"cases": [str(folder)]},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.mark.slow
def test_a_trained_mass_detector_is_published_and_can_be_loaded(config_path, tmp_path, monkeypatch):
    monkeypatch.setattr(publication, "CALIBRATION_CASES", 2)
    manifest = run_training(config_path, tmp_path)
    assert manifest.task == "mass_detector"
    assert manifest.graph_sha256
    by_name = {material.name: material for material in manifest.training_material}
    assert by_name["ellipsoids"].series_uids == ("1.2.3",)
    assert by_name["ellipsoids"].role == "1 chest with synthetic masses inserted"
    assert by_name["phantoms without nodules"].patients is None
    detector = load_mass_detector(tmp_path, threads=1)
    assert detector.default_threshold == manifest.operating_points.default >= 0.5


def test_phantoms_are_split_by_person_and_real_chests_train_and_validate(chest):
    phantoms = [
        replace(chest, name=f"phantom-{n}", patient_id=f"P{n % 30}", synthetic=True)
        for n in range(60)
    ]
    training, validation = split_chests([chest, *phantoms], DataConfig(fold=3))
    assert chest in training
    assert chest in validation
    persons = [{c.patient_id for c in part if c.synthetic} for part in (training, validation)]
    assert not persons[0] & persons[1]
    assert len(persons[0] | persons[1]) == 30
    assert 0 < len(persons[1]) < 3 * 30 / FOLDS


def test_a_chest_of_a_held_out_patient_is_refused(chest):
    held_out = replace(chest, name="scan", patient_id="LIDC-IDRI-0012")
    with pytest.raises(UsageError, match=r"scan is of patient LIDC-IDRI-0012, who is held out by"):
        split_chests([held_out], DataConfig(held_out="held_out_masses"))


def test_fine_tuning_is_refused(config_path, tmp_path):
    settings = yaml.safe_load(config_path.read_text())
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings | {"start_from": "mass_detector"}))
    with pytest.raises(UsageError, match="a mass_detector cannot be fine-tuned, got 'mass_detect"):
        read_training_config(path)


def test_a_picture_shows_the_slice_with_most_mass_in_four_panes():
    image = torch.full((1, 3, 16, 16, 16), -1000, dtype=torch.int16)
    labels = torch.zeros((1, 16, 16, 16), dtype=torch.uint8)
    labels[0, 5, 4:12, 4:12] = MASS
    labels[0, 5, 0, 0] = IGNORED
    logits = torch.full((1, 1, 16, 16, 16), -9.0)
    (picture,) = mass_pictures({"image": image, "labels": labels}, logits)
    assert picture.shape == (16, 64)
    assert np.count_nonzero(picture[:, 32:48] == 255) == 64
    assert picture[0, 32] == 127
    assert not picture[:, :32].any()
