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


class TrainedWith(_Strict):
    """What repeats the weights."""

    config: str
    config_sha256: str
    seed: int
    steps: int
    hours: float
    hardware: str


class TrainingMaterial(_Strict):
    """One source of training data."""

    name: str
    licence: str
    role: str
    series_uids: tuple[str, ...] = ()
    patients: int | None = None


class Calibration(_Strict):
    """From a network's output to a probability.

    Detector: score = logistic(slope x logit + intercept). Classifier: softmax of
    (slope x logits); `intercept` is not used.
    """

    slope: float = 1.0
    intercept: float = 0.0


class Manifest(_Strict):
    """The single truth about one weight file; kept as ``manifest.json`` beside it."""

    manifest_version: Literal[1] = 1
    name: str
    version: str
    task: Literal["detector", "classifier"]
    summary: str
    licence: str
    network: dict[str, Any]
    weights: str
    sha256: str
    spacing_mm: float
    hu_window: tuple[float, float]
    calibration: Calibration
    operating_points: OperatingPoints | None = None
    training_material: tuple[TrainingMaterial, ...]
    trained_with: TrainedWith
    limits: tuple[str, ...]
