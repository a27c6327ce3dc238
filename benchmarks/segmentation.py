"""Accuracy of segmentation and measurements: against readers, and against phantoms.

Run as ``python -m benchmarks.segmentation [NODULES --fold-models FOLDER] [--phantoms COUNT]``.

NODULES is a folder of nodule crops (`data.readers.nodule_crop_files`). FOLDER holds the models of a
five-fold cross-validation by patient, as ``hounsfield train CONFIG --out FOLDER/K`` makes them
from configs/train_segmenter.yaml with data.fold K = 0, 2, 4, 6, 8. The model of K is tested on the
folds K and K + 1, neither of which it was trained on. Without FOLDER the shipped model is tested on
phantoms alone, because it was trained on the nodules.

Candidates have the errors in place and size of a detector. Crops end with the outlined slices, so
their Dice does not measure where a nodule ends along z; the phantoms do.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.material.real_nodules import (
    as_candidate,
    patient_weights,
    real_nodules,
    with_interval,
)
from hounsfield.data.phantom import NoduleSpec, PhantomSettings, make_phantom
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.nodule import NoduleMeasurements, measure
from hounsfield.models.store.folders import model_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.inference.segmenter import NoduleSegmenter

SHIPPED = "nodule_segmenter"
FIRST_SEED = 910_000
TEXTURES = ("non_solid", "part_solid", "solid")


@dataclass(frozen=True, slots=True)
class _CropResult:
    """One real nodule: ratings of the readers, and the results of the segmenter.

    Attributes:
        patient_id: Identifier in LIDC-IDRI.
        reader_style_dice: Dice of the reader-style segmentation and the readers' mask.
        boundary_dice: Dice of the boundary segmentation, which is measured, and the same mask.
        finding: Ratings of the readers.
        measured: None where nothing was segmented.
    """

    patient_id: str
    reader_style_dice: float
    boundary_dice: float
    finding: KnownFinding
    measured: NoduleMeasurements | None


@dataclass(frozen=True, slots=True)
class _PhantomResult:
    """One phantom nodule: its specification, true size and measurements."""

    spec: NoduleSpec
    slice_mm: float
    true_diameter_mm: float
    true_volume_mm3: float
    measured: NoduleMeasurements | None


def main() -> None:
    """Prints Dice, texture and margin for the held-out folds, and the errors on phantoms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nodules", type=Path, nargs="?")
    parser.add_argument("--fold-models", type=Path)
    parser.add_argument("--phantoms", type=int, default=8)
    arguments = parser.parse_args()
    if arguments.fold_models:
        if arguments.nodules is None:
            parser.error("--fold-models needs NODULES")
        results: list[_CropResult] = []
        for folder in sorted(arguments.fold_models.iterdir()):
            fold = int(folder.name)
            segmenter = _load(folder)
            results += _test_on_crops(segmenter, arguments.nodules, {fold, fold + 1}.__contains__)
        _print_crops(results)
    _print_phantoms(_test_on_phantoms(_load(model_folder(SHIPPED)), arguments.phantoms))


def _test_on_crops(
    segmenter: NoduleSegmenter, source: Path, chosen: Callable[[int], bool]
) -> list[_CropResult]:
    """Segments the nodules of the chosen folds on their native grid."""
    results = []
    for real in real_nodules(source, chosen):
        (nodule,) = segment_findings(segmenter, real.volume, [real.candidate])
        results.append(
            _CropResult(
                real.patient_id,
                _dice(nodule.reader_style, real.mask),
                _dice(nodule.boundary, real.mask),
                real.finding,
                measure(nodule, real.volume),
            )
        )
    return results


def _test_on_phantoms(segmenter: NoduleSegmenter, count: int) -> list[_PhantomResult]:
    """Measures nodules of 6 to 30 mm in phantoms with slices of 1 to 2.5 mm."""
    rng = np.random.default_rng(2)
    results = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        slice_mm = (1.0, 1.5, 2.0, 2.5)[seed % 4]
        settings = PhantomSettings(
            shape_zyx=(round(300 / slice_mm), 448, 448), spacing_mm=(0.8, 0.8, slice_mm)
        )
        phantom = make_phantom(seed, settings=settings, nodules=list(_specs(rng)))
        candidates = [
            as_candidate(nodule.centre_world_mm, nodule.diameter_mm, rng)
            for nodule in phantom.nodules
        ]
        started = time.perf_counter()
        nodules = segment_findings(segmenter, phantom.volume, candidates)
        measured = [measure(nodule, phantom.volume) for nodule in nodules]
        print(f"phantom {seed}: {time.perf_counter() - started:.2f} s for {len(nodules)} nodules")
        results += [
            _PhantomResult(
                nodule.spec, slice_mm, nodule.diameter_mm, nodule.volume_mm3, measurements
            )
            for nodule, measurements in zip(phantom.nodules, measured, strict=True)
        ]
    return results


