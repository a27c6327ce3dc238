"""Loads the models of a run, each in the runtime that suits this machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from hounsfield.models.inference.runtimes import load_network, prefers_openvino
from hounsfield.models.store.folders import (
    model_folder,
    read_manifest,
    verified_graph,
    verified_weights,
)
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from hounsfield.models.contracts import Classifier, Detector, Rater, Reducer, Segmenter
    from hounsfield.models.inference.classifier import Flips
    from hounsfield.models.inference.rater import MalignancyRater
    from hounsfield.models.inference.runtimes import Network, Runtime
    from hounsfield.models.inference.segmenter import NoduleSegmenter
    from hounsfield.models.store.manifest import Manifest


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a run, with the manifests that say what they are.

    Attributes:
        reducer: None where the detector has the last word.
        segmenter: None where nothing is measured.
        rater: None where nothing is rated; it needs a segmenter.
    """

    detector: Detector
    detector_manifest: Manifest
    classifier: Classifier
    classifier_manifest: Manifest
    reducer: Reducer | None = None
    reducer_manifest: Manifest | None = None
    segmenter: Segmenter | None = None
    rater: Rater | None = None


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
    """Loads the networks of a run.

    Args:
        detector: Name in the store, or folder, of the detector.
        classifier: The same of the classifier.
        reducer: The same of the reducer, where there shall be one.
        segmenter: The same of the segmenter, where there shall be one.
        rater: The same of the rater, where there shall be one.
        threads: Processor threads that a network may use.
        runtime: As for `load_network`.
        classifier_flips: As for `NoduleClassifier`.

    Raises:
        UsageError: One is of another task, its files are not the ones that were published, or
            the reducer belongs to another detector.
    """
    folders = [model_folder(name) for name in (detector, classifier)]
    detector_manifest = _of_task(folders[0], "detector")
    classifier_manifest = _of_task(folders[1], "classifier")
    reducer_manifest = None
    if reducer is not None:
        reducer_manifest = _of_task(model_folder(reducer), "reducer")
        require_own_detector(reducer_manifest, detector_manifest)
    return Models(
        load_detector(folders[0], threads=threads, runtime=runtime),
        detector_manifest,
        load_classifier(folders[1], threads=threads, runtime=runtime, flips=classifier_flips),
        classifier_manifest,
        reducer=_if_named(load_reducer, reducer, threads, runtime),
        reducer_manifest=reducer_manifest,
        segmenter=_if_named(load_segmenter, segmenter, threads, runtime),
        rater=_if_named(load_rater, rater, threads, runtime),
    )


def load_detector(folder: Path, *, threads: int, runtime: Runtime = "auto") -> Detector:
    """Loads the detector of a model's folder.

    Raises:
        UsageError: It is no detector, or its files are not the ones that were published.
    """
    manifest = _of_task(folder, "detector")
    if manifest.architecture == "retina_net":
        from hounsfield.models.inference.retina_detector import RetinaDetector

        graph = verified_graph(folder) if prefers_openvino(runtime) else None
        return RetinaDetector(manifest, verified_weights(folder), graph=graph, threads=threads)
    from hounsfield.models.inference.detector import HeatmapDetector

    return HeatmapDetector(manifest, _network(folder, manifest, threads, runtime))


def load_classifier(
    folder: Path, *, threads: int, runtime: Runtime = "auto", flips: Flips = 1
) -> Classifier:
    """Loads the classifier of a model's folder.

    Raises:
        UsageError: It is no classifier, or its files are not the ones that were published.
    """
    from hounsfield.models.inference.classifier import NoduleClassifier

    manifest = _of_task(folder, "classifier")
    return NoduleClassifier(manifest, _network(folder, manifest, threads, runtime), flips=flips)


def load_reducer(folder: Path, *, threads: int, runtime: Runtime = "auto") -> Reducer:
    """Loads the reducer of a model's folder.

    Raises:
        UsageError: It is no reducer, or its files are not the ones that were published.
    """
    from hounsfield.models.inference.reducer import CandidateReducer

    manifest = _of_task(folder, "reducer")
    return CandidateReducer(manifest, _network(folder, manifest, threads, runtime))


def load_segmenter(folder: Path, *, threads: int, runtime: Runtime = "auto") -> NoduleSegmenter:
    """Loads the segmenter of a model's folder.

    Raises:
        UsageError: It is no segmenter, or its files are not the ones that were published.
    """
    from hounsfield.models.inference.segmenter import NoduleSegmenter

    manifest = _of_task(folder, "segmenter")
    return NoduleSegmenter(manifest, _network(folder, manifest, threads, runtime))


def load_rater(folder: Path, *, threads: int, runtime: Runtime = "auto") -> MalignancyRater:
    """Loads the malignancy rater of a model's folder.

    Raises:
        UsageError: It is no rater, or its files are not the ones that were published.
    """
    from hounsfield.models.inference.rater import MalignancyRater

    manifest = _of_task(folder, "rater")
    return MalignancyRater(manifest, _network(folder, manifest, threads, runtime))


def require_own_detector(reducer: Manifest, detector: Manifest) -> None:
    """Holds a reducer to the detector on whose marks it was trained and calibrated.

    Raises:
        UsageError: This is another detector, or the same one with other weights or scores.
    """
    own = reducer.detector
    if own is None or (own.sha256, own.calibration) != (detector.sha256, detector.calibration):
        wanted = f"{own.name} with weights {own.sha256[:12]}" if own else "no detector"
        msg = (
            f"the reducer {reducer.name} belongs to {wanted}, got {detector.name} with weights "
            f"{detector.sha256[:12]}: set models.reducer to null or to a reducer of this detector"
        )
        raise UsageError(msg)


def _if_named(load: Callable[..., T], name: str | None, threads: int, runtime: Runtime) -> T | None:
    """A model that need not be there."""
    return None if name is None else load(model_folder(name), threads=threads, runtime=runtime)


def _network(folder: Path, manifest: Manifest, threads: int, runtime: Runtime) -> Network:
    return load_network(
        verified_weights(folder),
        graph=verified_graph(folder),
        build=partial(_build, manifest),
        threads=threads,
        runtime=runtime,
    )


def _build(manifest: Manifest) -> nn.Module:
    """The empty network for torch; what it is made of is imported here alone."""
    match manifest.task:
        case "detector":
            from hounsfield.models.networks.centre_net import CentreNet

            return CentreNet(**manifest.network)
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


def _of_task(folder: Path, task: str) -> Manifest:
    manifest = read_manifest(folder)
    if manifest.task != task:
        msg = f"{manifest.name} is a {manifest.task}, but a {task} was wanted"
        raise UsageError(msg)
    return manifest
