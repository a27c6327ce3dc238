"""`ClassifierSamplingConfig`: how a classifier's samples are drawn."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from hounsfield.models.training.engine.configuration import TrainingConfig


@dataclass(frozen=True, slots=True)
class ClassifierSamplingConfig:
    """Parts of the samples, against one another, and how they are varied.

    A part for which there is no material (no labelled findings, no nodules to paste, no lungs) is
    left out.

    Attributes:
        own: Findings of the cases whose class is known, each class as often.
        drawn_carcinoma: Digital nodules of the three carcinomas, in equal parts.
        drawn_benign: Digital nodules and scars that are normal.
        real_suspicious: Real nodules that readers rated 4 or 5.
        real_benign: Real nodules that readers rated 1 or 2.
        false_marks: What a detector took for a nodule, and what the data set lists as such.
        nothing: Places without a nodule: lung, and vessels.
        detector: The name or folder of the detector whose false marks are shown; null for none.
        mined_in: Folder that keeps its marks on the cases.
        real_share: Part of the lungs that are real where there are phantoms too.
        jitter_mm: How far the centre may be off along each axis; a sixth of the diameter if more.
        free_turn_share: Part of the samples turned by any angle and scaled.
        degrade_share: Part of the samples passed through a random scanner.
        class_weights: Of adenocarcinoma, large and squamous cell carcinoma, normal in the loss.
        hu_window: HU that become 0 and 1.
    """

    own: float = 0.0
    drawn_carcinoma: float = 0.0
    drawn_benign: float = 0.0
    real_suspicious: float = 0.0
    real_benign: float = 0.0
    false_marks: float = 0.0
    nothing: float = 0.0
    detector: str | None = None
    mined_in: str = "prepared/mined"
    real_share: float = 0.5
    jitter_mm: float = 3.0
    free_turn_share: float = 0.5
    degrade_share: float = 1.0
    class_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    hu_window: tuple[float, float] = (-1000.0, 400.0)


def classification_plan(config: TrainingConfig) -> ClassifierSamplingConfig:
    """The recipe's numbers.

    Raises:
        UsageError: One is not known, or a list has not as many numbers as it must.
    """
    known = [field.name for field in fields(ClassifierSamplingConfig)]
    unknown = sorted(set(config.sampling) - set(known))
    if unknown:
        msg = f"sampling: {', '.join(unknown)} unknown; a classifier's recipe knows {known}"
        raise UsageError(msg)
    told: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.sampling.items()
    }
    plan = ClassifierSamplingConfig(**told)
    if len(plan.hu_window) != 2 or len(plan.class_weights) != 4:
        msg = "sampling: hu_window must hold two numbers and class_weights four"
        raise UsageError(msg)
    return plan
