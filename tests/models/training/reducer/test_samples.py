import numpy as np
import pytest

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.contracts import Candidate
from hounsfield.models.inference.reducer import MAX_REDUCED_CANDIDATES
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.detector.targets import CropNodule
from hounsfield.models.training.reducer import mined_candidates
from hounsfield.models.training.reducer.mined_candidates import (
    CLEARANCE_MM,
    mine_candidates,
    on_nothing_known,
)
from hounsfield.models.training.reducer.samples import (
    CUBE_VOXELS,
    ReducerSamplingConfig,
    ReductionSamples,
    label,
)
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


def samples(**plan):
    settings = {"detector": "", "mined_in": "", "drawn_share": 0.0, "mass_share": 0.0, **plan}
    return ReductionSamples(
        [a_case()],
        [np.array([TUBE])],
        [a_crop()],
        ReducerSamplingConfig(**settings),
        length=20,
        seed=2,
    )


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    one, other = samples(), samples()
    _ = one[3]
    assert np.array_equal(one[7]["image"], other[7]["image"])
    assert not np.array_equal(one[7]["image"], one[8]["image"])


@pytest.mark.parametrize("own", [0.0, 1.0])
def test_a_nodule_lies_in_the_middle_as_far_off_as_marks_do(own):
    drawn = samples(nodule_share=1.0, own_share=own)
    for index in range(6):
        hu, nodules = drawn.draw(np.random.default_rng(index))
        assert hu.shape == (CUBE_VOXELS,) * 3
        middle = np.full(3, (CUBE_VOXELS - 1) / 2)
        if own == 0.0 and not nodules:
            continue  # it found no room
        nearest = min(nodules, key=lambda one: np.linalg.norm(middle - one.centre_zyx))
        # A quarter of the diameter, and whole voxels.
        assert np.linalg.norm(middle - nearest.centre_zyx) < 1.2 * nearest.diameter_mm / 4 + 1.1
        assert hu[tuple(np.rint(nearest.centre_zyx).astype(int))] > -100
        assert label(nodules, middle) == (1.0, 1.0)


def test_what_the_detector_marked_for_nothing_is_shown_as_no_nodule():
    drawn = samples(nodule_share=0.0, mined_share=1.0)
    for index in range(4):
        hu, _ = drawn.draw(np.random.default_rng(index))
        middle = CUBE_VOXELS // 2
        assert (
            hu[middle - 2 : middle + 2, middle - 2 : middle + 2, middle - 2 : middle + 2].max() > 0
        )
        assert drawn[index]["nodule"] == 0
        assert drawn[index]["weight"] == 1


def test_what_is_ignored_and_what_is_beside_a_nodule_counts_neither_way():
    mark = np.array([40.0, 40.0, 40.0])
    assert label([CropNodule((40, 40, 43), 8.0)], mark) == (1.0, 1.0)
    assert label([CropNodule((40, 40, 47), 8.0)], mark) == (0.0, 0.0)
    assert label([CropNodule((40, 40, 43), 8.0, ignored=True)], mark) == (0.0, 0.0)
    assert label([CropNodule((40, 40, 60), 8.0, ignored=True)], mark) == (0.0, 1.0)


def test_nothing_mined_lies_on_a_known_or_an_ignored_finding():
    marks = np.random.default_rng(0).uniform(0, 60, (MAX_REDUCED_CANDIDATES + 20, 3))
    findings = (
        KnownFinding((20.0, 20, 20), 12.0),
        KnownFinding((40.0, 40, 40), 30.0, ignored=True),
    )
    kept = on_nothing_known(marks, findings)
    assert 0 < len(kept) < MAX_REDUCED_CANDIDATES
    for one in findings:
        off = np.linalg.norm(kept - one.centre_world_mm, axis=1)
        assert off.min() > one.diameter_mm / 2 + CLEARANCE_MM


class Counting:
    def __init__(self):
        self.looks = 0

    def detect(self, volume):
        del volume
        self.looks += 1
        return [Candidate(place, 6.0, 0.5) for place in (BALL, TUBE)]


def test_a_detector_looks_at_a_volume_once_but_what_is_known_of_it_is_asked_anew(
    tmp_path, monkeypatch
):
    detector = Counting()
    monkeypatch.setattr(mined_candidates, "load_detector", lambda *_, **__: detector)

    def mine(*findings):
        (found,) = mine_candidates(
            model_folder("nodule_detector"), [a_case(findings)], cache=tmp_path, threads=1
        )
        return [tuple(mark) for mark in found]

    assert mine(KnownFinding(BALL, 10.0)) == [TUBE]
    assert mine(KnownFinding(TUBE, 10.0, ignored=True)) == [BALL]
    assert mine() == [BALL, TUBE]
    assert detector.looks == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]