def _print_crops(results: Sequence[_CropResult]) -> None:
    """Prints mean Dice and the agreement on texture, with intervals clustered by patient."""
    dice = np.array([result.reader_style_dice for result in results])
    patients = [result.patient_id for result in results]
    weights = patient_weights(patients)
    print(
        f"Dice {with_interval(weights @ dice / weights.sum(axis=1))}, median {np.median(dice):.3f}"
    )
    boundary = np.mean([result.boundary_dice for result in results])
    print(f"  of the boundary segmentation, with the same masks: {boundary:.3f}")
    print(
        f"  {len(dice)} nodules of {len(set(patients))} patients; below 0.5: {(dice < 0.5).sum()}"
    )
    pairs = [
        (result.patient_id, _rated_texture(result.finding), _uncalcified(result.measured))
        for result in results
        if result.measured
    ]
    single = np.zeros((len(pairs), len(TEXTURES), len(TEXTURES)))
    for table, (_, rated, measured) in zip(single, pairs, strict=True):
        table[TEXTURES.index(rated), TEXTURES.index(measured)] = 1
    tables = np.tensordot(patient_weights([patient for patient, *_ in pairs]), single, axes=1)
    balanced = (np.diagonal(tables, axis1=1, axis2=2) / tables.sum(axis=2)).mean(axis=1)
    accuracy = with_interval(balanced)
    print(f"texture, rows readers (1; 2 and 3; 4 and 5), balanced accuracy {accuracy}")
    for name, row in zip(TEXTURES, tables[0].astype(int).tolist(), strict=True):
        print(f"  {name:11s} {row}")


def _print_phantoms(results: Sequence[_PhantomResult]) -> None:
    """Prints median errors of volume and diameter by slice thickness, place and density."""
    groups = {"all": list(results)}
    for slice_mm in sorted({result.slice_mm for result in results}):
        groups[f"{slice_mm:g} mm"] = [r for r in results if r.slice_mm == slice_mm]
    for field in ("place", "density", "margin"):
        for name in sorted({getattr(result.spec, field) for result in results}):
            groups[name] = [r for r in results if getattr(r.spec, field) == name]
    for name, group in groups.items():
        if not group:
            continue
        volume = np.array([_volume_error(result) for result in group])
        diameter = np.array([_diameter_error(result) for result in group])
        error, bias = np.median(abs(volume)), np.median(volume)
        print(
            f"phantoms {name:12s} {len(group):3d}: median volume error {error:.1%}, "
            f"bias {bias:+.1%}; median diameter error {np.median(abs(diameter)):.2f} mm, "
            f"9 in 10 within {np.percentile(abs(diameter), 90):.2f} mm"
        )


def _load(folder: Path) -> NoduleSegmenter:
    return load_segmenter(folder, threads=1)


def _specs(rng: np.random.Generator) -> Iterator[NoduleSpec]:
    for place in ("isolated", "isolated", "vessel", "pleura"):
        for margin in ("smooth", "lobulated", "spiculated"):
            yield NoduleSpec(
                diameter_mm=float(np.exp(rng.uniform(np.log(6), np.log(30)))),
                density=str(rng.choice(["solid", "solid", "part_solid", "ground_glass"])),
                margin=margin,
                place=place,
                elongation=float(rng.uniform(1.0, 1.4)),
            )


def _dice(segmentation: Segmentation | None, truth: NDArray[np.bool_]) -> float:
    prediction = np.zeros_like(truth)
    if segmentation:
        prediction[segmentation.box] = segmentation.mask
    return float(2 * (prediction & truth).sum() / (prediction.sum() + truth.sum()))


def _rated_texture(finding: KnownFinding) -> str:
    """A rating of 4 is solid: such nodules have the HU of those rated 5, not of those rated 3."""
    texture = finding.texture
    assert texture is not None
    return "solid" if texture >= 4 else "part_solid" if texture >= 2 else "non_solid"


def _uncalcified(measured: NoduleMeasurements) -> str:
    """Readers rate the texture of calcified nodules as solid."""
    return "solid" if measured.texture == "calcified" else str(measured.texture)


def _volume_error(result: _PhantomResult) -> float:
    measured = result.measured.volume_mm3 if result.measured else 0.0
    return measured / result.true_volume_mm3 - 1


def _diameter_error(result: _PhantomResult) -> float:
    measured = result.measured.sphere_diameter_mm if result.measured else 0.0
    return measured - result.true_diameter_mm


if __name__ == "__main__":
    main()
