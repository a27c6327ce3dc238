import numpy as np
import pytest

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.reducer import MAX_REDUCED_CANDIDATES
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.augmentation.crop import CropNodule
from hounsfield.models.training.reducer.configuration import ReducerSamplingConfig
from hounsfield.models.training.reducer.mined_candidates import (
    CLEARANCE_MM,
    false_positives,
    mine_candidates,
)
from hounsfield.models.training.reducer.samples import CUBE_VOXELS, ReductionSamples, label
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SIZE = 96
BALL, TUBE = (40.0, 48.0, 52.0), (70.0, 48.0, 48.0)  # x, y, z
KNOWN = (KnownFinding(BALL, 10.0),)


def a_case(findings=KNOWN):
    """Lung with a ball and, along z, a tube."""
    z, y, x = np.indices((SIZE,) * 3)
    ball = (z - BALL[2]) ** 2 + (y - BALL[1]) ** 2 + (x - BALL[0]) ** 2 < 25
    tube = (y - TUBE[1]) ** 2 + (x - TUBE[0]) ** 2 < 9
    hu = np.where(ball | tube, 40, -850).astype(np.int16)
    lung = np.full(hu.shape, RIGHT_LUNG, np.uint8)
    return PreparedCase(
        "1.2", "patient", WorkingVolume(hu, lung, lung > 0, np.eye(4)), findings, synthetic=False
    )


def a_crop():
    z, y, x = np.indices((15, 15, 15)) - 7
    mask = (z**2 + y**2 + x**2) < 16
    hu = np.where(mask, 40, -850).astype(np.int16)
    return NoduleCrop(KnownFinding((0, 0, 0), 8.0), "1.3", "p", hu, mask.astype(np.float32), 1.0)


def samples(**changes):
    settings = {
        "detector": "",
        "candidate_cache": "",
        "synthetic_probability": 0.0,
        "mass_probability": 0.0,
        **changes,
    }
    return ReductionSamples(
        [a_case()],
        [np.array([TUBE])],
        [a_crop()],
        ReducerSamplingConfig(**settings),
        length=20,
        seed=2,
    )


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    first, again = samples(), samples()
    _ = first[3]
    assert np.array_equal(first[7]["image"], again[7]["image"])
    assert not np.array_equal(first[7]["image"], first[8]["image"])


@pytest.mark.parametrize("own", [0.0, 1.0])
def test_a_nodule_is_as_near_to_the_middle_as_candidates_are_to_nodules(own):
    shown = samples(nodule_probability=1.0, own_probability=own)
    for index in range(6):
        hu, nodules = shown.cube(np.random.default_rng(index))
        assert hu.shape == (CUBE_VOXELS,) * 3
        middle = np.full(3, (CUBE_VOXELS - 1) / 2)
        if own == 0.0 and not nodules:
            continue  # there was no room for it
        nearest = min(nodules, key=lambda nodule: np.linalg.norm(middle - nodule.centre_zyx))
        # Within a quarter of the diameter, and rounded to voxels.
        assert np.linalg.norm(middle - nearest.centre_zyx) < 1.2 * nearest.diameter_mm / 4 + 1.1
        assert hu[tuple(np.rint(nearest.centre_zyx).astype(int))] > -100
        assert label(nodules, middle) == (1.0, 1.0)


def test_a_false_positive_of_the_detector_is_labelled_no_nodule():
    shown = samples(nodule_probability=0.0, mined_probability=1.0)
    for index in range(4):
        hu, _ = shown.cube(np.random.default_rng(index))
        middle = CUBE_VOXELS // 2
        assert (
            hu[middle - 2 : middle + 2, middle - 2 : middle + 2, middle - 2 : middle + 2].max() > 0
        )
        assert shown[index]["nodule"] == 0
        assert shown[index]["weight"] == 1


def test_candidates_to_ignore_and_just_outside_a_nodule_have_no_weight():
    candidate = np.array([40.0, 40.0, 40.0])
    assert label([CropNodule((40, 40, 43), 8.0)], candidate) == (1.0, 1.0)
    assert label([CropNodule((40, 40, 47), 8.0)], candidate) == (0.0, 0.0)
    assert label([CropNodule((40, 40, 43), 8.0, ignored=True)], candidate) == (0.0, 0.0)
    assert label([CropNodule((40, 40, 60), 8.0, ignored=True)], candidate) == (0.0, 1.0)


def test_false_positives_are_clear_of_known_and_ignored_findings():
    centres = np.random.default_rng(0).uniform(0, 60, (MAX_REDUCED_CANDIDATES + 20, 3))
    findings = (
        KnownFinding((20.0, 20, 20), 12.0),
        KnownFinding((40.0, 40, 40), 30.0, ignored=True),
    )
    kept = false_positives(centres, findings)
    assert 0 < len(kept) < MAX_REDUCED_CANDIDATES
    for finding in findings:
        distance = np.linalg.norm(kept - finding.centre_world_mm, axis=1)
        assert distance.min() > finding.diameter_mm / 2 + CLEARANCE_MM


class CountingDetector:
    def __init__(self):
        self.runs = 0

    def detect(self, volume):
        del volume
        self.runs += 1
        return [Candidate(place, 6.0, 0.5) for place in (BALL, TUBE)]


def test_a_detector_runs_once_on_a_volume_and_known_findings_are_compared_anew(tmp_path):
    detector = CountingDetector()

    def mine(*findings):
        (centres,) = mine_candidates(
            model_folder("nodule_detector"),
            [a_case(findings)],
            cache=tmp_path,
            threads=1,
            load=lambda _folder: detector,
        )
        return [tuple(centre) for centre in centres]

    assert mine(KnownFinding(BALL, 10.0)) == [TUBE]
    assert mine(KnownFinding(TUBE, 10.0, ignored=True)) == [BALL]
    assert mine() == [BALL, TUBE]
    assert detector.runs == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]
