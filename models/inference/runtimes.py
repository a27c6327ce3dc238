"""Inference backends: OpenVINO on a CPU, torch on a GPU.

A model folder holds its weights once, as safetensors, beside the network as an ONNX graph whose
weights are inputs under the same names. OpenVINO joins both and needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from hounsfield.models.networks.onnx_graph import IMAGE
from hounsfield.preprocessing.errors import INSTALL_TRAIN, UsageError

if TYPE_CHECKING:
    import openvino
    from torch import nn

Runtime = Literal["auto", "openvino", "torch"]

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From a batch of images, float32 ``[n, channels, z, y, x]``, to the network's output."""

MultiOutputNetwork = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
"""The same for a network with several outputs."""

NVIDIA_DEVICE = Path("/dev/nvidiactl")
"""Exists where an NVIDIA driver is loaded, which does not mean that torch can use it."""


def load_network(
    weights: bytes,
    *,
    graph: bytes | None,
    build: Callable[[], nn.Module],
    threads: int,
    runtime: Runtime = "auto",
) -> Network:
    """Loads a network with one output into an inference backend.

    Args:
        weights: Content of a safetensors file.
        graph: ONNX graph without weights; None leaves torch as the only backend.
        build: Returns the network with random weights, for torch.
        threads: Maximum number of CPU threads per inference.
        runtime: ``auto`` takes torch where torch can use a GPU or there is no graph, else OpenVINO.

    Returns:
        The network as a function of a batch.

    Raises:
        UsageError: Only torch can run the network, and it is not installed.
    """
    if graph is not None and prefers_openvino(runtime):
        return openvino_network(weights, graph, threads=threads)
    return torch_network(weights, build, threads=threads)


def _torch_sees_gpu() -> bool:
    if find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def gpu_available(
    device: Path = NVIDIA_DEVICE, torch_sees_gpu: Callable[[], bool] = _torch_sees_gpu
) -> bool:
    """Checks whether torch can run on a GPU; without an NVIDIA driver torch is not imported.

    Args:
        device: Device file of the driver.
        torch_sees_gpu: Asks torch, which is slow: torch has to be imported. False where torch is
            not installed or was built for CPUs only.

    Returns:
        True where the driver is loaded and torch can use a GPU.
    """
    return device.exists() and torch_sees_gpu()


def prefers_openvino(runtime: Runtime, has_gpu: Callable[[], bool] = gpu_available) -> bool:
    """Chooses the backend of a network that has a graph.

    Args:
        runtime: The configured backend; ``auto`` takes torch on a GPU, else OpenVINO.
        has_gpu: Checks for a GPU; called for ``auto`` only.

    Returns:
        True for OpenVINO, False for torch.
    """
    return runtime == "openvino" or (runtime == "auto" and not has_gpu())


def openvino_network(weights: bytes, graph: bytes, *, threads: int) -> Network:
    """Loads a network with one output into OpenVINO.

    Args:
        weights: Content of a safetensors file.
        graph: ONNX graph whose inputs are the image and the weights.
        threads: Maximum number of CPU threads per inference.

    Returns:
        The network as a function of a batch.
    """
    outputs = openvino_outputs(weights, graph, threads=threads)
    return lambda image: outputs(image)[0]


def openvino_outputs(weights: bytes, graph: bytes, *, threads: int) -> MultiOutputNetwork:
    """Loads a network with any number of outputs into OpenVINO.

    It computes in float32, also on CPUs for which OpenVINO would choose a shorter type.

    Args:
        weights: Content of a safetensors file.
        graph: ONNX graph whose inputs are the image and the weights.
        threads: Maximum number of CPU threads per inference.

    Returns:
        The network as a function from a batch to the list of its outputs.
    """
    core = openvino_core()
    from openvino import opset15

    model = core.read_model(graph)
    values = load(weights)
    for parameter in model.get_parameters():
        name = parameter.output(0).get_any_name()
        if name != IMAGE:
            value = opset15.constant(values[name].astype(np.float32))
            parameter.output(0).replace(value.output(0))
            model.remove_parameter(parameter)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = core.compile_model(model, "CPU", settings)

    def run(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return list(compiled(image).values())

    return run


@cache
def openvino_core() -> openvino.Core:
    """Returns the one core of the process, which lives as long as the process.

    OpenVINO gives the thread that first compiles with a core an alternate signal stack. When cores
    are destroyed out of order, the thread keeps a pointer to a freed stack (OpenVINO 2026.4), and
    the next signal, such as an interrupt, kills the process.

    `openvino-telemetry`, which OpenVINO requires, sends an event to its maker whenever `openvino`
    is imported, and writes an identifier into the home directory. OpenVINO works without it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


def torch_network(weights: bytes, build: Callable[[], nn.Module], *, threads: int) -> Network:
    """Loads a network into torch, on a GPU if torch can use one.

    Args:
        weights: Content of a safetensors file with the state of the network.
        build: Returns the network with random weights.
        threads: Maximum number of CPU threads, for torch in the whole process.

    Returns:
        The network as a function of a batch.

    Raises:
        UsageError: torch is not installed.
        ValueError: The weights are those of another network.
    """
    try:
        import torch
        from safetensors.torch import load as load_tensors
        from torch.nn.utils import convert_conv3d_weight_memory_format
    except ImportError as error:
        msg = (
            f"this network needs torch, which is not installed: {INSTALL_TRAIN}, or set "
            "models.runtime to openvino"
        )
        raise UsageError(msg) from error
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tensors = load_tensors(weights)
    with torch.device("meta"):  # costs no memory, however large the settings make it
        expected = {name: value.shape for name, value in build().state_dict().items()}
    if expected != {name: value.shape for name, value in tensors.items()}:
        msg = "the network of these settings has other weights than the file"
        raise ValueError(msg)
    network = build()
    network.load_state_dict(tensors)  # widens 16-bit kernels
    network = convert_conv3d_weight_memory_format(network.eval().to(device), torch.channels_last_3d)

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(image).to(device, memory_format=torch.channels_last_3d)
        with torch.inference_mode():
            output: NDArray[np.float32] = network(batch).float().cpu().numpy()
        return output

    return run
