"""Left, right, front, back, head and foot, from file to mark, in every orientation."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom
from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.data.phantom.nodules.painting import paint_nodule
from hounsfield.models.inference.loading import load_detector
from hounsfield.models.store.folders import model_folder
from hounsfield.pipeline.config import load_config
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.volume import Volume
from hounsfield.preprocessing.working_grid import to_working_volume
from tests.preprocessing.synthetic_chest import reordered, value_at
from tests.preprocessing.volumes import make_volume

ORIENTATIONS = [
    (order, tuple(axis for axis in range(3) if flips[axis]))
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3))
]
FORMS = ("dicom", "scan.mha", "scan.nii.gz")
OCTANTS = list(product(("foot", "head"), ("front", "back"), ("right", "left")))


def through_files(volume, form, folder):
    """The volume as it is read from a form that it was written in."""
    if form == "dicom":
        save_series(ct_datasets(volume), folder / form)
    else:
        with (folder / form).open("wb") as file:
            write_volume(volume, file, VolumeFormat.of(folder / form))
    [series] = discover([folder / form]).series
    return read_volume(series)


@pytest.mark.parametrize("form", FORMS)
def test_every_voxel_of_every_orientation_is_where_it_was(tmp_path, form):
    volume = make_volume(shape_zyx=(20, 22, 24), spacing_mm=(7, 8, 6))
    corners = list(product((3, 20), (4, 17), (5, 14)))
    for number, orientation in enumerate(ORIENTATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        read = through_files(reordered(volume, *orientation), form, folder)
        for x, y, z in corners:
            world_mm = volume.world_mm((x, y, z))
            assert value_at(read.hu, read.affine, world_mm) == volume.hu[z, y, x]


@pytest.fixture(scope="module")
def chest():
    return make_phantom(11, settings=SMALL, nodules=[])


@pytest.fixture(scope="module")
def detector():
    return load_detector(model_folder(load_config().models.detector), threads=1)


@pytest.mark.parametrize("number", range(len(OCTANTS)))
def test_the_nodule_of_an_octant_is_marked_there(tmp_path, chest, detector, number):
    site = deepest_in(chest, OCTANTS[number])
    volume = chest.volume
    hu = volume.hu.copy()
    spec = NoduleSpec(diameter_mm=16.0)
    paint_nodule(hu, volume.spacing_mm, site, spec, np.random.default_rng(number))
    with_nodule = Volume(hu, volume.affine, volume.series)
    turned = reordered(with_nodule, *ORIENTATIONS[(number * 13) % len(ORIENTATIONS)])
    read = through_files(turned, FORMS[number % len(FORMS)], tmp_path)
    best = detector.detect(to_working_volume(read, find_lungs(read)))[0]
    assert best.score > 0.5
    assert np.linalg.norm(best.centre_world_mm - volume.world_mm(site[::-1])) < 4


def deepest_in(chest, octant):
    """The voxel (z, y, x) of an octant of the lungs that is farthest from their edge."""
    lung = chest.lung_labels > 0
    middle = ndimage.center_of_mass(lung)
    depth = ndimage.distance_transform_edt(lung, chest.volume.spacing_mm[::-1])
    for axis, (side, at) in enumerate(zip(octant, middle, strict=True)):
        along = np.arange(lung.shape[axis]) - at
        # z grows to the head, y to the back, x to the left.
        outside = along < 0 if side in {"head", "back", "left"} else along > 0
        depth[(slice(None),) * axis + (outside,)] = 0
    return tuple(map(int, np.unravel_index(depth.argmax(), depth.shape)))
