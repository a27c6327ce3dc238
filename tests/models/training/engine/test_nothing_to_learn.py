"""A training that has nothing to learn from is refused before its first step, whatever its task."""

import numpy as np
import pytest
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.models.training.detector.calibration import validate_detector
from hounsfield.models.training.engine.material import require_nodules
from hounsfield.models.training.masses.chests import PHANTOMS, Chest
from hounsfield.models.training.train import run_training
from hounsfield.pipeline.config import CONFIGS_FOLDER
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.training.prepared_folder import write_prepared_folder

FOLDS = 3
TASKS = ("detector", "reducer", "retinanet", "segmenter", "rater")
CENTRE = (20.0, 20.0, 20.0)


def a_case(uid, *findings, nodule_mask=None):
    hu = np.full((40, 40, 40), -850, np.int16)
    lungs = np.full(hu.shape, RIGHT_LUNG, np.uint8)
    volume = WorkingVolume(hu, lungs, np.ones(hu.shape, bool), np.eye(4))
    return PreparedCase(uid, uid, volume, findings, synthetic=False, nodule_mask=nodule_mask)


def write_config(folder, task, findings_by_fold, **changes):
    """The shipped configuration of a task on series of three folds, and no single nodules."""
    cases = [a_case(f"1.{fold}", *findings) for fold, findings in enumerate(findings_by_fold)]
    write_prepared_folder(folder / "cases", "ct-table", cases)
    settings = yaml.safe_load((CONFIGS_FOLDER / f"train_{task}.yaml").read_text())
    data = {"cases": [str(folder / "cases")], "nodules": [], "fold": 0, "held_out": None}
    settings |= {"data": data}
    for section, values in changes.items():
        settings[section] |= values
    path = folder / f"{task}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def refusal_of(config, folder):
    with pytest.raises(UsageError) as refusal:
        run_training(config, folder / "out")
    assert not (folder / "out" / "checkpoint.pt").exists()
    return str(refusal.value)


@pytest.mark.parametrize("task", TASKS)
def test_a_training_without_nodules_is_refused_with_the_numbers(tmp_path, task):
    sentence = refusal_of(write_config(tmp_path, task, [()] * FOLDS), tmp_path)
    series = 0 if task == "rater" else 1
    assert f"no nodule in the training part: 0 nodules in {series} series of" in sentence
    assert "choose another data.fold" in sentence


@pytest.mark.parametrize("task", ["detector", "reducer", "retinanet"])
def test_a_validation_without_nodules_is_refused_too(tmp_path, task):
    ignored = KnownFinding(CENTRE, 9.0, ignored=True)
    config = write_config(tmp_path, task, [(), (ignored,), (KnownFinding(CENTRE, 9.0),)])
    assert "no nodule in the validation part: 0 nodules in" in (refusal_of(config, tmp_path))


def test_a_classifier_of_one_class_is_refused(tmp_path):
    finding = KnownFinding(CENTRE, 9.0, histology="normal")
    sampling = {"synthetic_carcinoma_weight": 0.0, "detector": None}
    config = write_config(tmp_path, "classifier", [(finding,)] * FOLDS, sampling=sampling)
    assert refusal_of(config, tmp_path).startswith("all samples are normal: 1 findings of data")


def test_a_rater_whose_nodules_are_all_benign_is_refused(tmp_path):
    config = write_config(tmp_path, "rater", [()] * FOLDS)
    nodules = [
        a_case(
            f"2.{fold}",
            KnownFinding(CENTRE, 9.0, malignancy=1.0),
            nodule_mask=np.full((40, 40, 40), 255, np.uint8),
        )
        for fold in range(FOLDS)
    ]
    write_prepared_folder(tmp_path / "nodules", "nodule-crops", nodules)
    settings = yaml.safe_load(config.read_text())
    settings["data"] |= {"nodules": [str(tmp_path / "nodules")]}
    config.write_text(yaml.safe_dump(settings))
    assert "rated 1 or 2 in the training part, got 0 and 1 among 1" in refusal_of(config, tmp_path)


def test_chests_without_lungs_are_refused(tmp_path):
    empty = np.zeros((30, 30, 30), np.uint8)
    hu = np.zeros(empty.shape, np.int16)
    chest = Chest("phantom-1", "1", True, hu, empty, empty.astype(bool), PHANTOMS)
    (tmp_path / "chests").mkdir()
    chest.save(tmp_path / "chests")
    settings = yaml.safe_load((CONFIGS_FOLDER / "train_mass_detector.yaml").read_text())
    settings["data"] |= {"cases": [str(tmp_path / "chests")], "held_out": None}
    config = tmp_path / "masses.yaml"
    config.write_text(yaml.safe_dump(settings))
    assert "there is no lung to put masses into in the training part: 0 of" in (
        refusal_of(config, tmp_path)
    )


def test_findings_to_ignore_are_no_nodules():
    case = a_case("1.1", KnownFinding(CENTRE, 9.0, ignored=True))
    with pytest.raises(UsageError, match=r"0 nodules in 1 series .* \(1 findings to ignore\)"):
        require_nodules([case], (), part="training")
    require_nodules([a_case("1.1", KnownFinding(CENTRE, 9.0))], (), part="training")


def test_a_detector_is_not_published_without_a_held_out_nodule():
    class FindsNothing:
        def detect(self, _volume):
            return []

    with pytest.raises(UsageError, match="the held-out data hold no nodule: 0 in 1 series"):
        validate_detector(FindsNothing(), [a_case("1.1")], (), rounds=1, seed=1)
