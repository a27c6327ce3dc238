"""The detector's training: its material, its samples and its loss, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.networks.centre_heatmap import SIZE_DIVISOR
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.training.detector.loss import detection_loss
from hounsfield.models.training.detector.pictures import detection_pictures
from hounsfield.models.training.detector.samples import DetectionSamples, DetectorSamplingConfig
from hounsfield.models.training.engine.loop import Task
from hounsfield.models.training.engine.material import read_cases, read_nodules
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.engine.configuration import DataConfig, TrainingConfig


def detector_task(config: TrainingConfig) -> Task:
    """Reads the material and builds the task.

    Raises:
        UsageError: The recipe or its material cannot be used.
    """
    return Task(
        CentreNet(**config.network),
        DetectionSamples(
            _needed(read_cases(config.data, "training")),
            read_nodules(config.data, "training"),
            sampling_plan(config),
            length=config.optimisation.steps * config.optimisation.batch,
            seed=config.seed,
        ),
        DetectionSamples(
            held_out_cases(config.data),
            read_nodules(config.data, "validation"),
            sampling_plan(config),
            length=config.optimisation.validation_samples,
            seed=config.seed + 1,
        ),
        detection_loss,
        pictures=detection_pictures,
        graph=GraphSpec((1, 64, 64, 64), divisors=(SIZE_DIVISOR,) * 3),
    )


def sampling_plan(config: TrainingConfig) -> DetectorSamplingConfig:
    """The recipe's numbers.

    Raises:
        UsageError: One is not known.
    """
    try:
        return DetectorSamplingConfig(
            **{**config.sampling, "hu_window": tuple(config.sampling["hu_window"])}
        )
    except (KeyError, TypeError) as error:
        msg = f"sampling: {error}; a detector takes hu_window and DetectorSamplingConfig"
        raise UsageError(msg) from error


def held_out_cases(data: DataConfig) -> list[PreparedCase]:
    """Series to validate and to set thresholds on: those of the validation fold.

    Where it holds no real series, the real ones that are trained on stand in (with nodules of
    other patients put in), since thresholds set on phantoms alone mean nothing for people.
    """
    cases = read_cases(data, "validation")
    if not any(not case.synthetic for case in cases):
        cases += [case for case in read_cases(data, "training") if not case.synthetic]
    return _needed(cases)


def _needed(cases: list[PreparedCase]) -> list[PreparedCase]:
    if not cases:
        msg = "data.cases must hold series in the training folds and in the one that validates"
        raise UsageError(msg)
    return cases
