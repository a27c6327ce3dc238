"""A model folder whose checksums are right and whose content is not costs one sentence."""

import gzip
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.models.inference.loading import load_detector, load_segmenter
from hounsfield.models.store.folders import STORE, read_manifest, using_model, verified_weights
from hounsfield.preprocessing.errors import UsageError

WHOLE = json.loads((STORE / "nodule_segmenter" / "manifest.json").read_text())
WEIGHTS = gzip.decompress((STORE / "nodule_segmenter" / WHOLE["weights"]).read_bytes())
GRAPH = (STORE / "nodule_segmenter" / "graph.onnx").read_bytes()

without_data_of_its_own = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class PanicException(BaseException):
    """As pyo3 raises it out of a library in Rust."""


def model(folder, *, packed_weights=None, graph=GRAPH, **changes):
    """Writes a model folder in which every checksum fits."""
    packed = gzip.compress(WEIGHTS, 1) if packed_weights is None else packed_weights
    (folder / WHOLE["weights"]).write_bytes(packed)
    (folder / "graph.onnx").write_bytes(graph)
    hashes = {
        "sha256": hashlib.sha256(packed).hexdigest(),
        "graph_sha256": hashlib.sha256(graph).hexdigest(),
    }
    (folder / "manifest.json").write_text(json.dumps(WHOLE | hashes | changes))
    return folder


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (b"not gzip", "is not gzipped, though its sha256 is right: install, import or train"),
        (gzip.compress(WEIGHTS)[:-20], "is cut off, though its sha256 is right"),
        (gzip.compress(WEIGHTS)[:-8] + bytes(8), "is not gzipped"),
        (gzip.compress(b"not safetensors"), r"cannot be used: .* \(SafetensorError"),
        (gzip.compress(WEIGHTS[:-7]), r"cannot be used: .* \(SafetensorError"),
        (gzip.compress(b"\x02\0\0\0\0\0\0\0{}"), "cannot be used"),
    ],
    ids=[f"content {number}" for number in range(6)],
)
@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_weights_whose_checksum_fits_and_whose_content_does_not(
    tmp_path, weights, sentence, runtime
):
    with pytest.raises(UsageError, match=sentence) as refusal:
        load_segmenter(model(tmp_path, packed_weights=weights), threads=1, runtime=runtime)
    assert "train the model again" in str(refusal.value)


@pytest.mark.parametrize(
    "graph", [b"", b"not ONNX", GRAPH[:-400], GRAPH[:900]], ids=["empty", "text", "cut", "head"]
)
def test_a_graph_whose_checksum_fits_and_whose_content_does_not(tmp_path, graph):
    with pytest.raises(UsageError, match=r"the model in .* cannot be used: .*again"):
        load_segmenter(model(tmp_path, graph=graph), threads=1, runtime="openvino")


@pytest.mark.parametrize(
    "network",
    [{}, {"channels": "many"}, {"channels": [10**9, 10**9]}, {"size": 1}, {"channels": [4, 8]}],
)
def test_network_settings_of_another_network_are_refused_before_it_is_built(tmp_path, network):
    with pytest.raises(UsageError, match=r"the model in .* cannot be used"):
        load_segmenter(model(tmp_path, network=network), threads=1, runtime="torch")


def test_a_retina_net_with_the_weights_of_another_network_is_refused(tmp_path):
    folder = model(tmp_path, task="detector", architecture="retina_net", network={})
    with pytest.raises(UsageError, match=r"the model in .* cannot be used"):
        load_detector(folder, threads=1, runtime="torch")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"weights": "../weights.safetensors"}, "weights: must be the name of a file in the model"),
        ({"weights": "/etc/passwd"}, "weights: must be the name of a file in the model"),
        ({"weights": "a\0b"}, "weights: must be the name of a file in the model"),
        ({"sha256": "../x"}, "sha256: String should match pattern"),
        ({"spacing_mm": [1, 1, 0]}, "spacing_mm.2: Input should be greater than 0"),
        ({"spacing_mm": [1, 1, float("nan")]}, "spacing_mm.2: "),
        ({"hu_window": [300, -1000]}, "hu_window: must rise"),
        ({"calibration": {"slope": float("inf")}}, "calibration.slope: "),
        ({"network": {"channels": [float("nan")]}}, "network: must hold finite numbers"),
        (
            {
                "training_distribution": {
                    "mean": [0, 0],
                    "standard_deviation": [1, 1],
                    "precision": [[1, 0], [0]],
                    "max_distance": 3,
                }
            },
            "training_distribution: standard_deviation and precision must be those of 2",
        ),
    ],
)
def test_a_manifest_with_values_that_cannot_be_is_refused(tmp_path, changes, sentence):
    with pytest.raises(UsageError, match=r"manifest\.json: ") as refusal:
        read_manifest(model(tmp_path, **changes))
    assert sentence in str(refusal.value)
    assert "train the model again" in str(refusal.value)


@without_data_of_its_own
@given(st.data())
def test_any_damage_to_a_manifest_is_one_sentence_or_none(tmp_path, data):
    content = bytearray(json.dumps(WHOLE).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    (tmp_path / "manifest.json").write_bytes(content)
    try:
        read_manifest(tmp_path)
    except UsageError as refusal:
        assert len(str(refusal).splitlines()) == 1  # noqa: PT017 - some damage is harmless


@without_data_of_its_own
@given(
    st.sampled_from(sorted(WHOLE)),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_any_value_of_another_type_in_a_manifest_is_one_sentence_or_none(tmp_path, key, value):
    (tmp_path / "manifest.json").write_text(json.dumps(WHOLE | {key: value}))
    (tmp_path / WHOLE["weights"]).write_bytes(b"")
    try:
        verified_weights(tmp_path)
    except UsageError as refusal:
        assert len(str(refusal).splitlines()) == 1  # noqa: PT017 - some values are allowed


def test_a_model_that_does_not_fit_into_memory_is_not_called_damaged(tmp_path):
    with pytest.raises(UsageError, match=r"needs more memory .*bad_alloc"), using_model(tmp_path):
        raise RuntimeError("std::bad_alloc")  # noqa: EM101


def test_a_panic_of_a_library_is_one_sentence_and_an_interruption_passes(tmp_path):
    with pytest.raises(UsageError, match="PanicException"), using_model(tmp_path):
        raise PanicException
    with pytest.raises(KeyboardInterrupt), using_model(tmp_path):
        raise KeyboardInterrupt
