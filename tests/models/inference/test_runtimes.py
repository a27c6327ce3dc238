import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from hounsfield.models.inference.runtimes import (
    gpu_available,
    load_network,
    openvino_core,
    openvino_network,
    prefers_openvino,
    torch_network,
)
from hounsfield.models.networks.centre_heatmap import SIZE_DIVISOR
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.networks.onnx_graph import GraphSpec, network_graph
from hounsfield.models.store.export import onnx_model
from hounsfield.models.store.folders import (
    list_models,
    model_folder,
    read_manifest,
    verified_graph,
    verified_weights,
)
from hounsfield.models.store.manifest import Manifest
from hounsfield.models.store.publishing import half_precision_weights
from hounsfield.preprocessing.errors import UsageError
from tests.models.shipped import ARCHITECTURES, INPUT_SHAPES

SMALL = {"stem_channels": 4, "stage_channels": (8, 8, 8), "pyramid_channels": 8}
TOLERANCE = 1e-4
"""Largest difference of a logit: the order of additions in float32 may change this much."""


def in_a_new_process(code, *arguments, **options):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def small_model():
    """Weights and graph of a small network."""
    torch.manual_seed(0)
    network = CentreNet(**SMALL)
    for name, value in network.state_dict().items():
        if "running_var" in name:
            value.uniform_(0.5, 2.0)
        elif value.is_floating_point():
            value.add_(0.1 * torch.randn_like(value))
    graph = network_graph(network, GraphSpec((1, 32, 32, 32), divisors=(SIZE_DIVISOR,) * 3))
    return half_precision_weights(network), graph


@pytest.mark.parametrize("shape", [(1, 1, 32, 32, 32), (2, 1, 16, 48, 64)])
def test_openvino_and_torch_return_the_same_output(small_model, shape):
    weights, graph = small_model
    image = np.random.default_rng(1).random(shape, np.float32)
    by_openvino = openvino_network(weights, graph, threads=1)(image)
    by_torch = torch_network(weights, lambda: CentreNet(**SMALL), threads=1)(image)
    assert by_openvino.shape == by_torch.shape
    assert np.abs(by_torch).max() > 1
    np.testing.assert_allclose(by_openvino, by_torch, atol=TOLERANCE, rtol=TOLERANCE)


def test_neither_threads_nor_repetition_change_a_bit(small_model):
    weights, graph = small_model
    image = np.random.default_rng(2).random((1, 1, 64, 48, 80), np.float32)
    outputs = [openvino_network(weights, graph, threads=n)(image).tobytes() for n in (1, 2, 1, 2)]
    assert len(set(outputs)) == 1


def test_a_process_survives_a_signal_after_networks_were_destroyed(small_model, tmp_path):
    for name, content in zip(("weights", "graph"), small_model, strict=True):
        (tmp_path / name).write_bytes(content)
    code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from hounsfield.models.inference.runtimes import openvino_network\n"
        "weights, graph = (Path(name).read_bytes() for name in ('weights', 'graph'))\n"
        "networks = [openvino_network(weights, graph, threads=1) for _ in range(3)]\n"
        "while networks:\n"
        "    networks.pop(0)\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('handled'))\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
    )
    process = in_a_new_process(code, cwd=tmp_path)
    assert (process.returncode, process.stdout) == (0, "handled\n")


def test_a_graph_holds_no_weights_and_runs_with_those_it_is_given(small_model):
    weights, graph = small_model
    assert len(graph) < 200_000
    image = np.ones((1, 1, 16, 16, 16), np.float32)
    others = half_precision_weights(CentreNet(**SMALL))
    outputs = [openvino_network(each, graph, threads=1)(image) for each in (weights, others)]
    assert not np.allclose(*outputs)


def test_a_model_without_a_graph_runs_in_torch_whatever_is_configured(small_model):
    weights, _ = small_model
    network = load_network(
        weights, graph=None, build=lambda: CentreNet(**SMALL), threads=1, runtime="openvino"
    )
    assert network(np.zeros((1, 1, 16, 16, 16), np.float32)).shape == (1, 5, 4, 4, 4)


def test_without_torch_a_network_that_needs_it_is_refused(small_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match="needs torch, which is not installed"):
        torch_network(small_model[0], lambda: CentreNet(**SMALL), threads=1)


def test_without_a_driver_torch_is_not_imported(tmp_path):
    def torch_sees_gpu():
        pytest.fail("torch was imported")

    assert not gpu_available(tmp_path / "nvidiactl", torch_sees_gpu)


