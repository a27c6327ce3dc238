"""The manifest beside every weight file: what it is, what it was trained on, how it is used."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OperatingPoints(_Strict):
    """Score thresholds by false positives a scan, chosen on held-out data."""

    screening: float = Field(ge=0, le=1, description="about 4 false positives a scan")
    default: float = Field(ge=0, le=1, description="about 1 false positive a scan")
    strict: float = Field(ge=0, le=1, description="about 1 false positive in 4 scans")


class StartedFrom(_Strict):
    """The model whose weights a training began with."""

    name: str
    version: str
    sha256: str = Field(description="of its weight file")


class TrainedWith(_Strict):
    """What repeats the weights."""

    config: str
    config_sha256: str
    seed: int
    steps: int
    hours: float
    hardware: str
    started_from: StartedFrom | None = Field(
        default=None, description="null where the training began with chance"
    )


class TrainingMaterial(_Strict):
    """One source of training data."""

    name: str
    licence: str
    role: str
    series_uids: tuple[str, ...] = ()
    patients: int | None = None


class Calibration(_Strict):
    """From a network's output to a probability.

    Detector: score = logistic(slope x logit + intercept). Reducer: score = logistic(slope x
    logit + detector_slope x logit of the detector's score + intercept). Classifier: softmax of
    (slope x logits + class_intercepts). Rater: as a detector. What is not named is not used.
    """

    slope: float = 1.0
    intercept: float = 0.0
    detector_slope: float = 0.0
    class_intercepts: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Familiarity(_Strict):
    """What views of the training look like; see `models.familiarity`."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    limit: float = Field(description="a view farther away is unlike the training data")


class ReducedDetector(_Strict):
    """The detector whose marks a reducer was trained on and calibrated with."""

    name: str
    sha256: str = Field(description="of its weight file")
    calibration: Calibration


class Manifest(_Strict):
    """The single truth about one weight file; kept as ``manifest.json`` beside it."""

    manifest_version: Literal[1] = 1
    name: str
    version: str
    task: Literal["detector", "reducer", "segmenter", "classifier", "rater"]
    summary: str
    licence: str
    architecture: Literal["centre_net", "retina_net"] | None = Field(
        default=None, description="of a detector; where it is not said, centre_net"
    )
    network: dict[str, Any]
    weights: str
    sha256: str
    graph_sha256: str | None = Field(
        default=None, description="of graph.onnx; null where only torch can run the network"
    )
    spacing_mm: tuple[float, float, float]
    hu_window: tuple[float, float]
    calibration: Calibration
    operating_points: OperatingPoints | None = None
    training_material: tuple[TrainingMaterial, ...]
    detector: ReducedDetector | None = Field(
        default=None, description="of a reducer: it belongs to this detector alone"
    )
    familiarity: Familiarity | None = Field(
        default=None, description="of a classifier; null where nothing is called unlike training"
    )
    trained_with: TrainedWith | None = Field(
        default=None, description="null where the weights were made elsewhere"
    )
    limits: tuple[str, ...]
