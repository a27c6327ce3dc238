import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from hounsfield.data.phantom import NoduleSpec
from hounsfield.data.prepared.case import KnownFinding, PreparedCase, save_case
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest
from hounsfield.models.contracts import Candidate, NoduleClass
from hounsfield.models.inference.loading import load_classifier
from hounsfield.models.networks.class_net import ATTRIBUTES
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.store.publishing import half_precision_weights, publish
from hounsfield.models.training.augmentation.lung_places import GAP_MM, HILUM_MM, LungPlaces
from hounsfield.models.training.classifier.class_material import (
    CARCINOMAS,
    UNKNOWN_ATTRIBUTES,
    allowed_classes,
    attributes_of,
)
from hounsfield.models.training.classifier.configuration import ClassifierSamplingConfig
from hounsfield.models.training.classifier.publication import classifier_manifest, fit_calibration
from hounsfield.models.training.classifier.samples import ClassificationSamples
from hounsfield.models.training.classifier.task import (
    ATTRIBUTES_WEIGHT,
    calibration_samples,
    classification_loss,
    classifier_task,
)
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.models.training.engine.material import read_cases, training_material
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG, WorkingVolume
from tests.models.training.toy_training import toy_plan, toy_train

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


def samples_of(case, *, crops=(), marks=None, **shares):
    plan = ClassifierSamplingConfig(**shares)
    marks = np.zeros((0, 3)) if marks is None else marks
    return ClassificationSamples([case], [marks], crops, plan, length=40, seed=0)


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
def test_histology_says_the_class_and_without_one_malignancy_says_whether(finding, classes):
    assert allowed_classes(finding) == classes


def test_a_case_s_own_findings_are_shown_with_their_class_in_the_middle():
    case = a_case("1.1", a_finding("squamous_cell_carcinoma"))
    sample = samples_of(case, own=1.0, jitter_mm=0.0)[0]
    assert classes_of(sample) == {NoduleClass.SQUAMOUS_CELL_CARCINOMA}
    near = sample["image"][0]
    assert near[17:23, 17:23, 17:23].mean() > near.mean() + 0.3


def test_what_is_shown_depends_on_the_seed_and_the_index_alone():
    case = a_case("1.1", a_finding("adenocarcinoma"))
    shares = {"own": 0.5, "nothing": 0.5}
    first, again = samples_of(case, **shares), samples_of(case, **shares)
    for index in (3, 0):
        assert torch.equal(first[index]["image"], again[index]["image"])
    assert not torch.equal(first[0]["image"], first[1]["image"])


def test_nodules_are_pasted_with_what_readers_said_and_false_marks_are_normal():
    ball = ((np.indices((12,) * 3) - 5.5) ** 2).sum(0) < 16
    hu = np.where(ball, 50, -850).astype(np.int16)
    crops = [
        NoduleCrop(a_finding(malignancy=rating), "1", "1", hu, ball.astype(np.float32), 1.0)
        for rating in (5, 3)
    ]
    case = a_case("1.1")
    pasted = samples_of(case, crops=crops, real_suspicious=1.0, real_benign=1.0)
    assert {classes_of(pasted[index]) for index in range(4)} == {frozenset(CARCINOMAS)}
    marked = samples_of(case, marks=np.array([[40.0, 48.0, 48.0]]), false_marks=1.0)
    assert classes_of(marked[0]) == NORMAL


def test_shares_without_material_are_refused_when_nothing_is_left():
    with pytest.raises(UsageError, match="no part has both a share above 0 and material"):
        samples_of(a_case("1.1"), own=1.0, real_benign=1.0)


def test_class_weights_weigh_the_classes_that_a_sample_may_have():
    case = a_case("1.1", a_finding(malignancy=5))
    sample = samples_of(case, own=1.0, class_weights=(1.0, 2.0, 6.0, 9.0))[0]
    assert float(sample["weight"]) == 3.0


def test_the_loss_is_minus_the_log_of_the_probability_of_what_is_allowed():
    maps = torch.zeros(1, 2, 4 + len(ATTRIBUTES), 2, 2, 2)
    maps[0, 0, 0] = np.log(3.0)
    batch = {
        "allowed": torch.tensor([[1.0, 1.0, 0.0, 0.0]]),
        "weight": torch.ones(1),
        "looks": torch.tensor(UNKNOWN_ATTRIBUTES)[None],
    }
    parts = classification_loss(maps, batch)
    assert float(parts["loss"]) == float(parts["classes"]) == pytest.approx(-np.log(4 / 6))
    assert parts["looks"] == 0
    assert parts["right"] == 1


