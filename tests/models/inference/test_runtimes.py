import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from hounsfield.models.inference.loading import load_models
from hounsfield.models.inference.runtimes import (
    load_network,
    openvino_core,
    openvino_network,
    torch_network,
)
from hounsfield.models.networks.centre_heatmap import SIZE_DIVISOR
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.networks.onnx_graph import GraphSpec, network_graph
from hounsfield.models.store.export import onnx_model
from hounsfield.models.store.folders import (
    STORE,
    list_models,
    model_folder,
    read_manifest,
    verified_graph,
    verified_weights,
)
from hounsfield.models.store.manifest import Manifest
from hounsfield.models.store.publishing import half_precision_weights
from hounsfield.preprocessing.errors import UsageError

SMALL = {"stem_channels": 4, "stage_channels": (8, 8, 8), "pyramid_channels": 8}
TOLERANCE = 1e-4
"""Of a logit: what the order of additions in float32 may change."""


@pytest.fixture(scope="module")
def made():
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
def test_openvino_and_torch_give_the_same_marks(made, shape):
    weights, graph = made
    image = np.random.default_rng(1).random(shape, np.float32)
    fast = openvino_network(weights, graph, threads=1)(image)
    plain = torch_network(weights, lambda: CentreNet(**SMALL), threads=1)(image)
    assert fast.shape == plain.shape
    assert np.abs(plain).max() > 1
    np.testing.assert_allclose(fast, plain, atol=TOLERANCE, rtol=TOLERANCE)


def test_one_and_two_threads_and_every_repetition_give_the_same_bytes(made):
    weights, graph = made
    image = np.random.default_rng(2).random((1, 1, 64, 48, 80), np.float32)
    answers = [openvino_network(weights, graph, threads=n)(image).tobytes() for n in (1, 2, 1, 2)]
    assert len(set(answers)) == 1


def test_a_signal_is_survived_after_networks_end_in_any_order(made, tmp_path):
    for name, content in zip(("weights", "graph"), made, strict=True):
        (tmp_path / name).write_bytes(content)
    code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from hounsfield.models.inference.runtimes import openvino_network\n"
        "weights, graph = (Path(name).read_bytes() for name in ('weights', 'graph'))\n"
        "networks = [openvino_network(weights, graph, threads=1) for _ in range(3)]\n"
        "while networks:\n"
        "    networks.pop(0)\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('heard'))\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stdout) == (0, "heard\n")


def test_the_graph_holds_no_weights_and_follows_what_it_is_given(made):
    weights, graph = made
    assert len(graph) < 200_000
    image = np.ones((1, 1, 16, 16, 16), np.float32)
    other = half_precision_weights(CentreNet(**SMALL))
    one, another = (openvino_network(w, graph, threads=1)(image) for w in (weights, other))
    assert not np.allclose(one, another)


def test_without_a_graph_torch_runs_whatever_is_asked_for(made):
    weights, _ = made
    network = load_network(
        weights, graph=None, build=lambda: CentreNet(**SMALL), threads=1, runtime="openvino"
    )
    assert network(np.zeros((1, 1, 16, 16, 16), np.float32)).shape == (1, 5, 4, 4, 4)


def test_a_graph_that_was_changed_is_refused(tmp_path):
    source = STORE / "nodule_classifier"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "graph.onnx").write_bytes(b"another")
    with pytest.raises(UsageError, match=r"graph\.onnx is not the file its manifest speaks of"):
        verified_graph(tmp_path)


def test_an_exported_model_says_the_same_and_what_it_is(tmp_path):
    folder = model_folder("nodule_classifier")
    (tmp_path / "model.onnx").write_bytes(onnx_model(folder))
    image = np.random.default_rng(4).random((2, 2, 40, 40, 40), np.float32)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    exported = openvino_core().compile_model(tmp_path / "model.onnx", "CPU", settings)
    own = openvino_network(verified_weights(folder), verified_graph(folder), threads=1)
    np.testing.assert_allclose(exported(image)[0], own(image), atol=TOLERANCE)
    (told,) = onnx.load(tmp_path / "model.onnx").metadata_props
    assert Manifest.model_validate_json(told.value) == read_manifest(folder)


def test_a_model_without_a_graph_is_not_exported(tmp_path):
    source = model_folder("nodule_classifier")
    manifest = read_manifest(source).model_copy(update={"graph_sha256": None})
    (tmp_path / "manifest.json").write_text(manifest.model_dump_json())
    with pytest.raises(UsageError, match="it has no graph"):
        onnx_model(tmp_path)


def test_every_shipped_model_runs_without_torch():
    for manifest in list_models():
        folder = model_folder(manifest.name)
        openvino_network(verified_weights(folder), verified_graph(folder), threads=1)


def test_the_shipped_models_say_the_same_in_both_runtimes():
    image = np.random.default_rng(3).random((2, 2, 40, 40, 40), np.float32)
    rows = []
    for runtime in ("openvino", "torch"):
        names = {"detector": "nodule_detector", "classifier": "nodule_classifier"}
        classifier = load_models(**names, threads=1, runtime=runtime).classifier
        rows.append(classifier._network(image))
    # Noise is like nothing it knows: evidence of -50, of which float32 keeps six digits.
    np.testing.assert_allclose(*rows, rtol=1e-5, atol=1e-4)


def test_a_run_on_a_processor_imports_neither_torch_nor_monai():
    code = (
        "import sys; from hounsfield.models.inference.loading import load_models; "
        "import hounsfield.pipeline.analysis.series; "
        "load_models(detector='nodule_detector', classifier='nodule_classifier', threads=1, "
        "runtime='openvino'); print({'torch', 'monai'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
