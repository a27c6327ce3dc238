from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.data.prepared.case import KnownFinding, PreparedCase
from hounsfield.data.prepared.nodule_crops import NoduleCrop
from hounsfield.models.training.augmentation.backgrounds import Background
from hounsfield.models.training.augmentation.crop import CropNodule
from hounsfield.models.training.augmentation.insertion import insert_nodules
from hounsfield.models.training.augmentation.pasting import nodule_stamp, paste
from hounsfield.models.training.augmentation.rotation import rotated_crop
from hounsfield.models.training.augmentation.sites import edge_site_in, site_in
from hounsfield.models.training.detector.configuration import DetectorSamplingConfig
from hounsfield.models.training.detector.samples import DetectionSamples
from hounsfield.models.training.detector.targets import cell_of, detection_target
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SIZE = 96


def a_case(findings=()):
    z, y, x = np.indices((SIZE,) * 3) - SIZE // 2
    lung = (z**2 + y**2 + x**2) < 42**2
    hu = np.where(lung, -850, 40).astype(np.int16)
    labels = (lung * RIGHT_LUNG).astype(np.uint8)
    volume = WorkingVolume(hu, labels, lung, np.eye(4))
    return PreparedCase("1.2", "patient", volume, tuple(findings), synthetic=False)


def a_crop(radius=5, hu_inside=40):
    z, y, x = np.indices((25, 25, 25)) - 12
    mask = (z**2 + y**2 + x**2) < radius**2
    finding = KnownFinding((0, 0, 0), 2.0 * radius, malignancy=3, texture=5)
    hu = np.where(mask, hu_inside, -850).astype(np.int16)
    return NoduleCrop(finding, "1.3", "p", hu, mask.astype(np.float32), 1.0)


def samples(**changes):
    settings = {
        "crop_voxels": 32,
        "synthetic_probability": 0.0,
        "search_probability": 0.0,
        **changes,
    }
    case = a_case([KnownFinding((48, 48, 48), 8.0, ignored=True)])
    return DetectionSamples(
        [case], [a_crop()], DetectorSamplingConfig(**settings), length=40, seed=2
    )


def test_a_sample_depends_on_the_seed_and_its_index_alone():
    first, again = samples(), samples()
    _ = first[3]
    assert np.array_equal(first[7]["image"], again[7]["image"])
    assert not np.array_equal(first[7]["image"], first[8]["image"])


def test_the_image_is_bright_where_the_target_has_a_nodule():
    nodules = 0
    for item in (samples(negative_paste_probability=0.0)[i] for i in range(40)):
        image, heat = item["image"][0].numpy(), item["heat"].numpy()
        for cell in np.argwhere(heat == 1):
            block = image[tuple(slice(4 * c, 4 * c + 4) for c in cell)]
            assert block.mean() > 0.4  # -440 HU; plain lung is at 0.11
            nodules += 1
    assert nodules > 10


def test_a_place_to_ignore_has_no_weight():
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


def test_a_nodule_that_would_vanish_in_dense_tissue_is_not_pasted():
    stamp = nodule_stamp(a_crop(), np.random.default_rng(0))
    wall = np.full((40, 40, 40), 40, np.float32)
    assert not paste(wall, stamp, np.array([20.0, 20.0, 20.0]))
    assert np.all(wall == 40)
    lung = np.full((40, 40, 40), -850, np.float32)
    assert paste(lung, stamp, np.array([20.0, 20.0, 20.0]))
    assert lung[20, 20, 20] > 0


def test_inserted_nodules_keep_clear_of_known_findings_and_of_one_another():
    case = a_case([KnownFinding((48, 48, 48), 20.0)])
    volume, inserted = insert_nodules(case, [a_crop(3)] * 4, np.random.default_rng(1))
    assert len(inserted) >= 2
    assert np.any(volume.hu != case.volume.hu)
    for i, nodule in enumerate(inserted):
        for other in [*inserted[i + 1 :], *case.findings]:
            distance = np.linalg.norm(np.subtract(nodule.centre_world_mm, other.centre_world_mm))
            assert distance > (nodule.diameter_mm + other.diameter_mm) / 2 + 10


def test_without_nodules_to_paste_the_case_s_own_are_shown():
    sampling = DetectorSamplingConfig(
        crop_voxels=32, centred_probability=1.0, added_probability=0.0
    )
    case = a_case([KnownFinding((40, 48, 52), 8.0)])
    centred = DetectionSamples([case], [], sampling, length=10, seed=2)
    assert all(item["heat"].max() == 1 for item in (centred[i] for i in range(10)))


def test_only_listed_candidates_that_are_no_nodule_are_sampled():
    candidates = np.array([[30.0, 48, 48, 0], [60, 48, 48, 1]])
    background = Background(replace(a_case(), candidates=candidates))
    for _ in range(5):
        assert tuple(background.false_candidate_site(np.random.default_rng())) == (48, 48, 30)


def test_masses_are_larger_than_30_mm():
    sampling = DetectorSamplingConfig(
        crop_voxels=64, mass_probability=1.0, added_probability=1.0, negative_paste_probability=0.0
    )
    masses = DetectionSamples([a_case()], [a_crop(radius=8)], sampling, length=20, seed=3)
    sizes = [n.diameter_mm for i in range(20) for n in masses.crop(np.random.default_rng(i))[1]]
    assert len(sizes) > 5
    assert max(sizes) > 30


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_rotation_moves_nodules_as_it_moves_voxels(probability):
    rng = np.random.default_rng(4)
    for _ in range(5):
        cube = np.zeros((60, 60, 60), np.float32)
        cube[28:31, 33:36, 24:27] = 100
        rotated, (nodule,) = rotated_crop(
            cube,
            [CropNodule((29.0, 34.0, 25.0), 5.0)],
            40,
            free_rotation_probability=probability,
            rng=rng,
        )
        weighed = ndimage.center_of_mass(rotated)
        assert nodule.centre_zyx == pytest.approx(weighed, abs=0.3)
        volume = rotated.sum() / 100
        assert nodule.diameter_mm == pytest.approx(5.0 * (volume / 27) ** (1 / 3), rel=0.08)


def test_an_edge_site_lies_inside_and_touches_the_outside():
    lung = a_case().volume.lung_labels
    for seed in range(10):
        z, y, x = edge_site_in(lung, np.random.default_rng(seed))
        assert lung[z, y, x]
        assert not lung[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2].all()


def test_an_empty_mask_has_no_site():
    assert site_in(np.zeros((8, 8, 8)), np.random.default_rng(0)) is None