def test_looks_that_are_known_are_asked_each_by_itself():
    maps = torch.zeros(2, 2, 4 + len(ATTRIBUTES), 2, 2, 2)
    maps[:, 1, 4 + ATTRIBUTES.index("cavitary")] = np.log(3.0)
    hollow = attributes_of(NoduleSpec(diameter_mm=20.0, cavity=0.4))
    batch = {
        "allowed": torch.ones(2, 4),
        "weight": torch.ones(2),
        "looks": torch.tensor(np.stack([hollow, UNKNOWN_ATTRIBUTES])),
    }
    of_one = (-np.log(3 / 4) + (len(ATTRIBUTES) - 1) * np.log(2)) / len(ATTRIBUTES)
    parts = classification_loss(maps, batch)
    assert float(parts["looks"]) == pytest.approx(of_one / 2)
    assert float(parts["loss"]) == pytest.approx(ATTRIBUTES_WEIGHT * of_one / 2)


def test_a_drawn_nodule_comes_with_its_looks_and_another_without():
    drawn = samples_of(a_case("1.1"), drawn_carcinoma=1.0)
    assert all(set(drawn[index]["looks"].tolist()) == {0.0, 1.0} for index in range(3))
    own = samples_of(a_case("1.1", a_finding("adenocarcinoma")), own=1.0)
    assert set(own[0]["looks"].tolist()) == {-1.0}


def test_a_phantom_s_own_nodule_comes_with_the_looks_it_was_drawn_with():
    spec = NoduleSpec(diameter_mm=16.0, margin="spiculated", place="hilar", cavity=0.4)
    finding = replace(a_finding("squamous_cell_carcinoma"), specified=spec)
    own = samples_of(a_case("1.1", finding), own=1.0)
    assert own[0]["looks"].tolist() == attributes_of(spec).tolist()


def test_calibration_is_for_classes_as_likely_as_one_another_however_often_they_were_shown():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), [300, 300, 300, 2100])
    known = 2.0 * np.eye(4)[truth] + rng.gumbel(size=(3000, 4))  # calibrated for equal classes
    shown = torch.tensor(3 * (known + np.log([0.1, 0.1, 0.1, 0.7])), dtype=torch.float32)
    found = fit_calibration(shown, torch.tensor(np.eye(4)[truth], dtype=torch.float32))
    assert found.class_intercepts[:3] == pytest.approx([np.log(7) * 3 * found.slope] * 3, rel=0.2)
    certain = torch.softmax(found.slope * shown + torch.tensor(found.class_intercepts), 1)
    right = (certain.argmax(1).numpy() == truth).astype(float)
    gap = certain.max(1).values.numpy() - right
    assert abs(np.mean([gap[truth == one].mean() for one in range(4)])) < 0.03


@pytest.mark.parametrize("seed", range(5))
def test_central_nodules_lie_near_a_hilum_and_pleural_ones_at_the_wall(seed):
    known = a_finding(place=(30.0, 30.0, 30.0))
    places, rng = LungPlaces(a_case("1.1", known)), np.random.default_rng(seed)
    hilar = places.draw("hilar", 12.0, rng)
    hila = [np.array([48, 48, 69]), np.array([48, 48, 90])]
    assert min(np.linalg.norm(hilar - hilum) for hilum in hila) < HILUM_MM + 6 + 8
    pleural = places.draw("pleura", 12.0, rng)
    edges = [abs(pleural[axis] - end) for axis in (0, 1) for end in (8, 88)]
    edges += [abs(pleural[2] - end) for end in (8, 152)]
    assert min(edges) < 10
    for centre in (hilar, pleural):
        away = np.linalg.norm(centre - np.array(known.centre_world_mm)[::-1])
        assert away > (12 + known.diameter_mm) / 2 + GAP_MM - 4


def a_prepared_folder(folder, dataset, cases):
    """What `prepare` makes of cases, one in each fold."""
    entries = []
    for fold, case in enumerate(cases):
        uid = case.series_uid
        save_case(case, folder / "cases" / uid)
        entry = {"series_uid": uid, "patient_id": uid, "voxels_sha256": uid, "fold": fold}
        entries.append(SplitEntry(case=f"cases/{uid}", **entry))
    split = SplitManifest(dataset=dataset, folds=3, series=tuple(entries))
    (folder / "split.json").write_text(split.model_dump_json())


