"""The detector's training: its material, its samples and its loss, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.material import phantom_case, real_case
from data.nodule_crops import EXAMINATION_MODULUS, patient_bucket, read_crops, read_records
from data.prepared import KnownFinding
from models.networks.centre_net import CentreNet
from models.training.detection_samples import DetectionSamples, SamplingPlan
from models.training.loop import Task
from models.training.losses import detection_loss

if TYPE_CHECKING:
    from collections.abc import Iterable

    from data.nodule_crops import NoduleCrop
    from data.prepared import PreparedCase
    from models.training.configuration import DataPlan, TrainingConfig


def detector_task(config: TrainingConfig) -> Task:
    """Prepares the material and builds the task."""
    plan = SamplingPlan(**{**config.sampling, "hu_window": tuple(config.sampling["hu_window"])})
    cases = [*real_cases(config.data), *phantom_cases(config.data)]
    training, validation = (
        DetectionSamples(cases, crops, plan, length=length, seed=seed)
        for crops, length, seed in (
            (
                crops_of(config.data, "training"),
                config.optimisation.steps * config.optimisation.batch,
                config.seed,
            ),
            (
                crops_of(config.data, "validation"),
                config.optimisation.validation_samples,
                config.seed + 1,
            ),
        )
    )
    return Task(CentreNet(**config.network), training, validation, detection_loss)


def real_cases(plan: DataPlan) -> list[PreparedCase]:
    """The real series of a plan, prepared."""
    return [
        real_case(
            series.path,
            series.patient_id,
            [
                KnownFinding(sphere.centre_world_mm, sphere.diameter_mm, ignored=True)
                for sphere in series.ignore
            ],
            plan.cache,
        )
        for series in plan.series
    ]


def phantom_cases(plan: DataPlan) -> list[PreparedCase]:
    """The phantoms of a plan, prepared."""
    seeds = range(plan.phantoms.first, plan.phantoms.first + plan.phantoms.count)
    return [phantom_case(seed, plan.cache) for seed in seeds]


def calibration_phantoms(plan: DataPlan) -> list[PreparedCase]:
    """Phantoms that follow those of the training, for calibration."""
    first = plan.phantoms.first + plan.phantoms.count
    seeds = range(first, first + plan.phantoms.calibration)
    return [phantom_case(seed, plan.cache) for seed in seeds]


def crops_of(plan: DataPlan, part: str) -> list[NoduleCrop]:
    """The real nodules of one part of the split: ``training``, ``validation`` or ``test``.

    Held-out patients are in none of them.
    """
    buckets: Iterable[int] = {
        "training": set(range(plan.split_modulus)) - {*plan.test_buckets, *plan.validation_buckets},
        "validation": plan.validation_buckets,
        "test": plan.test_buckets,
    }[part]
    records = [
        record
        for record in read_records(plan.nodule_crops)
        if record.patient_id not in plan.held_out_patients
        and patient_bucket(record.patient_id, EXAMINATION_MODULUS) != 0
        and patient_bucket(record.patient_id, plan.split_modulus) in buckets
    ]
    return list(read_crops(plan.nodule_crops, records))
