import numpy as np
import pytest

from hounsfield.models.contracts import Candidate, ConfidenceBand, confidence_band
from hounsfield.models.inference.classifier import NoduleClassifier
from hounsfield.models.inference.out_of_distribution import (
    IN_DISTRIBUTION_QUANTILE,
    fit_training_distribution,
    mahalanobis_distances,
    view_features,
)
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.store.manifest import Calibration, TrainingDistribution
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SIZE = 24


def lung_views(count, seed):
    """Dark, grainy views with a bright ball of any size in the middle, close and wide."""
    rng = np.random.default_rng(seed)
    away = np.linalg.norm(np.indices((SIZE,) * 3) - (SIZE - 1) / 2, axis=0)
    views = []
    for _ in range(count):
        radius, grain = rng.uniform(3, 8), rng.uniform(0.01, 0.03)
        pair = [np.clip((radius / zoom - away), 0, 1) * 0.6 + 0.12 for zoom in (1, 2)]
        views.append(np.array(pair) + grain * rng.standard_normal((2, SIZE, SIZE, SIZE)))
    return np.clip(views, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def training_distribution():
    return fit_training_distribution(
        view_features(lung_views(300, 1)), view_features(lung_views(200, 2))
    )


def test_views_of_the_same_making_are_familiar(training_distribution):
    strange = (
        mahalanobis_distances(lung_views(200, 3), training_distribution)
        > training_distribution.limit
    )
    assert strange.mean() < 5 * (1 - IN_DISTRIBUTION_QUANTILE)


def shuffled(views):
    mixed = views.reshape(len(views), -1).copy()
    return np.random.default_rng(4).permuted(mixed, axis=1).reshape(views.shape)


@pytest.mark.parametrize(
    "spoil", [shuffled, lambda views: 1 - views, lambda views: np.clip(views + 0.55, 0, 1)]
)
def test_shuffled_inverted_and_solid_views_are_strange(training_distribution, spoil):
    assert (
        mahalanobis_distances(spoil(lung_views(50, 5)), training_distribution)
        > training_distribution.limit
    ).all()


def test_what_is_strange_is_out_of_distribution_whatever_the_probability():
    assert confidence_band((1.0, 0, 0, 0)) is ConfidenceBand.HIGH
    band = confidence_band((1.0, 0, 0, 0), out_of_distribution=True)
    assert band is ConfidenceBand.OUT_OF_DISTRIBUTION


@pytest.mark.parametrize(("limit", "strange"), [(1e9, False), (0.0, True)])
def test_a_classifier_says_which_candidates_are_strange(limit, strange):
    shape = (60, 60, 60)
    count = view_features(np.zeros((1, 2, 40, 40, 40), np.float32)).shape[1]
    plain = TrainingDistribution(
        mean=(0.5,) * count,
        scale=(1.0,) * count,
        precision=tuple(map(tuple, np.eye(count).tolist())),
        limit=limit,
    )
    manifest = read_manifest(model_folder("nodule_classifier"))
    classifier = NoduleClassifier(
        manifest.model_copy(update={"training_distribution": plain, "calibration": Calibration()}),
        lambda views: np.zeros((len(views), 2, 4, 2, 2, 2), np.float32),
    )
    volume = WorkingVolume(
        np.full(shape, -800, np.int16),
        np.full(shape, RIGHT_LUNG, np.uint8),
        np.ones(shape, bool),
        np.eye(4),
    )
    (said,) = classifier.classify(volume, [Candidate((30.0, 30.0, 30.0), 8.0, 0.9)])
    assert said.out_of_distribution is strange
    assert said.probabilities == (0.25, 0.25, 0.25, 0.25)
