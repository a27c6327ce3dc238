"""The manifest of a trained detector: calibrated, with operating points, on held-out data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.detector import HeatmapDetector
from models.manifest import Calibration, Manifest, TrainedWith, TrainingMaterial
from models.training.detector_calibration import calibrate, operating_points, run_trial
from models.training.detector_task import calibration_phantoms, crops_of, real_cases

if TYPE_CHECKING:
    from models.training.configuration import TrainingConfig

ROUNDS = 3
"""How often each calibration volume is filled with other held-out nodules."""


def detector_manifest(
    config: TrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on validation patients' nodules and on phantoms that were not trained on."""
    plain = _manifest(config, trained_with)
    detector = HeatmapDetector(plain, weights, threads=config.optimisation.threads)
    trial = run_trial(
        detector,
        [*real_cases(config.data), *calibration_phantoms(config.data)],
        crops_of(config.data, "validation"),
        rounds=ROUNDS,
        seed=config.seed,
    )
    calibration = calibrate(trial)
    found = ", ".join(f"{trial.sensitivity(rate):.2f} at {rate:g}" for rate in (0.25, 1.0, 4.0))
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(trial, calibration),
            "summary": f"{plain.summary} On the calibration volumes: sensitivity {found} false "
            f"positives a scan ({len(trial.hit_scores)} nodules, {trial.scans} volumes).",
        }
    )


def _manifest(config: TrainingConfig, trained_with: TrainedWith) -> Manifest:
    data = config.data
    crops = crops_of(data, "training")
    real = tuple(case.series_uid for case in real_cases(data))
    low, high = config.sampling["hu_window"]
    return Manifest(
        name="nodule_detector",
        version="0.1.0",
        task="detector",
        summary="Marks lung nodules on a heat-map at a quarter of the 1 mm grid (CentreNet, built "
        "of MONAI blocks).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=1.0,
        hu_window=(low, high),
        calibration=Calibration(),
        training_material=(
            TrainingMaterial(
                name="LIDC-IDRI nodule crops with the readers' masks",
                licence="CC BY 3.0, Armato et al. 2011 and 2015, The Cancer Imaging Archive",
                role="nodules, pasted into other lungs",
                series_uids=tuple(sorted({crop.record.series_uid for crop in crops})),
                patients=len({crop.record.patient_id for crop in crops}),
            ),
            TrainingMaterial(
                name="LIDC-IDRI-0002, Lung_Dx-A0001, C3N-00247",
                licence="CC BY 3.0 and 4.0, The Cancer Imaging Archive",
                role="lungs to paste into; what they hold themselves was left out. Figures on "
                "these series are not figures on unseen scans.",
                series_uids=real,
                patients=len(real),
            ),
            TrainingMaterial(
                name=f"phantoms {data.phantoms.first} to "
                f"{data.phantoms.first + data.phantoms.count - 1}",
                licence="Apache-2.0",
                role="digital chests with digital nodules",
            ),
        ),
        trained_with=trained_with,
        limits=(
            (
                "Few lungs were seen in training: expect more false positives on scanners, kernels "
                "and diseases that these do not show."
            ),
            "Thresholds were set on nodules of unseen patients, in lungs that were seen.",
            "Masses much larger than 32 mm were not trained on as real ones.",
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
