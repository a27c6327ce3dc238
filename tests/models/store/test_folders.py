import json

import pytest

from hounsfield.models.inference.loading import load_models
from hounsfield.models.store.folders import STORE, list_models, model_folder, verified_weights
from hounsfield.models.store.manifest import Manifest
from hounsfield.preprocessing.errors import UsageError

SHIPPED = sorted(folder.parent for folder in STORE.glob("*/manifest.json"))


def test_all_shipped_weights_together_stay_below_ten_megabytes():
    assert SHIPPED
    assert all(path.stat().st_size < 5e6 for path in STORE.rglob("*"))
    assert sum(path.stat().st_size for path in STORE.rglob("*.safetensors*")) < 10e6


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_weights_are_those_of_their_manifest_and_have_a_card(folder):
    assert verified_weights(folder)
    assert "Trained on" in (folder / "README.md").read_text(encoding="utf-8")


def test_weights_that_were_changed_are_refused(tmp_path):
    source = SHIPPED[0]
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    content = bytearray((source / manifest["weights"]).read_bytes())
    content[-1] ^= 1
    (tmp_path / manifest["weights"]).write_bytes(content)
    with pytest.raises(UsageError, match="is not the file its manifest speaks of"):
        verified_weights(tmp_path)


def test_an_unknown_model_is_named_with_those_that_are_known():
    with pytest.raises(UsageError, match=r"no model 'nothing'; known: .*nodule_detector"):
        model_folder("nothing")


def test_a_detector_cannot_be_used_as_classifier():
    with pytest.raises(UsageError, match="nodule_detector is a detector, but a classifier"):
        load_models(detector="nodule_detector", classifier="nodule_detector", threads=1)


def test_every_manifest_says_what_it_was_trained_on_and_how_to_repeat_it():
    for manifest in list_models():
        assert isinstance(manifest, Manifest)
        assert manifest.training_material
        assert manifest.trained_with.config.startswith("configs/")
        assert "LIDC-IDRI-0001" not in manifest.model_dump_json()
