import pytest
import yaml
from safetensors.torch import load

from hounsfield.models.store.folders import read_manifest, verified_weights
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.models.training.engine.fine_tuning import begin_with
from hounsfield.models.training.segmenter.task import segmenter_task
from hounsfield.models.training.train import run_training
from hounsfield.preprocessing.errors import UsageError
from tests.models.training.toy_material import a_segmenter_recipe


@pytest.fixture
def first(tmp_path):
    """A model that was trained on fold 2, with 0 kept for testing and 1 for validation."""
    run_training(a_segmenter_recipe(tmp_path), tmp_path / "first")
    return tmp_path / "first"


def a_recipe_from(start, **changes):
    """The same recipe, started from a model."""
    path = start.parent / "recipe.yaml"
    settings = yaml.safe_load(path.read_text()) | {"start_from": str(start)} | changes
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_training_begins_with_the_weights_of_the_model_it_starts_from(first):
    config = read_training_config(a_recipe_from(first, seed=9))
    network = segmenter_task(config).network
    assert begin_with(config, network).sha256 == read_manifest(first).sha256
    told = load(verified_weights(first))
    assert all((network.state_dict()[name] == value).all() for name, value in told.items())


def test_the_new_model_tells_what_it_began_with_and_that_this_was_trained_on_too(first, tmp_path):
    other = read_manifest(first)
    older = other.training_material[0].model_copy(update={"name": "older"})
    kept = other.model_copy(update={"training_material": (*other.training_material, older)})
    (first / "manifest.json").write_text(kept.model_dump_json())
    manifest = run_training(a_recipe_from(first), tmp_path / "second")
    assert manifest.trained_with.fine_tuned_from.sha256 == other.sha256
    assert manifest.training_material == kept.training_material
    card = (tmp_path / "second" / "README.md").read_text()
    assert f"Began with: toy_segmenter 0.1.0 (sha256 `{other.sha256}`)" in card


def test_a_stopped_training_does_not_begin_anew(first, tmp_path):
    recipe, out = a_recipe_from(first), tmp_path / "second"
    once = run_training(recipe, out)
    again = run_training(recipe, out)
    assert again.sha256 == once.sha256 != read_manifest(first).sha256


def test_a_model_that_saw_what_is_kept_apart_here_is_refused(first):
    config = read_training_config(a_recipe_from(first), fold=1)  # fold 2 validates now
    with pytest.raises(UsageError, match=r"trained on 2 of the series that fold 1 keeps .* lungs"):
        begin_with(config, segmenter_task(config).network)


def test_fold_stands_for_the_fold_that_is_tested_on(first):
    first.rename(first.parent / "fold-0")
    config = read_training_config(a_recipe_from(first.parent / "fold-{fold}"))
    assert begin_with(config, segmenter_task(config).network).name == "toy_segmenter"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"start_from": "nothing"}, "there is no model 'nothing'"),
        ({"start_from": "nodule_rater"}, "is a rater, the recipe makes a"),
        ({"network": {"channels": [4, 6], "residual_units": 1}}, r"do not fit .* has .*\[4, 8\]"),
    ],
)
def test_what_cannot_be_started_from_is_one_sentence(first, changes, wrong):
    config = read_training_config(a_recipe_from(first, **changes))
    with pytest.raises(UsageError, match=wrong):
        begin_with(config, segmenter_task(config).network)


def test_a_recipe_that_starts_from_chance_keeps_its_hash(first):
    config = read_training_config(first.parent / "recipe.yaml")
    assert config.sha256() == read_manifest(first).trained_with.config_sha256
    assert read_training_config(a_recipe_from(first)).sha256() != config.sha256()
