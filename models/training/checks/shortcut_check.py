"""Whether class can be told from what is not the nodule: the trap of other scanners for normals.

Where cancers and normal findings come from different scanners, a network may learn the scanner.
A plain logistic regression then tells them apart by the grain of lung far from any finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, optimize
from scipy.special import expit
from scipy.stats import rankdata

from hounsfield.models.training.augmentation.lung_places import LungPlaces
from hounsfield.models.training.augmentation.sites import cut_cube

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase

PLACES, PLACE_VOXELS = 12, 16
"""So many cubes of lung are looked at in a series, of so many voxels along the edge."""

FOLDS, RESAMPLINGS = 5, 1000
MIN_PATIENTS = 2 * FOLDS
"""With fewer on either side nothing is told."""

RIDGE = 1e-2


@dataclass(frozen=True, slots=True)
class ScannerTrap:
    """How well cancer is told from normal by background alone.

    Attributes:
        auroc: Of a regression that never saw the patient; 0.5 where nothing is told.
        interval_95: By a bootstrap of patients.
        cancers: Series with cancer.
        normals: Series without.
    """

    auroc: float
    interval_95: tuple[float, float]
    cancers: int
    normals: int

    @property
    def found(self) -> bool:
        """Whether background tells class better than chance."""
        return self.interval_95[0] > 0.5


def background_features(case: PreparedCase) -> NDArray[np.float64]:
    """Brightness, noise and grain along each axis of plain lung, clear of all that is known.

    Of each the median over some places; where there is no lung, corners of the volume are taken.

    Returns:
        (features,).
    """
    volume, rng = case.volume, np.random.default_rng(0)
    places = LungPlaces(case)
    corner_zyx = np.subtract(volume.hu.shape, PLACE_VOXELS)
    rows = []
    for _ in range(PLACES):
        if places:
            start = places.draw("isolated", float(PLACE_VOXELS), rng) - PLACE_VOXELS // 2
        else:
            start = (rng.integers(0, 2, size=3) * corner_zyx).astype(np.float64)
        cube = cut_cube(volume.hu, np.rint(start).astype(np.int64), PLACE_VOXELS)
        grain = [np.abs(np.diff(cube, 2, axis=axis)).mean() for axis in range(3)]
        noise = np.abs(ndimage.laplace(cube)).mean()
        rows.append([cube.mean() / 100, *np.log1p([cube.std(), noise, *grain])])
    features: NDArray[np.float64] = np.median(np.array(rows, np.float64), axis=0)
    return features


def scanner_trap(
    features: NDArray[np.float64],
    is_cancer: NDArray[np.bool_],
    patients: NDArray[np.str_],
    *,
    seed: int = 0,
) -> ScannerTrap | None:
    """Tests whether background tells cancer from normal.

    Args:
        features: (series, features), see `background_features`.
        is_cancer: (series,).
        patients: (series,).
        seed: Of folds and bootstrap.

    Returns:
        None where fewer than `MIN_PATIENTS` patients are on a side: nothing can be told.
    """
    names, patient = np.unique(patients, return_inverse=True)
    if min(len(np.unique(patient[is_cancer == side])) for side in (True, False)) < MIN_PATIENTS:
        return None
    rng = np.random.default_rng(seed)
    fold = (rng.permutation(len(names)) % FOLDS)[patient]
    away = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    table = np.column_stack([np.ones(len(away)), away, away**2])
    scores = np.empty(len(away))
    for test in range(FOLDS):
        train = fold != test
        scores[~train] = table[~train] @ _fit(table[train], is_cancer[train])
    series_of = [np.flatnonzero(patient == one) for one in range(len(names))]
    drawn = []
    for _ in range(RESAMPLINGS):
        chosen = np.concatenate([series_of[k] for k in rng.integers(len(names), size=len(names))])
        if 0 < is_cancer[chosen].sum() < len(chosen):
            drawn.append(_auroc(scores[chosen], is_cancer[chosen]))
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    cancers = int(is_cancer.sum())
    return ScannerTrap(_auroc(scores, is_cancer), (low, high), cancers, len(is_cancer) - cancers)


def _fit(table: NDArray[np.float64], is_cancer: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights of a logistic regression with a light ridge; both sides count the same."""
    share = is_cancer.mean()
    side = np.where(is_cancer, 0.5 / max(share, 1e-9), 0.5 / max(1 - share, 1e-9))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = table @ weights
        value = (side * (np.logaddexp(0, logits) - is_cancer * logits)).mean()
        slope = table.T @ (side * (expit(logits) - is_cancer)) / len(table)
        return float(value + RIDGE * (weights**2).sum() / 2), slope + RIDGE * weights

    found: NDArray[np.float64] = optimize.minimize(
        loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B"
    ).x
    return found


def _auroc(scores: NDArray[np.float64], is_cancer: NDArray[np.bool_]) -> float:
    """By Mann and Whitney, ties counting half."""
    cancers, normals = int(is_cancer.sum()), int((~is_cancer).sum())
    won = rankdata(scores)[is_cancer].sum() - cancers * (cancers + 1) / 2
    return float(won / (cancers * normals))
