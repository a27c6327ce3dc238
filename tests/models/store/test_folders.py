import json

import pytest

from hounsfield.models.inference.loading import load_models
from hounsfield.models.store.folders import (
    GRAPH_FILE,
    STORE,
    installed_models,
    list_models,
    model_folder,
    read_manifest,
    verified_graph,
    verified_weights,
)
from hounsfield.preprocessing.errors import UsageError

SHIPPED = sorted(folder.parent for folder in STORE.glob("*/manifest.json"))

shipped = pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)


@pytest.fixture
def copied_model(tmp_path):
    """A writable copy of a shipped model's folder."""
    for path in SHIPPED[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def flip_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_all_shipped_weights_together_stay_below_twenty_megabytes():
    # Every clone and wheel carries them: five networks take 7 MB, a mass detector another 3.4.
    assert SHIPPED
    assert all(path.stat().st_size < 5e6 for path in STORE.rglob("*"))
    assert sum(path.stat().st_size for path in STORE.rglob("*.safetensors*")) < 20e6


@shipped
def test_shipped_weights_and_graphs_match_their_manifest(folder):
    assert verified_weights(folder)
    assert verified_graph(folder)


@shipped
def test_a_shipped_manifest_says_what_it_was_trained_on_and_how_to_reproduce_it(folder):
    manifest = read_manifest(folder)
    assert manifest.name == folder.name
    assert manifest.training_material
    assert manifest.limits
    assert (STORE.parent.parent / manifest.trained_with.config).is_file()
    assert "LIDC-IDRI-0001" not in manifest.model_dump_json()  # held out for the final score


def test_changed_weights_are_refused(copied_model):
    flip_last_bit(copied_model / read_manifest(copied_model).weights)
    with pytest.raises(UsageError, match=r"weights\.safetensors\.gz does not match its manifest"):
        verified_weights(copied_model)


def test_a_changed_graph_is_refused(copied_model):
    flip_last_bit(copied_model / GRAPH_FILE)
    with pytest.raises(UsageError, match=r"graph\.onnx does not match its manifest"):
        verified_graph(copied_model)


def test_missing_weights_are_refused(copied_model):
    (copied_model / read_manifest(copied_model).weights).unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        verified_weights(copied_model)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "manifest.json: name: Field required"),
        ("no JSON", "manifest.json: not JSON: expected"),
    ],
)
def test_a_damaged_manifest_is_refused_by_its_path_and_fault(tmp_path, content, message):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"manifest\.json cannot be read: No such file"):
        read_manifest(tmp_path)


def test_a_manifest_of_version_1_is_read_with_the_keys_of_version_2(tmp_path):
    manifest = read_manifest(STORE / "nodule_classifier")
    data = json.loads(manifest.model_dump_json())
    data["manifest_version"] = 1
    distribution = data.pop("training_distribution")
    data["familiarity"] = {
        "mean": distribution["mean"],
        "scale": distribution["standard_deviation"],
        "precision": distribution["precision"],
        "limit": distribution["max_distance"],
    }
    data["trained_with"]["started_from"] = data["trained_with"].pop("fine_tuned_from")
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    assert read_manifest(tmp_path) == manifest


def test_the_network_settings_of_an_imported_bundle_of_version_1_are_read(tmp_path):
    data = json.loads(read_manifest(STORE / "nodule_detector").model_dump_json())
    data["manifest_version"] = 1
    data["network"] = {"lowest_score": 0.02, "most_boxes_a_level": 9, "largest_overlap": 0.2}
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    expected = {"min_score": 0.02, "max_boxes_per_level": 9, "max_overlap": 0.2}
    assert read_manifest(tmp_path).network == expected


def test_an_unknown_model_is_refused_with_the_known_names():
    with pytest.raises(UsageError, match=r"no model 'nothing'; known: .*nodule_detector"):
        model_folder("nothing")


def test_a_model_is_found_by_the_path_of_its_folder(copied_model):
    assert model_folder(str(copied_model)) == copied_model


def test_installed_models_are_those_of_all_stores(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.json").write_bytes((SHIPPED[0] / "manifest.json").read_bytes())
    names = [manifest.name for manifest in installed_models((STORE, tmp_path))]
    assert names == [*(path.name for path in SHIPPED), SHIPPED[0].name]


def test_without_any_model_the_searched_folders_and_the_remedy_are_named(tmp_path):
    stores = (tmp_path / "shipped", tmp_path / "own")
    assert list_models(stores[0]) == []
    with pytest.raises(UsageError, match="no models are installed") as caught:
        installed_models(stores)
    assert f"searched {stores[0]} and {stores[1]}" in str(caught.value)
    assert "hounsfield models import" in str(caught.value)


def test_a_detector_cannot_be_used_as_classifier():
    sentence = "a classifier is needed, but nodule_detector is a detector"
    with pytest.raises(UsageError, match=sentence):
        load_models(detector="nodule_detector", classifier="nodule_detector", threads=1)
