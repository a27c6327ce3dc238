"""Manifest of a trained mass detector, calibrated on synthetic cases."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.calibration import logistic_score
from hounsfield.models.inference.runtimes import torch_network
from hounsfield.models.networks.mass_net import WIDE_HU, MassNet
from hounsfield.models.store.manifest import Manifest, TrainingMaterial
from hounsfield.models.training.masses.calibration import calibrate_masses, validate_masses
from hounsfield.models.training.masses.chests import load_chests
from hounsfield.models.training.masses.task import split_chests
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.store.manifest import Calibration, OperatingPoints, TrainedWith
    from hounsfield.models.training.masses.calibration import MassValidation
    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.configuration import MassTrainingConfig

CALIBRATION_CASES = 240

SUMMARY = (
    "Segments masses and solid opacities of 25 to 115 mm on the 3 mm lung grid (a residual U-Net "
    "at 6 to 48 mm)."
)
LIMITS = (
    "Not yet used by a run; `python -m benchmarks.masses` and `load_mass_detector` use it.",
    (
        "Every mass in training was synthetic, in few real chests and in phantoms. Expect false "
        "positives on organs that these do not show."
    ),
    (
        "Consolidation without air bronchograms, loculated effusions and aneurysms without "
        "contrast agent look like a mass to it: it detects solid opacities, not tumours."
    ),
    "Next to vessels without contrast agent its outline may extend into them.",
    "It misses many lesions below 30 mm, which the nodule detector finds.",
    "Not for children, not after lung surgery, not without a radiologist.",
)


def mass_manifest(
    config: MassTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on cases made from held-out phantoms and from real chests, warped anew.

    Args:
        config: Training configuration of the weights.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.

    Raises:
        UsageError: The chests cannot be used.
    """
    training, held_out = split_chests(load_chests(config.data.cases), config.data)
    network = torch_network(
        weights, partial(MassNet, **config.network), threads=config.optimisation.threads
    )
    validation = validate_masses(
        network, _alternating(held_out), cases=CALIBRATION_CASES, seed=config.seed + 2
    )
    calibration, points = calibrate_masses(validation)
    return Manifest(
        name=config.name,
        version=config.version,
        task="mass_detector",
        summary=f"{SUMMARY} {_result(validation, calibration, points)}",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(LUNG_GRID_MM,) * 3,
        hu_window=WIDE_HU,
        calibration=calibration,
        operating_points=points,
        training_material=_material(training),
        trained_with=trained_with,
        limits=LIMITS,
    )


def _result(validation: MassValidation, calibration: Calibration, points: OperatingPoints) -> str:
    """The sentence of the card about sensitivity and false positives."""
    scores = logistic_score(validation.best_logits, calibration)
    false = np.count_nonzero(logistic_score(validation.false_logits, calibration) >= points.default)
    found = np.mean(scores >= points.default)
    return (
        f"On synthetic cases of the same kinds as in training: {found:.2f} of {len(scores)} masses "
        f"of at least 30 mm found at {false / validation.cases:.2f} false positives per case "
        f"({validation.cases} cases, half from held-out phantoms, half from the real training "
        "chests, warped anew)."
    )


def _alternating(chests: Sequence[Chest]) -> list[Chest]:
    """Real chests and phantoms in turn, each kind as often as the other."""
    real = [chest for chest in chests if not chest.synthetic]
    synthetic = [chest for chest in chests if chest.synthetic]
    if not real or not synthetic:
        return list(chests)
    count = max(len(real), len(synthetic))
    return [kind[index % len(kind)] for index in range(count * 2) for kind in (real, synthetic)]


def _material(chests: Sequence[Chest]) -> tuple[TrainingMaterial, ...]:
    """One row for each data set, phantoms last."""
    ordered = sorted(chests, key=lambda chest: (chest.synthetic, chest.source.dataset))
    rows = []
    for dataset, group in groupby(ordered, key=lambda chest: chest.source.dataset):
        members = list(group)
        synthetic, noun = members[0].synthetic, "chest" if len(members) == 1 else "chests"
        rows.append(
            TrainingMaterial(
                name=dataset,
                licence=members[0].source.licence,
                role=f"{len(members)} {noun} with synthetic masses inserted",
                series_uids=() if synthetic else tuple(c.source.series_uid for c in members),
                patients=None if synthetic else len({c.patient_id for c in members}),
            )
        )
    return tuple(rows)
