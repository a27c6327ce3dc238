"""Sensitivity of detectors for real nodules inserted into real lungs of unseen patients.

Run as ``python -m benchmarks.inserted_nodules CONFIG FOLDS [UNSEEN]`` after
``hounsfield train CONFIG --fold K ... --out FOLDS``. The model of fold K searches the real series
of that fold, first unchanged, then with every nodule of the fold inserted once. Its threshold is
the lowest that leaves the given number of false positives on the unchanged series. UNSEEN is a
prepared folder whose patients are in no training data; the shipped models search it, with nodules
of the configuration's own test fold. The detectors of the folds have no reducers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import shipped_models
from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.splits import read_split
from hounsfield.models.inference.loading import load_detector
from hounsfield.models.training.augmentation.insertion import insert_nodules
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.engine.material import read_cases, read_nodules
from hounsfield.preprocessing.parallel import available_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.findings import Candidate
    from hounsfield.preprocessing.working_volume import WorkingVolume

    Search = Callable[[WorkingVolume], list[Candidate]]

SEED = 7
NODULES_PER_SCAN = 12
RESAMPLES = 1000
RATES = (0.25, 1.0, 4.0)
"""False positives per scan."""


@dataclass(frozen=True, slots=True)
class _InsertedNodule:
    """A nodule that was inserted, and how the detector ranked it.

    Attributes:
        background: Patient into whose lungs it was inserted.
        diameter_mm: Diameter of the readers' outline.
        texture: Median of the readers' ratings, 1 (ground glass) to 5 (solid).
        false_positives_above: Number of candidates on the unchanged series that score at least as
            high as the best candidate on the nodule; infinite where there is none.
    """

    background: str
    diameter_mm: float
    texture: float
    false_positives_above: float


GROUPS: dict[str, Callable[[_InsertedNodule], bool]] = {
    "solid, 6 mm and more": lambda nodule: nodule.texture >= 4 and nodule.diameter_mm >= 6,
    "all, 5 mm and more": lambda nodule: nodule.diameter_mm >= 5,
    "non-solid, 8 mm and more": lambda nodule: nodule.texture <= 2 and nodule.diameter_mm >= 8,
    "part-solid, 6 mm and more": lambda nodule: 2 < nodule.texture < 4 and nodule.diameter_mm >= 6,
    "below 5 mm": lambda nodule: nodule.diameter_mm < 5,
    "12 mm and more": lambda nodule: nodule.diameter_mm >= 12,
}


def main() -> None:
    """Prints a table for each background, and one for all."""
    if len(sys.argv) < 3:
        print("not run: needs a training configuration and the folder of its folds")
        return
    config, folds = read_training_config(Path(sys.argv[1])), Path(sys.argv[2])
    inserted: list[_InsertedNodule] = []
    for folder in sorted(folds.glob("fold-*")):
        data = config.varied(fold=int(folder.name.removeprefix("fold-"))).data
        detector = load_detector(folder, threads=available_processors())
        cases, nodules = read_cases(data, "test"), read_nodules(data, "test")
        inserted += _search_cases(detector.detect, cases, nodules)
    if len(sys.argv) > 3:
        entries = read_split(Path(sys.argv[3])).series
        unseen = [load_case(Path(sys.argv[3]) / entry.case) for entry in entries]
        inserted += _search_cases(_shipped_search(), unseen, read_nodules(config.data, "test"))
    if len({nodule.background for nodule in inserted}) > 1:
        _print_table(f"all, {len(inserted)} nodules", inserted)


def _shipped_search() -> Search:
    """Detector and reducer as in a run."""
    models = shipped_models(threads=available_processors())

    def search(volume: WorkingVolume) -> list[Candidate]:
        candidates = models.detector.detect(volume)
        return models.reducer.reduce(volume, candidates) if models.reducer else candidates

    return search


def _search_cases(
    search: Search, cases: Sequence[PreparedCase], nodules: Sequence[NoduleCrop]
) -> list[_InsertedNodule]:
    """Searches the real series among prepared ones, and prints a table for each."""
    inserted = []
    for case in cases:
        if not case.synthetic:
            in_case = list(_search_case(search, case, nodules))
            _print_table(f"{case.patient_id}, {len(in_case)} nodules", in_case)
            inserted += in_case
    return inserted


def _search_case(
    search: Search, case: PreparedCase, nodules: Sequence[NoduleCrop]
) -> Iterator[_InsertedNodule]:
    """Inserts every nodule into the series once, a few at a time."""
    rng = np.random.default_rng(SEED)
    false_scores = np.array(
        [
            candidate.score
            for candidate in search(case.volume)
            if not any(_hits(candidate, finding) for finding in case.findings)
        ]
    )
    order = rng.permutation(len(nodules))
    for first in range(0, len(nodules), NODULES_PER_SCAN):
        chosen = [nodules[int(i)] for i in order[first : first + NODULES_PER_SCAN]]
        volume, inserted = insert_nodules(case, chosen, rng)
        candidates = search(volume)
        for finding in inserted:
            scores = [candidate.score for candidate in candidates if _hits(candidate, finding)]
            above = float(np.sum(false_scores >= max(scores))) if scores else np.inf
            yield _InsertedNodule(
                case.patient_id, finding.diameter_mm, finding.texture or 5.0, above
            )


def _hits(candidate: Candidate, finding: KnownFinding) -> bool:
    """Whether a candidate hits a finding by the rule of LUNA16."""
    off = np.linalg.norm(np.subtract(candidate.centre_world_mm, finding.centre_world_mm))
    return bool(off < finding.diameter_mm / 2)


def _print_table(title: str, inserted: Sequence[_InsertedNodule]) -> None:
    """Prints sensitivities with intervals over nodules, at each rate of false positives."""
    print(f"\n{title}")
    print(f"{'':28}" + "".join(f"{f'at {rate:g} FP per scan':>22}" for rate in RATES))
    for name, chosen in GROUPS.items():
        above = np.array([nodule.false_positives_above for nodule in inserted if chosen(nodule)])
        if len(above):
            cells = (_sensitivity(above, rate) for rate in RATES)
            print(f"{f'{name} ({len(above)})':28}" + "".join(f"{cell:>22}" for cell in cells))


def _sensitivity(false_positives_above: NDArray[np.float64], rate: float) -> str:
    """Fraction of nodules with no more false positives above them than the rate allows."""
    found = false_positives_above <= np.floor(rate)
    rng = np.random.default_rng(SEED)
    means = rng.choice(found, (RESAMPLES, len(found))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{found.mean():.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
