import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from hounsfield.data.phantom import NoduleSpec
from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.findings import Candidate, NoduleClass
from hounsfield.models.inference.loading import load_classifier
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.store.publishing import half_precision_weights, publish
from hounsfield.models.training.augmentation.lung_places import GAP_MM, HILUM_MM, LungPlaces
from hounsfield.models.training.classifier.class_material import (
    CARCINOMAS,
    allowed_classes,
    attributes_of,
)
from hounsfield.models.training.classifier.configuration import ClassifierSamplingConfig
from hounsfield.models.training.classifier.publication import classifier_manifest, fit_calibration
from hounsfield.models.training.classifier.samples import ClassificationSamples
from hounsfield.models.training.classifier.task import (
    calibration_samples,
    classifier_task,
)
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.engine.material import read_cases, training_material
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG, WorkingVolume
from tests.models.training.prepared_folder import write_prepared_folder
from tests.models.training.toy_training import toy_optimisation, toy_train

SMALL = {"close_channels": [2, 2, 2, 3], "wide_channels": [2, 2, 3], "dropout_percent": 0}
SHIPPED = model_folder("nodule_detector")
SHAPE = (96, 96, 160)
LUNGS = ((RIGHT_LUNG, slice(8, 70)), (LEFT_LUNG, slice(90, 152)))
NORMAL = frozenset({NoduleClass.NORMAL})


def a_case(uid, *findings, synthetic=False):
    """Two lungs of 62 mm beside a mediastinum of 20 mm, with bright balls for findings."""
    hu = np.full(SHAPE, 40, np.int16)
    labels = np.zeros(SHAPE, np.uint8)
    for label, across in LUNGS:
        labels[8:88, 8:88, across] = label
    noise = np.random.default_rng(int(uid.split(".")[-1])).integers(-50, 50, SHAPE)
    hu[labels > 0] = -850 + noise[labels > 0]
    for finding in findings:
        away = np.indices(SHAPE) - np.array(finding.centre_world_mm[::-1])[:, None, None, None]
        hu[(away**2).sum(0) < (finding.diameter_mm / 2) ** 2] = 60
    volume = WorkingVolume(hu, labels, labels > 0, np.eye(4))
    return PreparedCase(uid, uid, volume, findings, synthetic=synthetic)


def a_finding(histology="", *, malignancy=None, place=(40.0, 48.0, 48.0), ignored=False):
    return KnownFinding(place, 16.0, histology=histology, malignancy=malignancy, ignored=ignored)


def samples_of(case, *, crops=(), false_positives=None, **settings):
    sampling = ClassifierSamplingConfig(**settings)
    false_positives = np.zeros((0, 3)) if false_positives is None else false_positives
    return ClassificationSamples([case], [false_positives], crops, sampling, length=40, seed=0)


def classes_of(sample):
    return frozenset(c for c, may in zip(NoduleClass, sample["allowed"], strict=True) if may)


@pytest.mark.parametrize(
    ("finding", "classes"),
    [
        (a_finding("adenocarcinoma"), {NoduleClass.ADENOCARCINOMA}),
        (a_finding("normal", malignancy=5), NORMAL),
        (a_finding("small_cell_carcinoma"), set()),
        (a_finding(malignancy=4), set(CARCINOMAS)),
        (a_finding(malignancy=3), set()),
        (a_finding(malignancy=2), NORMAL),
        (a_finding(), set()),
        (a_finding("adenocarcinoma", ignored=True), set()),
    ],
)
def test_histology_gives_the_class_and_without_it_the_rating_gives_cancer_or_normal(
    finding, classes
):
    assert allowed_classes(finding) == classes


def test_a_case_s_own_finding_is_in_the_middle_with_its_class():
    case = a_case("1.1", a_finding("squamous_cell_carcinoma"))
    sample = samples_of(case, own_weight=1.0, jitter_mm=0.0)[0]
    assert classes_of(sample) == {NoduleClass.SQUAMOUS_CELL_CARCINOMA}
    near = sample["image"][0]
    assert near[17:23, 17:23, 17:23].mean() > near.mean() + 0.3


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    case = a_case("1.1", a_finding("adenocarcinoma"))
    weights = {"own_weight": 0.5, "background_weight": 0.5}
    first, again = samples_of(case, **weights), samples_of(case, **weights)
    for index in (3, 0):
        assert torch.equal(first[index]["image"], again[index]["image"])
    assert not torch.equal(first[0]["image"], first[1]["image"])


