"""Series that say in their description what shall happen to them, and the analysis that obeys."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.findings import NoduleClass
from hounsfield.pipeline.config import RunConfig, load_config
from hounsfield.pipeline.errors import OutputError
from hounsfield.pipeline.report.schema import Report
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from pathlib import Path

RAISED = {
    "memory": MemoryError(),
    "defect": ZeroDivisionError(),
    "no lungs": SeriesError(Reason.LUNGS_NOT_FOUND, "No lungs in this series."),
    "not chest": SeriesError(Reason.NOT_CHEST, "Not a chest CT."),
}
DETECTOR_SHA256, CLASSIFIER_SHA256 = "a" * 64, "b" * 64
REDUCER_SHA256, SEGMENTER_SHA256, RATER_SHA256 = "c" * 64, "d" * 64, "e" * 64


@dataclass(frozen=True)
class ScriptedAnalysis:
    """Stands in for `RenderedReport`, which costs a second to import."""

    report: Report
    files: dict[str, bytes]


def write_study(
    folder: Path,
    *,
    uid: str,
    happens: str = "analysed",
    series: int = 1,
    patient: str | None = None,
    date: str = "",
) -> None:
    """Writes a small CT series of 24 slices whose description is what shall happen."""
    # Imported here: every worker imports this module, and pydicom costs it a quarter second.
    from hounsfield.data.phantom.ct_series import ct_datasets, save_series

    facts = SeriesFacts(
        study_uid=uid,
        series_uid=f"{uid}.{series}",
        patient_id=patient or f"patient {uid}",
        study_date=date,
        series_description=happens,
        series_number=series,
        modality="CT",
        body_part_examined="CHEST",
        slice_thickness_mm=float(series),
    )
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    volume = Volume(np.full((24, 32, 32), -700, np.int16), affine, facts)
    save_series(ct_datasets(volume), folder)


def scripted_config(
    folder: Path,
    *,
    reducer: bool = False,
    segmenter: bool = False,
    activation_maps: bool = True,
    **run: float,
) -> RunConfig:
    """A configuration whose models are manifests without weights."""
    names: dict[str, str | None] = {"reducer": None, "segmenter": None, "rater": None}
    wanted = {"detector": DETECTOR_SHA256, "classifier": CLASSIFIER_SHA256}
    if reducer:
        wanted["reducer"] = REDUCER_SHA256
    if segmenter:
        wanted |= {"segmenter": SEGMENTER_SHA256, "rater": RATER_SHA256}
    for task, sha256 in wanted.items():
        model = folder / "models" / task
        model.mkdir(parents=True, exist_ok=True)
        (model / "manifest.json").write_text(json.dumps(_manifest(task, sha256)))
        names[task] = str(model)
    path = folder / "config.yaml"
    path.write_text(
        json.dumps({"models": names, "report": {"activation_maps": activation_maps}, "run": run})
    )
    return load_config(str(path))


def make_scripted_analyser(settings):
    """What the runner calls in each worker; every call leaves a line in ``calls``."""
    return partial(_obey, provenance=settings.provenance, calls=settings.out.parent / "calls")


def fail_without_models(settings):
    """Fails as a weight file does that is not the one its manifest speaks of."""
    msg = f"no weights for {settings.config.models.detector}"
    raise OutputError(msg)


def _obey(series, prior=None, *, provenance, calls):
    with calls.open("a") as file:
        file.write(f"{series.facts.series_uid}\n")
    happens = series.facts.series_description
    if happens in RAISED:
        raise RAISED[happens]
    first_time = calls.read_text().count(f"{series.facts.series_uid}\n") == 1
    if happens == "crash beside another" and prior is not None and prior.series:
        os.kill(os.getpid(), signal.SIGKILL)
    match happens:
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            signal.pause()
        case "second time" if first_time:
            raise SeriesError(Reason.UNREADABLE, "Not this time.")
        case "kills the run once" if first_time:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        case "interrupts the run once" if first_time:
            os.kill(os.getppid(), signal.SIGINT)
            signal.pause()
    return _analysis(series, provenance, size=4_000_000 if happens == "large" else 10)


def _analysis(series, provenance, *, size):
    report = make_report(series.facts.study_uid, series.facts.series_uid, provenance=provenance)
    return ScriptedAnalysis(
        report,
        {
            "report.json": report.as_json().encode(),
            "report.html": b"<!DOCTYPE html>" + b" " * size,
        },
    )


def make_report(study_uid="1.2", series_uid="1.2.3", *, scores=(0.9,), provenance=None, **series):
    """A report with one finding for each score, 10 mm and 1 mm more for each after the first."""
    findings = [
        {
            "centre_world_mm": (10.0 * number, -20.0, 30.5),
            "diameter_mm": 9.0 + number,
            "score": score,
            "finding": number,
            "class_probabilities": dict(zip(NoduleClass, (0.1, 0.62, 0.2, 0.08), strict=True)),
            "confidence_band": "review",
            "location": {"lung": "left", "zone": "upper"},
            "source": None,
            "measurements": {},
            "notices": (),
            "picture": f"finding_{number:02d}.png",
        }
        for number, score in enumerate(scores, start=1)
    ]
    kept = ("centre_world_mm", "diameter_mm", "score")
    candidates = [{key: each[key] for key in kept} for each in findings]
    candidates.append({"centre_world_mm": (1.0, 2.0, 3.0), "diameter_mm": 4.0, "score": 0.01})
    return Report.model_validate(
        {
            "verdict": "analysed",
            "series": _SERIES | {"study_uid": study_uid, "series_uid": series_uid} | series,
            "notices": (),
            "findings": findings,
            "study_class": _study_class(findings[:1]),
            "candidates": candidates,
            "provenance": provenance or _PROVENANCE,
            "times": {"finished_at": "", "seconds": {"read": 1.0}, "peak_memory_mb": 1.0},
        }
    )


def _study_class(decisive):
    """That of the first finding, or of none."""
    cells = {"likeliest_class": "large_cell_carcinoma" if decisive else "normal", "rule": "So."}
    for finding in decisive:
        cells |= {
            key: finding[key] for key in ("class_probabilities", "confidence_band", "finding")
        }
    return cells


_SERIES = {
    "patient_id": "LIDC-IDRI-0001",
    "patient_sex": "F",
    "patient_age_years": 61.0,
    "study_date": "20000131",
    "study_description": "",
    "series_description": "",
    "series_number": 3,
    "manufacturer": "",
    "manufacturer_model_name": "",
    "convolution_kernel": "",
    "kvp": None,
    "contrast_bolus_agent": "",
    "slice_thickness_mm": None,
    "format": "dicom",
    "files": 24,
    "shape_zyx": (24, 32, 32),
    "spacing_mm": (2.0, 2.0, 5.0),
    "orientation": "axial",
}
_PROVENANCE = {
    "hounsfield_version": "0",
    "models": (),
    "config_sha256": "",
    "operating_point": "default",
    "score_threshold": 0.5,
    "detector_spacing_mm": (1.0, 1.0, 1.0),
    "fingerprint": "",
}


def _manifest(task, sha256):
    points = {"screening": 0.1, "default": 0.3, "strict": 0.6}
    return {
        "name": f"scripted-{task}",
        "version": "1",
        "task": task,
        "summary": "",
        "licence": "",
        "network": {},
        "weights": "none",
        "sha256": sha256,
        "spacing_mm": (1.0, 1.0, 1.0),
        "hu_window": (-1000, 400),
        "calibration": {},
        "operating_points": None if task == "classifier" else points,
        "detector": {"name": "scripted-detector", "sha256": DETECTOR_SHA256, "calibration": {}}
        if task == "reducer"
        else None,
        "training_material": (),
        "trained_with": {
            "config": "",
            "config_sha256": "",
            "seed": 0,
            "steps": 0,
            "hours": 0,
            "hardware": "",
        },
        "limits": (),
    }
