from pathlib import Path

import pytest
import yaml

from hounsfield.models.training.configuration import read_training_config
from hounsfield.preprocessing.errors import UsageError

CONFIGS = Path(__file__).parents[3] / "configs"
SHIPPED = sorted(CONFIGS.glob("train_*.yaml"))
TASKS = ("classifier", "detector", "mass_detector", "rater", "reducer", "retinanet", "segmenter")


def changed(tmp_path, name, change):
    """A copy of a shipped configuration with some settings changed."""
    settings = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    change(settings)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid_and_holds_out_the_test_scan(path):
    data = read_training_config(path).data
    if Path("prepared/luna16") not in data.cases:  # LUNA16's own folds hold scans out
        assert "LIDC-IDRI-0001" in data.held_out_patients


def test_every_task_has_a_shipped_configuration():
    for task in TASKS:
        assert read_training_config(CONFIGS / f"train_{task}.yaml").task == task


@pytest.mark.parametrize("task", TASKS)
def test_an_unknown_sampling_setting_is_named_with_the_file_that_shows_all(tmp_path, task):
    path = changed(
        tmp_path, f"train_{task}", lambda settings: settings["sampling"].update(x_share=1)
    )
    with pytest.raises(
        UsageError,
        match=rf"config\.yaml: sampling\.x_share: .*; configs/train_{task}\.yaml shows every",
    ):
        read_training_config(path)


def test_an_unknown_setting_at_the_top_is_named(tmp_path):
    path = changed(tmp_path, "train_rater", lambda settings: settings.update(epochs=3))
    with pytest.raises(UsageError, match=r"config\.yaml: epochs: "):
        read_training_config(path)


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "train_detector",
            lambda settings: settings["sampling"].update(real_probability=1.5),
            r"sampling\.real_probability: .*less than or equal to 1",
        ),
        (
            "train_detector",
            lambda settings: settings["sampling"].update(hu_window=[-1000]),
            r"sampling\.hu_window\.1: Field required",
        ),
        (
            "train_classifier",
            lambda settings: settings["sampling"].update(class_weights=[1, 1, 1]),
            r"sampling\.class_weights\.3: Field required",
        ),
        (
            "train_segmenter",
            lambda settings: settings["sampling"].update(real_probability=0.5),
            r"sampling: real_probability, .* must sum to 1, got 1\.15",
        ),
        (
            "train_segmenter",
            lambda settings: settings["sampling"].update(part_solid_probability=0.9),
            r"sampling: part_solid_probability and .* must sum to 1 at most",
        ),
        (
            "train_reducer",
            lambda settings: settings["sampling"].pop("detector"),
            r"sampling\.detector: Field required",
        ),
        (
            "train_detector",
            lambda settings: settings["optimisation"].update(batch=0),
            r"optimisation\.batch: .*greater than 0",
        ),
        (
            "train_segmenter",
            lambda settings: settings["data"].update(calibration=["prepared/calibration"]),
            r"yaml: data\.calibration: only a classifier takes it, not a segmenter",
        ),
        (
            "train_rater",
            lambda settings: settings.update(task="recipe"),
            r"task: must be one of classifier, detector, mass_detector, rater, reducer, retinanet",
        ),
        (
            "train_rater",
            lambda settings: settings.pop("task"),
            r"task: must be one of classifier",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(tmp_path, name, change, sentence):
    with pytest.raises(UsageError, match=sentence) as refused:
        read_training_config(changed(tmp_path, name, change))
    assert "\n" not in str(refused.value)


def test_the_hash_changes_with_any_setting():
    config = read_training_config(SHIPPED[0])
    assert config.sha256() == read_training_config(SHIPPED[0]).sha256()
    assert config.model_copy(update={"seed": config.seed + 1}).sha256() != config.sha256()
    sampling = config.sampling.model_copy(update={"real_probability": 0.123})
    assert config.model_copy(update={"sampling": sampling}).sha256() != config.sha256()


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_training_config(tmp_path / "none.yaml")


def test_a_file_that_is_not_a_mapping_is_one_sentence(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"list\.yaml: must hold keys with values, got list"):
        read_training_config(path)