def test_pasted_nodules_have_the_classes_of_their_rating_and_false_positives_are_normal():
    ball = ((np.indices((12,) * 3) - 5.5) ** 2).sum(0) < 16
    hu = np.where(ball, 50, -850).astype(np.int16)
    crops = [
        NoduleCrop(a_finding(malignancy=rating), "1", "1", hu, ball.astype(np.float32), 1.0)
        for rating in (5, 3)
    ]
    case = a_case("1.1")
    pasted = samples_of(case, crops=crops, real_suspicious_weight=1.0, real_benign_weight=1.0)
    assert {classes_of(pasted[index]) for index in range(4)} == {frozenset(CARCINOMAS)}
    false_positive = samples_of(
        case, false_positives=np.array([[40.0, 48.0, 48.0]]), false_positive_weight=1.0
    )
    assert classes_of(false_positive[0]) == NORMAL


def test_weights_without_any_material_are_refused():
    with pytest.raises(UsageError, match="no kind of sample has both a weight"):
        samples_of(a_case("1.1"), own_weight=1.0, real_benign_weight=1.0)


def test_the_weight_of_a_sample_is_the_mean_over_the_classes_it_may_have():
    case = a_case("1.1", a_finding(malignancy=5))
    sample = samples_of(case, own_weight=1.0, class_weights=(1.0, 2.0, 6.0, 9.0))[0]
    assert float(sample["weight"]) == 3.0


def test_attributes_of_synthetic_nodules_are_known_and_of_others_not():
    synthetic = samples_of(a_case("1.1"), synthetic_carcinoma_weight=1.0)
    assert all(set(synthetic[index]["attributes"].tolist()) == {0.0, 1.0} for index in range(3))
    own = samples_of(a_case("1.1", a_finding("adenocarcinoma")), own_weight=1.0)
    assert set(own[0]["attributes"].tolist()) == {-1.0}


def test_a_phantom_s_own_nodule_has_the_attributes_of_its_specification():
    spec = NoduleSpec(diameter_mm=16.0, margin="spiculated", place="hilar", cavity=0.4)
    finding = replace(a_finding("squamous_cell_carcinoma"), specified=spec)
    own = samples_of(a_case("1.1", finding), own_weight=1.0)
    assert own[0]["attributes"].tolist() == attributes_of(spec).tolist()


def test_calibration_assumes_equally_likely_classes_however_often_they_were_shown():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), [300, 300, 300, 2100])
    # These logits are calibrated for equally likely classes.
    calibrated = 2.0 * np.eye(4)[truth] + rng.gumbel(size=(3000, 4))
    logits = torch.tensor(3 * (calibrated + np.log([0.1, 0.1, 0.1, 0.7])), dtype=torch.float32)
    fitted = fit_calibration(logits, torch.tensor(np.eye(4)[truth], dtype=torch.float32))
    assert fitted.class_intercepts[:3] == pytest.approx([np.log(7) * 3 * fitted.slope] * 3, rel=0.2)
    probabilities = torch.softmax(fitted.slope * logits + torch.tensor(fitted.class_intercepts), 1)
    correct = (probabilities.argmax(1).numpy() == truth).astype(float)
    overconfidence = probabilities.max(1).values.numpy() - correct
    by_class = [overconfidence[truth == label].mean() for label in range(4)]
    assert abs(np.mean(by_class)) < 0.03


@pytest.mark.parametrize("seed", range(5))
def test_hilar_places_are_near_a_hilum_and_pleural_ones_at_the_wall(seed):
    known = a_finding(place=(30.0, 30.0, 30.0))
    places, rng = LungPlaces(a_case("1.1", known)), np.random.default_rng(seed)
    hilar = places.sample("hilar", 12.0, rng)
    hila = [np.array([48, 48, 69]), np.array([48, 48, 90])]
    assert min(np.linalg.norm(hilar - hilum) for hilum in hila) < HILUM_MM + 6 + 8
    pleural = places.sample("pleura", 12.0, rng)
    edges = [abs(pleural[axis] - end) for axis in (0, 1) for end in (8, 88)]
    edges += [abs(pleural[2] - end) for end in (8, 152)]
    assert min(edges) < 10
    for centre in (hilar, pleural):
        distance = np.linalg.norm(centre - np.array(known.centre_world_mm)[::-1])
        assert distance > (12 + known.diameter_mm) / 2 + GAP_MM - 4


