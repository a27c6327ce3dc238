import json

import pytest
import torch
from typer.testing import CliRunner

from hounsfield.models.inference.loading import load_detector
from hounsfield.models.inference.retina_detector import RetinaDetector
from hounsfield.models.networks.retina_net import RetinaConfig, retina_net
from hounsfield.models.store import bundle_import
from hounsfield.models.store.bundle_import import HU_WINDOW, SPACING_MM, import_bundle
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.pipeline.cli.main import app
from hounsfield.pipeline.config import load_config
from hounsfield.preprocessing.errors import UsageError


@pytest.fixture(scope="module")
def weights():
    """Entries with the names and shapes of the bundle's, all zero."""
    with torch.device("meta"):
        expected = retina_net(RetinaConfig()).state_dict()
    return {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in expected.items()}


def a_bundle(folder, weights):
    (folder / "models").mkdir(parents=True)
    (folder / "configs").mkdir()
    torch.save(weights, folder / "models" / "model.pt")
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": "0.6.9"}))
    return folder


def test_an_imported_bundle_is_a_model_that_the_shipped_configuration_names(
    tmp_path, weights, monkeypatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    # Exporting the whole network takes seconds; test_retina_detector exports a small one.
    monkeypatch.setattr(bundle_import, "export_graph", lambda _: None)
    source = a_bundle(tmp_path / "bundle", weights)
    result = CliRunner().invoke(app, ["models", "import", str(source)])
    assert result.exit_code == 0, result.output
    assert "--config monai_luna16" in result.output
    folder = model_folder(load_config("monai_luna16").models.detector)
    assert folder == tmp_path / "data" / "hounsfield" / "models" / "monai_luna16"
    manifest = read_manifest(folder)
    assert (manifest.version, manifest.spacing_mm, manifest.hu_window) == (
        "0.6.9",
        SPACING_MM,
        HU_WINDOW,
    )
    assert isinstance(load_detector(folder, threads=1), RetinaDetector)
    listed = CliRunner().invoke(app, ["models", "list"]).output
    assert "monai_luna16 0.6.9 (detector)" in listed
    assert "plain scores" in CliRunner().invoke(app, ["models", "show", "monai_luna16"]).output
    assert "monai_luna16" in CliRunner().invoke(app, ["models", "verify"]).output


def test_missing_unknown_and_reshaped_entries_are_refused_by_name(tmp_path, weights):
    changed = dict(weights)
    del changed["regression_head.bbox_reg.bias"]
    changed["fc.weight"] = torch.zeros(2)
    changed["classification_head.cls_logits.bias"] = torch.zeros(5)
    source = a_bundle(tmp_path / "bundle", changed)
    with pytest.raises(UsageError) as caught:
        import_bundle(source, name="other", folder=tmp_path / "out")
    message = str(caught.value)
    assert "which has 190 entries: 1 missing ('regression_head.bbox_reg.bias')" in message
    assert "1 unknown ('fc.weight')" in message
    assert "'classification_head.cls_logits.bias' ((5,), expected (3,))" in message
    assert not (tmp_path / "out").exists()


class CodeInAPickle:
    def __reduce__(self):
        return (print, ("this ran",))


def test_a_weight_file_with_code_is_refused_and_the_code_not_run(tmp_path, capsys):
    path = tmp_path / "model.pt"
    torch.save({"weight": CodeInAPickle()}, path)
    with pytest.raises(UsageError, match="does not contain plain PyTorch weights"):
        import_bundle(path, name="other", folder=tmp_path / "out")
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_file_without_weights_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"model\.pt does not contain plain PyTorch weights"):
        import_bundle(path, name="other", folder=tmp_path / "out")


def test_a_folder_without_a_weight_file_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(UsageError, match=r"give the bundle's folder or its model\.pt"):
        import_bundle(tmp_path, name="other", folder=tmp_path / "out")


def test_the_name_of_a_shipped_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="comes with Hounsfield"):
        import_bundle(tmp_path, name="nodule_detector", folder=tmp_path / "out")
