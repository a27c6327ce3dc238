import numpy as np
import pytest

from data.nodule_crops import NoduleCrop, NoduleRecord
from data.prepared import KnownFinding, PreparedCase
from models.training.detection_samples import DetectionSamples, SamplingPlan
from models.training.detection_targets import CropNodule, cell_of, detection_target
from models.training.insertion import insert_nodules
from models.training.pasting import nodule_stamp, paste
from preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SIZE = 96


def a_case(findings=()):
    z, y, x = np.indices((SIZE,) * 3) - SIZE // 2
    lung = (z**2 + y**2 + x**2) < 42**2
    hu = np.where(lung, -850, 40).astype(np.int16)
    labels = (lung * RIGHT_LUNG).astype(np.uint8)
    volume = WorkingVolume(hu, labels, lung, np.eye(4), 1.0)
    return PreparedCase("1.2", "patient", volume, tuple(findings), synthetic=False)


def a_crop(radius=5, hu_inside=40):
    z, y, x = np.indices((25, 25, 25)) - 12
    mask = (z**2 + y**2 + x**2) < radius**2
    record = NoduleRecord("n", "p", "1.3", (0, 0, 0), 2.0 * radius, 3, 6, 1, 5)
    return NoduleCrop(
        record, np.where(mask, hu_inside, -850).astype(np.int16), mask.astype(np.float32), 1.0
    )


def samples(**plan):
    settings = {"crop_voxels": 32, "simulated_share": 0.0, "search_share": 0.0, **plan}
    case = a_case([KnownFinding((48, 48, 48), 8.0, ignored=True)])
    return DetectionSamples([case], [a_crop()], SamplingPlan(**settings), length=40, seed=2)


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    one, other = samples(), samples()
    _ = one[3]
    assert np.array_equal(one[7]["image"], other[7]["image"])
    assert not np.array_equal(one[7]["image"], one[8]["image"])


def test_where_the_target_says_nodule_the_picture_is_bright():
    drawn = 0
    for item in (samples(negative_paste_share=0.0)[i] for i in range(40)):
        image, heat = item["image"][0].numpy(), item["heat"].numpy()
        for cell in np.argwhere(heat == 1):
            block = image[tuple(slice(4 * c, 4 * c + 4) for c in cell)]
            assert block.mean() > 0.4  # -440 HU; plain lung is at 0.11
            drawn += 1
    assert drawn > 10


def test_a_known_but_ignored_place_has_no_weight():
    target = detection_target([CropNodule((16, 16, 16), 16.0, ignored=True)], 32)
    assert target.weight[4, 4, 4] == 0
    assert target.weight[0, 0, 0] == 1
    assert target.heat.max() == 0


def test_cell_and_offset_lead_back_to_the_voxel():
    centre = (13.2, 20.7, 9.9)
    target = detection_target([CropNodule(centre, 6.0)], 32)
    ((z, y, x),) = np.argwhere(target.heat == 1)
    assert (z, y, x) == pytest.approx(cell_of(centre) - target.regression[:3, z, y, x])
    assert (np.array((z, y, x)) + target.regression[:3, z, y, x] + 0.5) * 4 - 0.5 == pytest.approx(
        centre, abs=1e-5
    )


def test_a_nodule_that_would_vanish_in_dense_tissue_is_not_drawn():
    stamp = nodule_stamp(a_crop(), np.random.default_rng(0))
    wall = np.full((40, 40, 40), 40, np.float32)
    assert not paste(wall, stamp, np.array([20.0, 20.0, 20.0]))
    assert np.all(wall == 40)
    lung = np.full((40, 40, 40), -850, np.float32)
    assert paste(lung, stamp, np.array([20.0, 20.0, 20.0]))
    assert lung[20, 20, 20] > 0


def test_inserted_nodules_stay_clear_of_known_ones_and_of_one_another():
    case = a_case([KnownFinding((48, 48, 48), 20.0)])
    volume, inserted = insert_nodules(case, [a_crop(3)] * 4, np.random.default_rng(1))
    assert len(inserted) >= 2
    assert np.any(volume.hu != case.volume.hu)
    for i, one in enumerate(inserted):
        for other in [*inserted[i + 1 :], *case.findings]:
            off = np.linalg.norm(np.subtract(one.centre_world_mm, other.centre_world_mm))
            assert off > (one.diameter_mm + other.diameter_mm) / 2 + 10
