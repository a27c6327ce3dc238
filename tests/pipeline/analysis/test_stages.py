"""What each stage hands to the next, with networks that record what they are given."""

from dataclasses import replace

import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom
from hounsfield.pipeline.analysis.detection import detect_candidates
from hounsfield.pipeline.analysis.examination import find_chest
from hounsfield.pipeline.analysis.timing import StageTimer
from hounsfield.preprocessing.codes import NoticeCode
from hounsfield.preprocessing.volume import Volume
from tests.pipeline.fakes import BlobDetector, EvenClassifier, fake_analyser, fake_models
from tests.pipeline.scripted import scripted_config


@pytest.fixture(scope="module")
def volume():
    return make_phantom(3, settings=SMALL, nodules=[NoduleSpec(diameter_mm=20.0)]).volume


class RecordingDetector(BlobDetector):
    def __init__(self):
        self.grids = []

    def detect(self, volume):
        self.grids.append(volume)
        return super().detect(volume)


class LostClassifier(EvenClassifier):
    """Has never seen anything like the first candidate."""

    def classify(self, volume, candidates):
        first, *others = super().classify(volume, candidates)
        return [replace(first, out_of_distribution=True), *others]


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.7, 0.7, 1.25)])
def test_the_detector_gets_its_own_grid_and_everything_after_it_the_working_grid(
    tmp_path, volume, spacing_mm
):
    models = fake_models(scripted_config(tmp_path))
    detector = RecordingDetector()
    manifest = models.stored.detector.manifest.model_copy(update={"spacing_mm": spacing_mm})
    stored = replace(models.stored, detector=replace(models.stored.detector, manifest=manifest))
    models = replace(models, detector=detector, stored=stored)
    chest = find_chest(volume, timer=StageTimer())
    working, candidates = detect_candidates(volume, chest.lungs, models=models, timer=StageTimer())
    assert [grid.spacing_mm for grid in detector.grids] == [pytest.approx(spacing_mm)]
    assert working.spacing_mm == pytest.approx((1.0, 1.0, 1.0))
    assert candidates


def test_a_chest_has_the_notices_of_reading_and_those_of_its_quality(volume):
    hu = volume.hu.copy()
    hu[:, :40, :40] = -2000  # padding, which reading replaces
    thick = Volume.from_array(hu[::6], volume.affine @ np.diag([1.0, 1.0, 6.0, 1.0]))
    chest = find_chest(thick, timer=StageTimer())
    codes = [notice.code for notice in chest.notices]
    assert NoticeCode.PADDING_REPLACED in codes
    assert NoticeCode.THICK_SLICES in codes


def test_a_finding_unlike_the_training_says_so_and_has_no_confidence(tmp_path, volume):
    analyser = fake_analyser(scripted_config(tmp_path))
    lost = replace(analyser, models=replace(analyser.models, classifier=LostClassifier()))
    findings = lost.analyse_volume(volume).findings
    assert [notice.code for notice in findings[0].notices] == [NoticeCode.OUTSIDE_TRAINING]
    assert findings[0].confidence_band == "out_of_distribution"
    assert all(not finding.notices for finding in findings[1:])
