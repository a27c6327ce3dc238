"""What detectors find of real nodules in real lungs, both of patients they were never trained on.

Run as ``python -m benchmarks.inserted_nodules RECIPE FOLDS [UNSEEN]`` after
``hounsfield train RECIPE --fold K ... --out FOLDS``: each fold's model searches the real series of
fold K, first untouched, then with every nodule of fold K put in once. A model's threshold is the
lowest that leaves so many false marks on its untouched series. UNSEEN is a prepared folder whose
patients are in no training; the shipped models search it, with nodules of the recipe's fold. The
folds' detectors have no reducers.
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
    from hounsfield.models.contracts import Candidate
    from hounsfield.preprocessing.working_volume import WorkingVolume

    Search = Callable[[WorkingVolume], list[Candidate]]

SEED = 7
NODULES_A_SCAN = 12
RESAMPLES = 1000
RATES = (0.25, 1.0, 4.0)
"""False positives a scan."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A nodule that was put in.

    Attributes:
        background: Patient whose lungs it was put into.
        diameter_mm: As the readers outlined it.
        texture: Their median: 1 ground glass to 5 solid.
        false_marks_above: How many marks on the untouched series score at least as high as the
            best mark on the nodule; infinite where there is none.
    """

    background: str
    diameter_mm: float
    texture: float
    false_marks_above: float


GROUPS: dict[str, Callable[[Trial], bool]] = {
    "solid, 6 mm and more": lambda one: one.texture >= 4 and one.diameter_mm >= 6,
    "all, 5 mm and more": lambda one: one.diameter_mm >= 5,
    "non-solid, 8 mm and more": lambda one: one.texture <= 2 and one.diameter_mm >= 8,
    "part-solid, 6 mm and more": lambda one: 2 < one.texture < 4 and one.diameter_mm >= 6,
    "below 5 mm": lambda one: one.diameter_mm < 5,
    "12 mm and more": lambda one: one.diameter_mm >= 12,
}


def main() -> None:
    """Prints a table for each background, and one of all."""
    if len(sys.argv) < 3:
        print("not run: it needs a recipe and the folder of its folds, see its docstring")
        return
    plan, folds = read_training_config(Path(sys.argv[1])), Path(sys.argv[2])
    trials: list[Trial] = []
    for folder in sorted(folds.glob("fold-*")):
        data = plan.varied(fold=int(folder.name.removeprefix("fold-"))).data
        detector = load_detector(folder, threads=available_processors())
        cases, nodules = read_cases(data, "test"), read_nodules(data, "test")
        trials += try_cases(detector.detect, cases, nodules)
    if len(sys.argv) > 3:
        entries = read_split(Path(sys.argv[3])).series
        unseen = [load_case(Path(sys.argv[3]) / entry.case) for entry in entries]
        trials += try_cases(shipped_search(), unseen, read_nodules(plan.data, "test"))
    if len({one.background for one in trials}) > 1:
        print_table(f"all, {len(trials)} nodules", trials)


def shipped_search() -> Search:
    """Detector and reducer as a run has them."""
    models = shipped_models(threads=available_processors())

    def search(volume: WorkingVolume) -> list[Candidate]:
        marks = models.detector.detect(volume)
        return models.reducer.reduce(volume, marks) if models.reducer else marks

    return search


def try_cases(
    search: Search, cases: Sequence[PreparedCase], nodules: Sequence[NoduleCrop]
) -> list[Trial]:
    """Searches the real ones of some series, with a table for each."""
    trials = []
    for case in cases:
        if not case.synthetic:
            found = list(try_case(search, case, nodules))
            print_table(f"{case.patient_id}, {len(found)} nodules", found)
            trials += found
    return trials


def try_case(search: Search, case: PreparedCase, nodules: Sequence[NoduleCrop]) -> Iterator[Trial]:
    """Puts every nodule into the series once, a few at a time."""
    rng = np.random.default_rng(SEED)
    false_scores = np.array(
        [
            mark.score
            for mark in search(case.volume)
            if not any(lies_on(mark, finding) for finding in case.findings)
        ]
    )
    order = rng.permutation(len(nodules))
    for first in range(0, len(nodules), NODULES_A_SCAN):
        chosen = [nodules[int(i)] for i in order[first : first + NODULES_A_SCAN]]
        volume, inserted = insert_nodules(case, chosen, rng)
        marks = search(volume)
        for finding in inserted:
            scores = [mark.score for mark in marks if lies_on(mark, finding)]
            above = float(np.sum(false_scores >= max(scores))) if scores else np.inf
            yield Trial(case.patient_id, finding.diameter_mm, finding.texture or 5.0, above)


def lies_on(mark: Candidate, finding: KnownFinding) -> bool:
    """Whether a mark hits a finding, as LUNA16 has it."""
    off = np.linalg.norm(np.subtract(mark.centre_world_mm, finding.centre_world_mm))
    return bool(off < finding.diameter_mm / 2)


def print_table(title: str, trials: Sequence[Trial]) -> None:
    """Sensitivities with intervals over nodules, at each rate of false positives."""
    print(f"\n{title}")
    print(f"{'':28}" + "".join(f"{f'at {rate:g} FP a scan':>22}" for rate in RATES))
    for name, chosen in GROUPS.items():
        above = np.array([one.false_marks_above for one in trials if chosen(one)])
        if len(above):
            cells = (sensitivity(above, rate) for rate in RATES)
            print(f"{f'{name} ({len(above)})':28}" + "".join(f"{cell:>22}" for cell in cells))


def sensitivity(false_marks_above: NDArray[np.float64], rate: float) -> str:
    """The part of the nodules with fewer false marks above them than a scan is allowed."""
    found = false_marks_above <= np.floor(rate)
    rng = np.random.default_rng(SEED)
    means = rng.choice(found, (RESAMPLES, len(found))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{found.mean():.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