@pytest.fixture
def recipe(tmp_path):
    """Cancers of one data set and normals of another, and a recipe that trains on both."""
    folders = {"lung-pet-ct-dx": "adenocarcinoma", "class-folders": "normal"}
    for number, (dataset, histology) in enumerate(folders.items()):
        cases = [a_case(f"1.{number}.{fold}", a_finding(histology)) for fold in range(3)]
        a_prepared_folder(tmp_path / dataset, dataset, cases)
    plan = toy_plan(steps=2, batch=2, validation_samples=2, validate_every=2)
    settings = {
        "task": "classifier",
        "name": "toy_classifier",
        "seed": 1,
        "network": SMALL,
        "sampling": {"own": 0.8, "nothing": 0.2, "hu_window": [-1000, 400]},
        "optimisation": plan.model_dump(),
        "data": {"cases": [str(tmp_path / dataset) for dataset in folders]},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_other_sources_train_a_classifier_that_says_whose_its_normals_are(recipe, tmp_path, caplog):
    config, trained_with = read_training_config(recipe), read_manifest(SHIPPED).trained_with
    task = classifier_task(config)
    trained = toy_train(task, config.optimisation, tmp_path / "run")
    weights = half_precision_weights(trained.network)
    with caplog.at_level(logging.INFO):
        manifest = classifier_manifest(config, trained_with, weights)
    publish(manifest, weights, tmp_path / "out")
    told = (
        "CANCERS COME FROM Lung-PET-CT-Dx ALONE AND NORMALS FROM volumes in a folder for each "
        "class ALONE: a class may be told by its scanner."
    )
    assert told in manifest.limits
    assert told in caplog.text
    assert "1 series with cancer and 1 without are too few" in caplog.text
    classifier = load_classifier(tmp_path / "out", threads=1)
    case = a_case("1.7", a_finding())
    (said,) = classifier.classify(case.volume, [Candidate((40.0, 48.0, 48.0), 16.0, 0.9)])
    assert sum(said.probabilities) == pytest.approx(1)
    assert said.activation_map.activation.shape == (4, 10, 10, 10)


def calibrated_on(recipe, *cases):
    """The recipe with series of its own to calibrate on."""
    folder = recipe.parent / "calibration"
    a_prepared_folder(folder, "class-folders", cases)
    settings = yaml.safe_load(recipe.read_text())
    settings["data"]["calibration"] = [str(folder)]
    recipe.write_text(yaml.safe_dump(settings))
    return read_training_config(recipe)


def test_series_that_are_kept_for_it_calibrate_with_what_they_hold_and_teach_nothing(recipe):
    known = [a_finding(kind) for kind in ("squamous_cell_carcinoma", "normal")]
    cases = [a_case(f"3.{number}", one) for number, one in enumerate(known)]
    config = calibrated_on(recipe, *cases)
    asked = calibration_samples(config, length=12)
    assert {classes_of(asked[index]) for index in range(12)} == {
        NORMAL,
        frozenset({NoduleClass.SQUAMOUS_CELL_CARCINOMA}),
    }
    taught = [case.series_uid for case in read_cases(config.data, "training")]
    assert taught == ["1.0.2", "1.1.2"]
    told = training_material(config.data)[-1]
    assert told.role == "2 series that calibrate and teach nothing"
    assert told.series_uids == ("3.0", "3.1")


def test_who_calibrates_must_not_teach(recipe):
    config = calibrated_on(recipe, a_case("1.1.0", a_finding("normal")))
    with pytest.raises(UsageError, match=r"1 patient.* such as 1\.1\.0; who calibrates"):
        calibration_samples(config, length=1)


def test_what_calibrates_is_no_copy_of_what_teaches(recipe):
    config = calibrated_on(recipe, a_case("3.0", a_finding("normal")))
    split = recipe.parent / "calibration" / "split.json"
    split.write_text(split.read_text().replace('"voxels_sha256":"3.0"', '"voxels_sha256":"1.1.0"'))
    with pytest.raises(UsageError, match=r"the same voxels are under two patients: 1\.1\.0 of"):
        calibration_samples(config, length=1)


def test_a_classifier_is_calibrated_on_the_series_that_are_kept_for_it(recipe):
    network = classifier_task(read_training_config(recipe)).network
    weights = half_precision_weights(network)
    trained_with = read_manifest(SHIPPED).trained_with
    plain = classifier_manifest(read_training_config(recipe), trained_with, weights)
    config = calibrated_on(recipe, a_case("3.0", a_finding("large_cell_carcinoma")))
    apart = classifier_manifest(config, trained_with, weights)
    assert apart.calibration.class_intercepts[1] > plain.calibration.class_intercepts[1]
    assert apart.training_distribution == plain.training_distribution


def test_a_recipe_with_an_unknown_setting_is_refused(recipe):
    settings = yaml.safe_load(recipe.read_text())
    settings["sampling"]["drawn_cancer"] = 0.4
    recipe.write_text(yaml.safe_dump(settings))
    with pytest.raises(UsageError, match="sampling: drawn_cancer unknown"):
        classifier_task(read_training_config(recipe))
