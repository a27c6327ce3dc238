import pytest
import yaml
from safetensors.torch import load

from hounsfield.models.store.folders import read_manifest, verified_weights
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.engine.fine_tuning import load_initial_weights
from hounsfield.models.training.segmenter.task import segmenter_task
from hounsfield.models.training.train import run_training
from hounsfield.preprocessing.errors import UsageError
from tests.models.training.toy_material import write_segmenter_config


@pytest.fixture
def first(tmp_path):
    """A model trained on fold 2, with fold 0 for testing and fold 1 for validation."""
    run_training(write_segmenter_config(tmp_path), tmp_path / "first")
    return tmp_path / "first"


def fine_tuning_config(start, **changes):
    """The same configuration, fine-tuning a model."""
    path = start.parent / "config.yaml"
    settings = yaml.safe_load(path.read_text()) | {"start_from": str(start)} | changes
    path.write_text(yaml.safe_dump(settings))
    return path


def test_the_weights_of_the_model_to_fine_tune_are_loaded(first):
    config = read_training_config(fine_tuning_config(first, seed=9))
    network = segmenter_task(config).network
    assert load_initial_weights(config, network).sha256 == read_manifest(first).sha256
    saved = load(verified_weights(first))
    assert all((network.state_dict()[name] == value).all() for name, value in saved.items())


def test_the_new_manifest_names_the_fine_tuned_model_and_lists_its_material_too(first, tmp_path):
    other = read_manifest(first)
    older = other.training_material[0].model_copy(update={"name": "older"})
    kept = other.model_copy(update={"training_material": (*other.training_material, older)})
    (first / "manifest.json").write_text(kept.model_dump_json())
    manifest = run_training(fine_tuning_config(first), tmp_path / "second")
    assert manifest.trained_with.fine_tuned_from.sha256 == other.sha256
    assert manifest.training_material == kept.training_material
    card = (tmp_path / "second" / "README.md").read_text()
    assert f"Fine-tuned from: toy_segmenter 0.1.0 (sha256 `{other.sha256}`)" in card


def test_a_finished_fine_tuning_gives_the_same_model_again(first, tmp_path):
    config_path, out = fine_tuning_config(first), tmp_path / "second"
    model = run_training(config_path, out)
    again = run_training(config_path, out)
    assert again.sha256 == model.sha256 != read_manifest(first).sha256


def test_a_model_trained_on_series_that_are_held_out_here_is_refused(first):
    config = read_training_config(fine_tuning_config(first), fold=1)  # fold 2 validates now
    with pytest.raises(
        UsageError, match=r"trained on 2 of the series that fold 1 holds out .* lungs"
    ):
        load_initial_weights(config, segmenter_task(config).network)


def test_fold_in_start_from_stands_for_the_test_fold(first):
    first.rename(first.parent / "fold-0")
    config = read_training_config(fine_tuning_config(first.parent / "fold-{fold}"))
    assert load_initial_weights(config, segmenter_task(config).network).name == "toy_segmenter"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"start_from": "nothing"}, "there is no model 'nothing'"),
        ({"start_from": "nodule_rater"}, "is a rater, but this configuration trains a segmenter"),
        ({"network": {"channels": [4, 6], "residual_units": 1}}, r"do not fit .* has .*\[4, 8\]"),
    ],
)
def test_a_model_that_cannot_be_fine_tuned_is_refused_in_one_sentence(first, changes, sentence):
    config = read_training_config(fine_tuning_config(first, **changes))
    with pytest.raises(UsageError, match=sentence):
        load_initial_weights(config, segmenter_task(config).network)


def test_start_from_is_part_of_the_hash(first):
    config = read_training_config(first.parent / "config.yaml")
    assert config.sha256() == read_manifest(first).trained_with.config_sha256
    assert read_training_config(fine_tuning_config(first)).sha256() != config.sha256()