@pytest.mark.parametrize("cuda", [False, True])
def test_with_a_driver_there_is_a_gpu_where_torch_can_use_one(tmp_path, cuda):
    device = tmp_path / "nvidiactl"
    device.touch()
    assert gpu_available(device, lambda: cuda) is cuda


def test_with_a_driver_but_without_torch_there_is_no_gpu(tmp_path, monkeypatch):
    device = tmp_path / "nvidiactl"
    device.touch()
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not gpu_available(device)


@pytest.mark.parametrize(
    ("runtime", "gpu", "openvino"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("openvino", True, True),
        ("torch", False, False),
    ],
)
def test_auto_is_torch_on_a_gpu_and_openvino_without_one(runtime, gpu, openvino):
    assert prefers_openvino(runtime, lambda: gpu) is openvino


def test_an_exported_model_returns_the_same_output_and_contains_its_manifest(tmp_path):
    folder = model_folder("nodule_classifier")
    (tmp_path / "model.onnx").write_bytes(onnx_model(folder))
    image = np.random.default_rng(4).random((2, 2, 40, 40, 40), np.float32)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    exported = openvino_core().compile_model(tmp_path / "model.onnx", "CPU", settings)
    own = openvino_network(verified_weights(folder), verified_graph(folder), threads=1)
    np.testing.assert_allclose(exported(image)[0], own(image), atol=TOLERANCE)
    (metadata,) = onnx.load(tmp_path / "model.onnx").metadata_props
    assert Manifest.model_validate_json(metadata.value) == read_manifest(folder)


def test_a_model_without_a_graph_cannot_be_exported(tmp_path):
    source = model_folder("nodule_classifier")
    manifest = read_manifest(source).model_copy(update={"graph_sha256": None})
    (tmp_path / "manifest.json").write_text(manifest.model_dump_json())
    with pytest.raises(UsageError, match="it has no graph"):
        onnx_model(tmp_path)


def test_every_shipped_model_has_an_input_to_be_tested_with():
    assert {manifest.name for manifest in list_models()} == set(INPUT_SHAPES)


def test_every_shipped_model_runs_without_torch():
    code = (
        "import json, sys\n"
        "import numpy as np\n"
        "from hounsfield.models.inference.runtimes import openvino_network\n"
        "from hounsfield.models.store.folders import (\n"
        "    model_folder, verified_graph, verified_weights)\n"
        "for name, shape in json.loads(sys.argv[1]).items():\n"
        "    folder = model_folder(name)\n"
        "    network = openvino_network(\n"
        "        verified_weights(folder), verified_graph(folder), threads=1)\n"
        "    assert np.isfinite(network(np.zeros(shape, np.float32))).all()\n"
        "    print(name)\n"
        "print({'torch', 'monai'} & set(sys.modules))\n"
    )
    process = in_a_new_process(code, json.dumps(INPUT_SHAPES))
    assert process.stdout.split("\n") == [*INPUT_SHAPES, "set()", ""], process.stderr


@pytest.mark.parametrize("name", INPUT_SHAPES)
def test_a_shipped_model_returns_the_same_output_in_both_runtimes(name):
    folder = model_folder(name)
    weights, manifest = verified_weights(folder), read_manifest(folder)
    image = np.random.default_rng(3).random(INPUT_SHAPES[name], np.float32)
    by_openvino = openvino_network(weights, verified_graph(folder), threads=1)(image)
    build = ARCHITECTURES[name]
    by_torch = torch_network(weights, lambda: build(**manifest.network), threads=1)(image)
    # Noise is unlike the training data: logits of -50, of which float32 keeps six digits.
    np.testing.assert_allclose(by_openvino, by_torch, rtol=1e-5, atol=1e-4)


def test_a_run_on_a_cpu_imports_neither_torch_nor_monai():
    code = (
        "import sys; from hounsfield.models.inference.loading import load_models; "
        "import hounsfield.pipeline.analysis.series; "
        "load_models(detector='nodule_detector', classifier='nodule_classifier', threads=1, "
        "runtime='openvino'); print({'torch', 'monai'} & set(sys.modules))"
    )
    process = in_a_new_process(code)
    assert process.stdout.strip() == "set()", process.stderr


def test_openvino_runs_without_its_telemetry(tmp_path):
    code = (
        "import sys\n"
        "from hounsfield.models.inference.runtimes import openvino_core\n"
        "openvino_core()\n"
        "print(sorted(name for name in sys.modules if name.startswith('openvino_telemetry.')))\n"
    )
    process = in_a_new_process(code, cwd=tmp_path)
    assert (process.returncode, process.stdout) == (0, "[]\n")
