"""How well nodules are segmented and measured: against readers, and against exact phantoms.

Run as ``python -m benchmarks.segmentation [NODULES --fold-models FOLDER] [--phantoms COUNT]``.

NODULES is a folder of nodule crops (`data.nodule_crop_files`). FOLDER holds the models of a
five-fold cross-validation by patient, as ``hounsfield train RECIPE --out FOLDER/K`` makes them
from configs/train_segmenter.yaml with data.fold K = 0, 2, 4, 6, 8: K is judged on the folds K and
K + 1, of which it trained on neither. Without FOLDER the model that comes with Hounsfield is
judged on phantoms alone, as it was trained on the nodules.

The place and size that are given are off as a detector's are. Crops end with the outlined slices,
so Dice on them says nothing of where a nodule ends along z: the phantoms do.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.real_nodules import as_told, patient_weights, real_nodules, with_interval
from hounsfield.data.phantom import NoduleSpec, PhantomSettings, make_phantom
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.nodule import measure
from hounsfield.models.store.folders import model_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.models.contracts import NoduleMeasurements, Segmentation
    from hounsfield.models.inference.segmenter import NoduleSegmenter

SHIPPED = "nodule_segmenter"
FIRST_SEED = 910_000
TEXTURES = ("non_solid", "part_solid", "solid")


@dataclass(frozen=True, slots=True)
class CropResult:
    """One real nodule: who it is of, what readers said, and what was found.

    Attributes:
        dice: Of the edge as readers draw it, with their mask.
        measured_dice: Of the outline that is measured, with the same mask.
    """

    patient_id: str
    dice: float
    measured_dice: float
    rated: KnownFinding
    measured: NoduleMeasurements | None


@dataclass(frozen=True, slots=True)
class PhantomResult:
    """One digital nodule: what was drawn, and what was measured."""

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
    asked = parser.parse_args()
    if asked.fold_models:
        if asked.nodules is None:
            parser.error("--fold-models needs NODULES")
        results: list[CropResult] = []
        for folder in sorted(asked.fold_models.iterdir()):
            held = int(folder.name)
            segmenter = _load(folder)
            results += judge_crops(segmenter, asked.nodules, {held, held + 1}.__contains__)
        print_crops(results)
    print_phantoms(judge_phantoms(_load(model_folder(SHIPPED)), asked.phantoms))


def judge_crops(
    segmenter: NoduleSegmenter, source: Path, chosen: Callable[[int], bool]
) -> list[CropResult]:
    """Segments the nodules of the chosen folds on their native grid."""
    results = []
    for real in real_nodules(source, chosen):
        (nodule,) = segment_findings(segmenter, real.volume, [real.told])
        results.append(
            CropResult(
                real.patient_id,
                _dice(nodule.reader_style, real.inside),
                _dice(nodule.boundary, real.inside),
                real.rated,
                measure(nodule, real.volume),
            )
        )
    return results


def judge_phantoms(segmenter: NoduleSegmenter, count: int) -> list[PhantomResult]:
    """Measures nodules of 6 to 30 mm in phantoms with slices of 1 to 2.5 mm."""
    rng = np.random.default_rng(2)
    results = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        slice_mm = (1.0, 1.5, 2.0, 2.5)[seed % 4]
        settings = PhantomSettings(
            shape_zyx=(round(300 / slice_mm), 448, 448), spacing_mm=(0.8, 0.8, slice_mm)
        )
        phantom = make_phantom(seed, settings=settings, nodules=list(_specs(rng)))
        told = [as_told(n.centre_world_mm, n.diameter_mm, rng) for n in phantom.nodules]
        started = time.perf_counter()
        nodules = segment_findings(segmenter, phantom.volume, told)
        measured = [measure(one, phantom.volume) for one in nodules]
        print(f"phantom {seed}: {time.perf_counter() - started:.2f} s for {len(told)} nodules")
        results += [
            PhantomResult(n.spec, slice_mm, n.diameter_mm, n.volume_mm3, one)
            for n, one in zip(phantom.nodules, measured, strict=True)
        ]
    return results


def print_crops(results: Sequence[CropResult]) -> None:
    """Mean Dice and the two readings of texture, with intervals clustered by patient."""
    dice = np.array([result.dice for result in results])
    patients = [result.patient_id for result in results]
    weights = patient_weights(patients)
    print(
        f"Dice {with_interval(weights @ dice / weights.sum(axis=1))}, median {np.median(dice):.3f}"
    )
    exact = np.mean([result.measured_dice for result in results])
    print(f"  of the outline that is measured, with the same masks: {exact:.3f}")
    print(
        f"  {len(dice)} nodules of {len(set(patients))} patients; below 0.5: {(dice < 0.5).sum()}"
    )
    measured = [(one.patient_id, one.rated, one.measured) for one in results if one.measured]
    named = np.zeros((len(measured), len(TEXTURES), len(TEXTURES)))
    for pair, (_, rated, found) in zip(named, measured, strict=True):
        pair[TEXTURES.index(_rated_texture(rated)), TEXTURES.index(_uncalcified(found))] = 1
    tables = np.tensordot(patient_weights([one[0] for one in measured]), named, axes=1)
    balanced = (np.diagonal(tables, axis1=1, axis2=2) / tables.sum(axis=2)).mean(axis=1)
    told = with_interval(balanced)
    print(f"texture, rows readers (1; 2 and 3; 4 and 5), balanced accuracy {told}")
    for name, row in zip(TEXTURES, tables[0].astype(int).tolist(), strict=True):
        print(f"  {name:11s} {row}")


def print_phantoms(results: Sequence[PhantomResult]) -> None:
    """Median errors of volume and diameter by slice thickness, place and density."""
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
        middle, bias = np.median(abs(volume)), np.median(volume)
        print(
            f"phantoms {name:12s} {len(group):3d}: volume off by {middle:.1%} (median), "
            f"{bias:+.1%} (bias); diameter off by {np.median(abs(diameter)):.2f} mm, "
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


def _dice(found: Segmentation | None, inside: NDArray[np.bool_]) -> float:
    answer = np.zeros_like(inside)
    if found:
        answer[found.box] = found.mask
    return float(2 * (answer & inside).sum() / (answer.sum() + inside.sum()))


def _rated_texture(rated: KnownFinding) -> str:
    """4 counts as solid: nodules rated 4 have the HU of those rated 5, not of those rated 3."""
    assert rated.texture is not None
    return "solid" if rated.texture >= 4 else "part_solid" if rated.texture >= 2 else "non_solid"


def _uncalcified(measured: NoduleMeasurements) -> str:
    """Calcified nodules are solid to a reader of texture."""
    return "solid" if measured.texture == "calcified" else str(measured.texture)


def _volume_error(result: PhantomResult) -> float:
    measured = result.measured.volume_mm3 if result.measured else 0.0
    return measured / result.true_volume_mm3 - 1


def _diameter_error(result: PhantomResult) -> float:
    measured = result.measured.sphere_diameter_mm if result.measured else 0.0
    return measured - result.true_diameter_mm


if __name__ == "__main__":
    main()
