"""The manifest of a weight file: what the model is, what it was trained on, and how to run it."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from hounsfield.preprocessing.documents import Strict

VERSION_1_KEYS = {
    "familiarity": "training_distribution",
    "scale": "standard_deviation",
    "limit": "max_distance",
    "started_from": "fine_tuned_from",
    "lowest_score": "min_score",
    "most_boxes_a_level": "max_boxes_per_level",
    "largest_overlap": "max_overlap",
    "most_boxes": "max_boxes",
}
"""Keys of manifest version 1 (until release 0.2) and their names since version 2."""


Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
"""In hexadecimal; empty until the file is written."""


class OperatingPoints(Strict):
    """Score thresholds by their rate of false positives.

    Those of a detector or reducer were set on validation series. Those of a mass detector were set
    on synthetic cases, and are at least 0.1, 0.5 and 0.8, because the rate in real chests is not
    known.
    """

    screening: float = Field(
        ge=0,
        le=1,
        description="detector, reducer: about 4 false positives per scan; mass_detector: at most "
        "0.3 per synthetic case",
    )
    default: float = Field(
        ge=0,
        le=1,
        description="detector, reducer: about 1 false positive per scan; mass_detector: at most "
        "0.1 per synthetic case",
    )
    strict: float = Field(
        ge=0,
        le=1,
        description="detector, reducer: about 1 false positive in 4 scans; mass_detector: at most "
        "0.02 per synthetic case",
    )


class FineTunedFrom(Strict):
    """The model from whose weights the training started."""

    name: str
    version: str
    sha256: str = Field(description="of its weight file")


class TrainedWith(Strict):
    """Everything that is needed to train the same weights again."""

    config: str
    config_sha256: str
    seed: int
    steps: int
    hours: float
    hardware: str
    fine_tuned_from: FineTunedFrom | None = Field(
        default=None, description="null after random initialisation"
    )


class TrainingMaterial(Strict):
    """One source of training data."""

    name: str
    licence: str
    role: str
    series_uids: tuple[str, ...] = ()
    patients: int | None = None


class Calibration(Strict):
    """Maps the outputs of a network to probabilities; applied by `models.calibration`.

    Detector, mass detector and rater: logistic(slope x logit + intercept). Reducer:
    logistic(slope x logit + detector_slope x logit of the detector's score + intercept).
    Classifier: softmax(slope x logits + class_intercepts). A task ignores the fields that its
    formula does not name.
    """

    slope: float = 1.0
    intercept: float = 0.0
    detector_slope: float = 0.0
    class_intercepts: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class TrainingDistribution(Strict):
    """Distribution of view statistics in training; see `models.inference.out_of_distribution`."""

    mean: tuple[float, ...] = Field(description="of each statistic")
    standard_deviation: tuple[float, ...] = Field(description="of each statistic")
    precision: tuple[tuple[float, ...], ...] = Field(
        description="inverse of the statistics' correlation matrix"
    )
    max_distance: float = Field(
        description="a view at a larger Mahalanobis distance is out of distribution"
    )

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        count = len(self.mean)
        rows = (self.standard_deviation, self.precision, *self.precision)
        if any(len(row) != count for row in rows):
            msg = f"standard_deviation and precision must be those of {count} statistics, as mean"
            raise ValueError(msg)
        return self


class ReducedDetector(Strict):
    """The detector whose candidates a reducer was trained on and calibrated with."""

    name: str
    sha256: str = Field(description="of its weight file")
    calibration: Calibration


class Manifest(Strict):
    """The description of one weight file; kept as ``manifest.json`` beside it."""

    manifest_version: Literal[2] = 2
    name: str
    version: str
    task: Literal["detector", "mass_detector", "reducer", "segmenter", "classifier", "rater"]
    summary: str
    licence: str
    architecture: Literal["centre_net", "retina_net"] | None = Field(
        default=None, description="of a detector; null means centre_net"
    )
    network: dict[str, Any]
    weights: str
    sha256: Sha256
    graph_sha256: Sha256 | None = Field(
        default=None, description="of graph.onnx; null where only torch can run the network"
    )
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    hu_window: tuple[float, float]
    calibration: Calibration
    operating_points: OperatingPoints | None = None
    training_material: tuple[TrainingMaterial, ...]
    detector: ReducedDetector | None = Field(
        default=None, description="of a reducer, which works with this detector only"
    )
    training_distribution: TrainingDistribution | None = Field(
        default=None, description="of a classifier; null disables the out-of-distribution test"
    )
    trained_with: TrainedWith | None = Field(
        default=None, description="null where the weights were trained elsewhere"
    )
    limits: tuple[str, ...]

    @field_validator("weights")
    @classmethod
    def _stands_in_the_folder(cls, name: str) -> str:
        if name and (PurePath(name).name != name or not name.isprintable()):
            msg = "must be the name of a file in the model's folder"
            raise ValueError(msg)
        return name

    @field_validator("hu_window")
    @classmethod
    def _rises(cls, window: tuple[float, float]) -> tuple[float, float]:
        if window[0] >= window[1]:
            msg = "must rise from the lowest to the highest HU"
            raise ValueError(msg)
        return window

    @field_validator("network")
    @classmethod
    def _is_finite(cls, network: dict[str, Any]) -> dict[str, Any]:
        if not _finite(network):
            msg = "must hold finite numbers"
            raise ValueError(msg)
        return network

    @model_validator(mode="before")
    @classmethod
    def _accept_version_1(cls, data: object) -> object:
        """Renames the keys of version 1, so that models trained or imported then still load."""
        if isinstance(data, dict) and data.get("manifest_version") == 1:
            return _with_current_keys({**data, "manifest_version": 2})
        return data


def _with_current_keys(value: object) -> object:
    if isinstance(value, dict):
        return {
            VERSION_1_KEYS.get(key, key): _with_current_keys(item) for key, item in value.items()
        }
    return value


def _finite(value: object) -> bool:
    """Whether all numbers in a JSON value are finite."""
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
