from pathlib import Path

import pytest
import yaml

from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.preprocessing.errors import UsageError

CONFIGS = Path(__file__).parents[4] / "configs"
RECIPES = sorted(CONFIGS.glob("train_*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_read_and_keeps_the_unseen_scan_apart(recipe):
    data = read_training_config(recipe).data
    if Path("prepared/luna16") not in data.cases:  # LUNA16's own folds keep scans apart
        assert "LIDC-IDRI-0001" in data.held_out_patients


def test_a_wrong_setting_is_named(tmp_path):
    settings = yaml.safe_load(RECIPES[0].read_text(encoding="utf-8"))
    settings["optimisation"]["batch"] = 0
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(UsageError, match=r"optimisation\.batch: .*greater than 0"):
        read_training_config(path)


def test_the_hash_changes_with_any_setting():
    config = read_training_config(RECIPES[0])
    assert config.sha256() == read_training_config(RECIPES[0]).sha256()
    assert config.model_copy(update={"seed": config.seed + 1}).sha256() != config.sha256()


def test_only_a_classifier_is_calibrated_on_series_of_its_own(tmp_path):
    settings = yaml.safe_load((CONFIGS / "train_segmenter.yaml").read_text(encoding="utf-8"))
    settings["data"]["calibration"] = ["prepared/calibration"]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(UsageError, match=r"data\.calibration: only a classifier has one"):
        read_training_config(path)


def test_a_missing_recipe_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_training_config(tmp_path / "none.yaml")
