"""Loads the networks of a run, each in the inference backend that suits this machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from hounsfield.models.inference.runtimes import load_network, prefers_openvino
from hounsfield.models.store.folders import using_model, verified_graph, verified_weights
from hounsfield.models.store.model_set import find_models, stored_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from hounsfield.models.contracts import Classifier, Detector, Rater, Reducer, Segmenter
    from hounsfield.models.inference.classifier import Flips
    from hounsfield.models.inference.mass_detector import MassDetector
    from hounsfield.models.inference.rater import MalignancyRater
    from hounsfield.models.inference.runtimes import Network, Runtime
    from hounsfield.models.inference.segmenter import NoduleSegmenter
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.models.store.model_set import ModelSet, OperatingPoint, StoredModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Models:
    """The networks of a run, loaded.

    Attributes:
        detector: Proposes candidates on its own grid.
        classifier: Gives each finding its class probabilities.
        stored: The manifests that the networks were loaded from.
        reducer: None where the detector's score is final.
        segmenter: None where nothing is measured.
        rater: None where nothing is rated; it needs a segmenter.
    """

    detector: Detector
    classifier: Classifier
    stored: ModelSet
    reducer: Reducer | None = None
    segmenter: Segmenter | None = None
    rater: Rater | None = None

    @property
    def detector_spacing_mm(self) -> tuple[float, float, float]:
        """Voxel spacing (x, y, z) of the grid on which the detector runs, in mm."""
        return self.stored.detector_spacing_mm

    def score_threshold(self, operating_point: OperatingPoint) -> float:
        """Return the final score from which a candidate becomes a finding, 0 to 1."""
        return self.stored.score_threshold(operating_point)


def load_models(
    *,
    detector: str,
    classifier: str,
    reducer: str | None = None,
    segmenter: str | None = None,
    rater: str | None = None,
    threads: int,
    runtime: Runtime = "auto",
    classifier_flips: Flips = 1,
) -> Models:
    """Find and load the networks of a run.

    Args:
        detector: Name in the store, or folder, of the detector.
        classifier: Name or folder of the classifier.
        reducer: Name or folder of the reducer; None leaves the detector's score as it is.
        segmenter: Name or folder of the segmenter; None measures nothing.
        rater: Name or folder of the malignancy rater; None rates nothing.
        threads: CPU threads that a network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.
        classifier_flips: Number of mirrored views over which the classifier averages: 1, 2 or 4.

    Returns:
        The loaded networks.

    Raises:
        UsageError: A model is not known, is of another task, has other weights than its manifest
            names, or does not belong to the others.
    """
    stored = find_models(
        detector=detector,
        classifier=classifier,
        reducer=reducer,
        segmenter=segmenter,
        rater=rater,
    )
    return load_model_set(
        stored, threads=threads, runtime=runtime, classifier_flips=classifier_flips
    )


def load_model_set(
    stored: ModelSet, *, threads: int, runtime: Runtime = "auto", classifier_flips: Flips = 1
) -> Models:
    """Load the networks of a set of models that were found before.

    Args:
        stored: The models, checked against one another by `find_models`.
        threads: CPU threads that a network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.
        classifier_flips: Number of mirrored views over which the classifier averages: 1, 2 or 4.

    Returns:
        The loaded networks.

    Raises:
        UsageError: A file has another hash than its manifest names.
    """
    return Models(
        load_detector(stored.detector.folder, threads=threads, runtime=runtime),
        load_classifier(
            stored.classifier.folder, threads=threads, runtime=runtime, flips=classifier_flips
        ),
        stored,
        reducer=_if_chosen(load_reducer, stored.reducer, threads, runtime),
        segmenter=_if_chosen(load_segmenter, stored.segmenter, threads, runtime),
        rater=_if_chosen(load_rater, stored.rater, threads, runtime),
    )


def load_detector(folder: Path, *, threads: int, runtime: Runtime = "auto") -> Detector:
    """Load a detector.

    Args:
        folder: The model's own folder: manifest, weights and graph.
        threads: CPU threads that the network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.

    Returns:
        The detector, ready to run.

    Raises:
        UsageError: The folder holds no detector, or a file has another hash than its manifest
            names.
    """
    manifest = stored_model(folder, "detector").manifest
    if manifest.architecture == "retina_net":
        from hounsfield.models.inference.retina_detector import RetinaDetector

        graph = verified_graph(folder) if prefers_openvino(runtime) else None
        with using_model(folder):
            return RetinaDetector(manifest, verified_weights(folder), graph=graph, threads=threads)
    from hounsfield.models.inference.detector import HeatmapDetector

    return HeatmapDetector(manifest, _network(folder, manifest, threads, runtime))


def load_mass_detector(folder: Path, *, threads: int, runtime: Runtime = "auto") -> MassDetector:
    """Load a mass detector, which no run uses yet.

    Args:
        folder: The model's own folder: manifest, weights and graph.
        threads: CPU threads that the network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.

    Returns:
        The mass detector, ready to run.

    Raises:
        UsageError: The folder holds no mass detector, or a file has another hash than its
            manifest names.
    """
    from hounsfield.models.inference.mass_detector import MassDetector

    manifest = stored_model(folder, "mass_detector").manifest
    return MassDetector(manifest, _network(folder, manifest, threads, runtime))


def load_classifier(
    folder: Path, *, threads: int, runtime: Runtime = "auto", flips: Flips = 1
) -> Classifier:
    """Load a classifier.

    Args:
        folder: The model's own folder: manifest, weights and graph.
        threads: CPU threads that the network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.
        flips: Number of mirrored views over which the classifier averages: 1, 2 or 4.

    Returns:
        The classifier, ready to run.

    Raises:
        UsageError: The folder holds no classifier, or a file has another hash than its manifest
            names.
    """
    from hounsfield.models.inference.classifier import NoduleClassifier

    manifest = stored_model(folder, "classifier").manifest
    return NoduleClassifier(manifest, _network(folder, manifest, threads, runtime), flips=flips)


def load_reducer(folder: Path, *, threads: int, runtime: Runtime = "auto") -> Reducer:
    """Load a reducer.

    Args:
        folder: The model's own folder: manifest, weights and graph.
        threads: CPU threads that the network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.

    Returns:
        The reducer, ready to run.

    Raises:
        UsageError: The folder holds no reducer, or a file has another hash than its manifest
            names.
    """
    from hounsfield.models.inference.reducer import CandidateReducer

    manifest = stored_model(folder, "reducer").manifest
    return CandidateReducer(manifest, _network(folder, manifest, threads, runtime))


def load_segmenter(folder: Path, *, threads: int, runtime: Runtime = "auto") -> NoduleSegmenter:
    """Load a segmenter.

    Args:
        folder: The model's own folder: manifest, weights and graph.
        threads: CPU threads that the network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.

    Returns:
        The segmenter, ready to run.

    Raises:
        UsageError: The folder holds no segmenter, or a file has another hash than its manifest
            names.
    """
    from hounsfield.models.inference.segmenter import NoduleSegmenter

    manifest = stored_model(folder, "segmenter").manifest
    return NoduleSegmenter(manifest, _network(folder, manifest, threads, runtime))


def load_rater(folder: Path, *, threads: int, runtime: Runtime = "auto") -> MalignancyRater:
    """Load a malignancy rater.

    Args:
        folder: The model's own folder: manifest, weights and graph.
        threads: CPU threads that the network may use.
        runtime: Inference backend; ``auto`` takes torch on a GPU, else OpenVINO.

    Returns:
        The rater, ready to run.

    Raises:
        UsageError: The folder holds no rater, or a file has another hash than its manifest
            names.
    """
    from hounsfield.models.inference.rater import MalignancyRater

    manifest = stored_model(folder, "rater").manifest
    return MalignancyRater(manifest, _network(folder, manifest, threads, runtime))


def _if_chosen(
    load: Callable[..., T], model: StoredModel | None, threads: int, runtime: Runtime
) -> T | None:
    return None if model is None else load(model.folder, threads=threads, runtime=runtime)


def _network(folder: Path, manifest: Manifest, threads: int, runtime: Runtime) -> Network:
    with using_model(folder):
        return load_network(
            verified_weights(folder),
            graph=verified_graph(folder),
            build=partial(_build, manifest),
            threads=threads,
            runtime=runtime,
        )


def _build(manifest: Manifest) -> nn.Module:
    """Build the network without weights; torch and MONAI are imported here alone."""
    match manifest.task:
        case "detector":
            from hounsfield.models.networks.centre_net import CentreNet

            return CentreNet(**manifest.network)
        case "mass_detector":
            from hounsfield.models.networks.mass_net import MassNet

            return MassNet(**manifest.network)
        case "reducer":
            from hounsfield.models.networks.reduce_net import ReduceNet

            return ReduceNet(**manifest.network)
        case "segmenter":
            from hounsfield.models.networks.segment_net import segment_net

            return segment_net(**manifest.network)
        case "rater":
            from hounsfield.models.networks.rate_net import RateNet

            return RateNet(**manifest.network)
        case "classifier":
            from hounsfield.models.networks.class_net import ClassNet

            return ClassNet(**manifest.network)
