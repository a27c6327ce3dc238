import numpy as np
import pytest

from hounsfield.models.findings import Candidate, ConfidenceBand, confidence_band
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
    """Dark, noisy views with a bright ball of any size in the middle, close and wide."""
    rng = np.random.default_rng(seed)
    away = np.linalg.norm(np.indices((SIZE,) * 3) - (SIZE - 1) / 2, axis=0)
    views = []
    for _ in range(count):
        radius, noise = rng.uniform(3, 8), rng.uniform(0.01, 0.03)
        pair = [np.clip((radius / zoom - away), 0, 1) * 0.6 + 0.12 for zoom in (1, 2)]
        views.append(np.array(pair) + noise * rng.standard_normal((2, SIZE, SIZE, SIZE)))
    return np.clip(views, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def distribution():
    training, held_out = (view_features(lung_views(n, seed)) for n, seed in ((300, 1), (200, 2)))
    return fit_training_distribution(training, held_out)


def shuffled(views):
    mixed = views.reshape(len(views), -1).copy()
    return np.random.default_rng(4).permuted(mixed, axis=1).reshape(views.shape)


def inverted(views):
    return 1 - views


def brightened(views):
    return np.clip(views + 0.55, 0, 1)


def test_the_distance_is_mahalanobis_s():
    rng = np.random.default_rng(0)
    features = rng.multivariate_normal([1.0, -2.0], [[4.0, 1.0], [1.0, 2.0]], 5000)
    fitted = fit_training_distribution(features, features)
    correlations = np.linalg.inv(np.array(fitted.precision))
    covariance = correlations * np.outer(fitted.standard_deviation, fitted.standard_deviation)
    np.testing.assert_allclose(covariance, np.cov(features.T), rtol=0.01, atol=0.01)
    offsets = features - fitted.mean
    distances = np.sqrt(np.einsum("ni,ij,nj->n", offsets, np.linalg.inv(covariance), offsets))
    expected = np.quantile(distances, IN_DISTRIBUTION_QUANTILE)
    assert fitted.max_distance == pytest.approx(expected, rel=0.01)


def test_other_views_of_the_training_distribution_pass(distribution):
    distances = mahalanobis_distances(lung_views(200, 3), distribution)
    assert (distances > distribution.max_distance).mean() < 5 * (1 - IN_DISTRIBUTION_QUANTILE)


@pytest.mark.parametrize("spoil", [shuffled, inverted, brightened])
def test_spoilt_views_are_out_of_distribution(distribution, spoil):
    distances = mahalanobis_distances(spoil(lung_views(50, 5)), distribution)
    assert (distances > distribution.max_distance).all()


def test_the_band_of_an_out_of_distribution_input_ignores_its_probability():
    assert confidence_band((1.0, 0, 0, 0)) is ConfidenceBand.HIGH
    band = confidence_band((1.0, 0, 0, 0), out_of_distribution=True)
    assert band is ConfidenceBand.OUT_OF_DISTRIBUTION


@pytest.mark.parametrize(("max_distance", "outside"), [(1e9, False), (0.0, True)])
def test_a_classifier_applies_the_limit_of_its_manifest(max_distance, outside):
    shape = (60, 60, 60)
    count = view_features(np.zeros((1, 2, 40, 40, 40), np.float32)).shape[1]
    identity = TrainingDistribution(
        mean=(0.5,) * count,
        standard_deviation=(1.0,) * count,
        precision=tuple(map(tuple, np.eye(count).tolist())),
        max_distance=max_distance,
    )
    manifest = read_manifest(model_folder("nodule_classifier"))
    classifier = NoduleClassifier(
        manifest.model_copy(
            update={"training_distribution": identity, "calibration": Calibration()}
        ),
        lambda views: np.zeros((len(views), 2, 4, 2, 2, 2), np.float32),
    )
    volume = WorkingVolume(
        np.full(shape, -800, np.int16),
        np.full(shape, RIGHT_LUNG, np.uint8),
        np.ones(shape, bool),
        np.eye(4),
    )
    (classification,) = classifier.classify(volume, [Candidate((30.0, 30.0, 30.0), 8.0, 0.9)])
    assert classification.out_of_distribution is outside
    assert classification.probabilities == (0.25, 0.25, 0.25, 0.25)