@pytest.fixture
def config_path(tmp_path):
    """Cancers of one data set and normals of another, and a configuration with both."""
    folders = {"lung-pet-ct-dx": "adenocarcinoma", "class-folders": "normal"}
    for number, (dataset, histology) in enumerate(folders.items()):
        cases = [a_case(f"1.{number}.{fold}", a_finding(histology)) for fold in range(3)]
        write_prepared_folder(tmp_path / dataset, dataset, cases)
    optimisation = toy_optimisation(steps=2, batch=2, validation_samples=2, validate_every=2)
    settings = {
        "task": "classifier",
        "name": "toy_classifier",
        "seed": 1,
        "network": SMALL,
        "sampling": {"own_weight": 0.8, "background_weight": 0.2, "hu_window": [-1000, 400]},
        "optimisation": optimisation.model_dump(),
        "data": {"cases": [str(tmp_path / dataset) for dataset in folders]},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_classifier_whose_classes_come_from_different_data_sets_says_so(
    config_path, tmp_path, caplog
):
    config = read_training_config(config_path)
    trained_with = read_manifest(SHIPPED).trained_with
    task = classifier_task(config)
    trained = toy_train(task, config.optimisation, tmp_path / "run")
    weights = half_precision_weights(trained.network)
    with caplog.at_level(logging.INFO):
        manifest = classifier_manifest(config, trained_with, weights)
    publish(manifest, weights, tmp_path / "out")
    warning = (
        "CANCERS COME FROM Lung-PET-CT-Dx ONLY AND NORMALS FROM volumes in a folder for each "
        "class ONLY: the scanner may give the class away."
    )
    assert warning in manifest.limits
    assert warning in caplog.text
    assert "1 series with cancer and 1 without are too few" in caplog.text
    classifier = load_classifier(tmp_path / "out", threads=1)
    case = a_case("1.7", a_finding())
    (prediction,) = classifier.classify(case.volume, [Candidate((40.0, 48.0, 48.0), 16.0, 0.9)])
    assert sum(prediction.probabilities) == pytest.approx(1)
    assert prediction.activation_map.activation.shape == (4, 10, 10, 10)


def calibrated_on(config_path, *cases):
    """The configuration with calibration series."""
    folder = config_path.parent / "calibration"
    write_prepared_folder(folder, "class-folders", cases)
    settings = yaml.safe_load(config_path.read_text())
    settings["data"]["calibration"] = [str(folder)]
    config_path.write_text(yaml.safe_dump(settings))
    return read_training_config(config_path)


def test_calibration_series_are_sampled_as_they_are_and_not_trained_on(config_path):
    known = [a_finding(kind) for kind in ("squamous_cell_carcinoma", "normal")]
    cases = [a_case(f"3.{number}", finding) for number, finding in enumerate(known)]
    config = calibrated_on(config_path, *cases)
    samples = calibration_samples(config, length=12)
    assert {classes_of(samples[index]) for index in range(12)} == {
        NORMAL,
        frozenset({NoduleClass.SQUAMOUS_CELL_CARCINOMA}),
    }
    trained_on = [case.series_uid for case in read_cases(config.data, "training")]
    assert trained_on == ["1.0.2", "1.1.2"]
    material = training_material(config.data)[-1]
    assert material.role == "2 series for calibration only, not trained on"
    assert material.series_uids == ("3.0", "3.1")


def test_a_patient_who_calibrates_must_not_be_trained_on(config_path):
    config = calibrated_on(config_path, a_case("1.1.0", a_finding("normal")))
    with pytest.raises(UsageError, match=r"1 patient.* such as 1\.1\.0; use patients that"):
        calibration_samples(config, length=1)


def test_a_calibration_series_must_not_be_a_copy_of_a_training_series(config_path):
    config = calibrated_on(config_path, a_case("3.0", a_finding("normal")))
    split = config_path.parent / "calibration" / "split.json"
    split.write_text(split.read_text().replace('"voxels_sha256":"3.0"', '"voxels_sha256":"1.1.0"'))
    with pytest.raises(UsageError, match=r"the same voxels are under two patients: 1\.1\.0 of"):
        calibration_samples(config, length=1)


def test_calibration_series_change_the_calibration_and_nothing_else(config_path):
    network = classifier_task(read_training_config(config_path)).network
    weights = half_precision_weights(network)
    trained_with = read_manifest(SHIPPED).trained_with
    plain = classifier_manifest(read_training_config(config_path), trained_with, weights)
    config = calibrated_on(config_path, a_case("3.0", a_finding("large_cell_carcinoma")))
    apart = classifier_manifest(config, trained_with, weights)
    assert apart.calibration.class_intercepts[1] > plain.calibration.class_intercepts[1]
    assert apart.training_distribution == plain.training_distribution
