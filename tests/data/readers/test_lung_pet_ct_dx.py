import numpy as np
import pytest

from hounsfield.data.readers.lung_pet_ct_dx import (
    boxed_lesions,
    known_labels,
    read_boxes,
    read_lung_pet_ct_dx,
)
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.reading import read_volume
from tests.data.labelled_volumes import image_uid, voc_xml, volume_with_images, world_mm
from tests.real_series import REAL, needs_real_series

A0001 = REAL / "lung-pet-ct-dx-a0001"


def box_files(folder, boxes_by_image):
    paths = []
    for index, boxes in boxes_by_image.items():
        path = folder / f"{image_uid(index)}.xml"
        path.write_text(voc_xml(*boxes))
        paths.append(path)
    return paths


def lesions(tmp_path, boxes_by_image):
    files = box_files(tmp_path, boxes_by_image)
    return boxed_lesions([box for path in files for box in read_boxes(path)], volume_with_images())


def test_boxes_on_neighbouring_slices_are_one_lesion_in_mm(tmp_path):
    (lesion,) = lesions(
        tmp_path,
        {3: [("A", 10, 20, 19, 29)], 4: [("A", 8, 20, 19, 31)], 6: [("A", 10, 22, 17, 29)]},
    )
    assert lesion.centre_world_mm == pytest.approx(world_mm(13.5, 25.5, 4.5))
    assert lesion.size_mm == pytest.approx((12 * 0.5, 12 * 0.5, 4 * 2.0))
    assert lesion.diameter_mm == pytest.approx(np.cbrt(6 * 6 * 8))
    assert lesion.slices == 3


@pytest.mark.parametrize(
    "boxes",
    [
        {3: [("A", 10, 20, 19, 29), ("A", 40, 20, 49, 29)]},
        {1: [("A", 10, 20, 19, 29)], 8: [("A", 10, 20, 19, 29)]},
    ],
)
def test_distant_boxes_are_two_lesions(tmp_path, boxes):
    assert len(lesions(tmp_path, boxes)) == 2


@pytest.mark.parametrize(
    ("letter", "histology"),
    [
        ("A", "adenocarcinoma"),
        ("b", "small_cell_carcinoma"),
        ("E", "large_cell_carcinoma"),
        ("G", "squamous_cell_carcinoma"),
    ],
)
def test_the_letter_gives_the_histology(tmp_path, letter, histology):
    files = box_files(tmp_path, {3: [(letter, 10, 20, 19, 29)]})
    (finding,) = known_labels(files, volume_with_images()).findings
    assert finding.histology == histology
    assert not finding.ignored


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (("Z", 10, 20, 19, 29), "must be one of A, B, E, G, got 'Z'"),
        (("A", 19, 20, 10, 29), "must not end before it begins"),
        (("A", "left", 20, 10, 29), "must be a finite number, got 'left'"),
    ],
)
def test_a_wrong_box_is_refused_with_its_file(tmp_path, box, message):
    (path,) = box_files(tmp_path, {3: [box]})
    with pytest.raises(SeriesError, match=message) as refusal:
        read_boxes(path)
    assert refusal.value.path == str(path)


def test_boxes_without_their_images_are_reported(tmp_path):
    box_files(tmp_path, {3: [("A", 10, 20, 19, 29)]})
    contents = read_lung_pet_ct_dx(tmp_path)
    assert contents.cases == []
    (excluded,) = contents.excluded
    assert "1 box file(s) name images that are missing" in excluded.message


@pytest.mark.real
@needs_real_series
def test_the_boxes_of_a0001_lie_on_the_mass():
    contents = read_lung_pet_ct_dx(A0001)
    (labelled,) = contents.cases
    assert labelled.patient_id == "Lung_Dx-A0001"
    assert contents.excluded == []
    volume = read_volume(labelled.series)
    (finding,) = labelled.labels(volume).findings
    assert finding.histology == "adenocarcinoma"
    z, y, x = np.rint(volume.voxel_xyz(finding.centre_world_mm)).astype(int)[::-1]
    core = volume.hu[z - 1 : z + 2, y - 15 : y + 16, x - 15 : x + 16]  # 20 mm around it
    assert np.percentile(core, 5) > -100  # soft tissue through and through
    beside = volume.hu[z, y - 36 : y - 26, x + 50 : x + 60]  # to the front and left: lung
    assert np.median(beside) < -500
