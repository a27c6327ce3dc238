"""Shortcut check: can cancer be predicted from lung without any finding?

Where cancers and normal findings come from different scanners, a network may learn the scanner
instead of the disease (acquisition confounding). A plain logistic regression then separates them
by the noise texture of lung far from any finding.
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

CUBES, CUBE_VOXELS = 12, 16
"""Number of cubes of lung that are sampled from a series, and their edge in voxels."""

FOLDS, RESAMPLINGS = 5, 1000
MIN_PATIENTS = 2 * FOLDS
"""With fewer patients in either group the check is not made."""

RIDGE = 1e-2
"""Weight of the squared coefficients in the loss of the regression."""


@dataclass(frozen=True, slots=True)
class ShortcutCheck:
    """How well background alone separates cancer from normal.

    Attributes:
        auroc: Area under the ROC curve, cross-validated by patient; 0.5 is chance.
        interval_95: Its 95 % interval, from a bootstrap of patients.
        cancers: Number of series with cancer.
        normals: Number of series without.
    """

    auroc: float
    interval_95: tuple[float, float]
    cancers: int
    normals: int

    @property
    def is_shortcut(self) -> bool:
        """Whether background predicts the class better than chance."""
        return self.interval_95[0] > 0.5


def background_features(case: PreparedCase) -> NDArray[np.float64]:
    """Measures brightness, noise and grain along each axis in lung clear of all known findings.

    Each feature is the median over some cubes; without lungs, corners of the volume are used.

    Args:
        case: Series at 1 mm with its lungs and known findings.

    Returns:
        ``[6]``: mean HU / 100, then log(1 + x) of the deviation, of the Laplacian's magnitude, and
        of the second difference's along z, y and x.
    """
    volume, rng = case.volume, np.random.default_rng(0)
    places = LungPlaces(case)
    corner_zyx = np.subtract(volume.hu.shape, CUBE_VOXELS)
    rows = []
    for _ in range(CUBES):
        if places:
            start = places.sample("isolated", float(CUBE_VOXELS), rng) - CUBE_VOXELS // 2
        else:
            start = (rng.integers(0, 2, size=3) * corner_zyx).astype(np.float64)
        cube = cut_cube(volume.hu, np.rint(start).astype(np.int64), CUBE_VOXELS)
        grain = [np.abs(np.diff(cube, 2, axis=axis)).mean() for axis in range(3)]
        noise = np.abs(ndimage.laplace(cube)).mean()
        rows.append([cube.mean() / 100, *np.log1p([cube.std(), noise, *grain])])
    features: NDArray[np.float64] = np.median(np.array(rows, np.float64), axis=0)
    return features


def check_shortcut(
    features: NDArray[np.float64],
    is_cancer: NDArray[np.bool_],
    patients: NDArray[np.str_],
    *,
    seed: int = 0,
) -> ShortcutCheck | None:
    """Tests whether background predicts cancer, by a logistic regression over folds of patients.

    Args:
        features: ``[series, features]``, see `background_features`.
        is_cancer: Ground truth of each series, ``[series]``.
        patients: Patient of each series, ``[series]``.
        seed: Seed of the folds and of the bootstrap.

    Returns:
        The result; None where either group has fewer than `MIN_PATIENTS` patients.
    """
    names, patient = np.unique(patients, return_inverse=True)
    if min(len(np.unique(patient[is_cancer == side])) for side in (True, False)) < MIN_PATIENTS:
        return None
    rng = np.random.default_rng(seed)
    fold = (rng.permutation(len(names)) % FOLDS)[patient]
    standardised = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    table = np.column_stack([np.ones(len(standardised)), standardised, standardised**2])
    scores = np.empty(len(standardised))
    for test in range(FOLDS):
        train = fold != test
        scores[~train] = table[~train] @ _fit(table[train], is_cancer[train])
    series_of = [np.flatnonzero(patient == number) for number in range(len(names))]
    resampled = []
    for _ in range(RESAMPLINGS):
        chosen = np.concatenate([series_of[k] for k in rng.integers(len(names), size=len(names))])
        if 0 < is_cancer[chosen].sum() < len(chosen):
            resampled.append(_auroc(scores[chosen], is_cancer[chosen]))
    low, high = np.quantile(resampled, (0.025, 0.975)).tolist()
    cancers = int(is_cancer.sum())
    return ShortcutCheck(_auroc(scores, is_cancer), (low, high), cancers, len(is_cancer) - cancers)


def _fit(table: NDArray[np.float64], is_cancer: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Coefficients of a logistic regression with a light ridge; both classes weigh the same."""
    fraction = is_cancer.mean()
    weight = np.where(is_cancer, 0.5 / max(fraction, 1e-9), 0.5 / max(1 - fraction, 1e-9))

    def loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = table @ coefficients
        value = (weight * (np.logaddexp(0, logits) - is_cancer * logits)).mean()
        slope = table.T @ (weight * (expit(logits) - is_cancer)) / len(table)
        return float(value + RIDGE * (coefficients**2).sum() / 2), slope + RIDGE * coefficients

    fitted: NDArray[np.float64] = optimize.minimize(
        loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B"
    ).x
    return fitted


def _auroc(scores: NDArray[np.float64], is_cancer: NDArray[np.bool_]) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half."""
    cancers, normals = int(is_cancer.sum()), int((~is_cancer).sum())
    won = rankdata(scores)[is_cancer].sum() - cancers * (cancers + 1) / 2
    return float(won / (cancers * normals))
