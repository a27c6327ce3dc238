"""The pydantic models of the evaluations' ``evaluation.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hounsfield.preprocessing.documents import Strict

Interval = tuple[float | None, float | None]
"""Lower and upper end of a 95 % interval, null where the figure is not defined."""

CPM = "cpm"


class ProtocolWarning(BaseModel):
    """A reason why figures are not comparable; further keys hold its numbers."""

    model_config = ConfigDict(extra="allow", frozen=True)

    code: str
    message: str


class Stratum(Strict):
    """FROC figures of some of the nodules, or of some of the scans."""

    by: str = Field(description="diameter_mm, slice_thickness_mm or scanner")
    name: str
    scans: int
    nodules: int
    true_positives: int
    cpm: float | None
    sensitivity: dict[str, float | None]
    interval_95: dict[str, Interval]


class Comparison(Strict):
    """This submission minus another, resampled with the same scans."""

    other: str
    cpm_of_other: float
    sensitivity_of_other: dict[str, float]
    difference: dict[str, float]
    interval_95: dict[str, Interval]
    p_value: dict[str, float] = Field(description="Two-sided p value of the paired bootstrap.")
    protocol_warnings_of_other: list[ProtocolWarning]


class Luna16Evaluation(Strict):
    """``evaluation.json`` of ``hounsfield evaluate luna16``.

    All figures but `interval_95` and `bootstrap_mean` come from the plain curve.
    """

    version: Literal[2] = 2
    protocol: Literal["luna16"] = "luna16"
    predictions: str
    cpm: float
    sensitivity: dict[str, float] = Field(description="Sensitivity by false positives per scan.")
    interval_95: dict[str, Interval]
    bootstrap_mean: dict[str, float | None]
    nodules: int
    scans: int
    true_positives: int
    false_negatives: int
    false_positives: int
    ignored_excluded: int
    ignored_duplicates: int
    prediction_rows: int = Field(description="Rows in the file of predictions.")
    predictions_within_limit: int = Field(description="At most 100 on each scan.")
    protocol_warnings: list[ProtocolWarning]
    strata: list[Stratum]
    comparison: Comparison | None = None
    resamplings: int
    seed: int


class ClassMetrics(Strict):
    """Metrics of one class against the others."""

    cases: int
    sensitivity: float | None
    specificity: float | None
    auc: float | None


class ClassifierMetrics(Strict):
    """Metrics of one classifier; keys of `interval_95` are such as ``auc/<class>``."""

    confusion_matrix: list[list[int]] = Field(description="Rows: true, columns: predicted.")
    classes: dict[str, ClassMetrics]
    balanced_accuracy: float | None
    macro_f1: float | None
    macro_auc: float | None
    expected_calibration_error: float
    brier_score: float
    interval_95: dict[str, Interval]


class ReliabilityBin(Strict):
    """Cases whose largest probability falls into one bin."""

    lower: float
    upper: float
    cases: int
    mean_confidence: float | None
    accuracy: float | None
    interval_95: Interval


class ClassificationEvaluation(Strict):
    """``evaluation.json`` of ``hounsfield evaluate classification``."""

    version: Literal[1] = 1
    predictions: str
    cases: int
    patients: int
    class_order: list[str]
    model: ClassifierMetrics
    size_only_baseline: ClassifierMetrics
    difference: dict[str, float | None] = Field(description="Model minus size-only baseline.")
    difference_interval_95: dict[str, Interval]
    reliability: list[ReliabilityBin]
    notices: list[ProtocolWarning]
    resamplings: int
    seed: int
