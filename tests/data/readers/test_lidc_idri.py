import numpy as np
import pydicom
import pytest

from hounsfield.data.readers.lidc_consensus import consensus_nodules, reader_region
from hounsfield.data.readers.lidc_idri import known_labels, read_lidc_idri
from hounsfield.data.readers.lidc_xml import read_lidc_xml
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.reading import read_volume
from tests.data.labelled_volumes import (
    lidc_nodule,
    lidc_non_nodule,
    lidc_xml,
    square,
    volume_with_images,
    world_mm,
)
from tests.real_series import REAL, needs_real_series


def readings(tmp_path, *readers, **options):
    path = tmp_path / "readings.xml"
    path.write_text(lidc_xml(readers, **options))
    return read_lidc_xml(path)


def cube(low, high, *, images=range(3, 7), **ratings):
    return lidc_nodule([(i, square(low, high), True) for i in images], **ratings)


def test_the_outline_of_a_nodule_is_not_part_of_it(tmp_path):
    reading = readings(tmp_path, [cube(10, 20, images=[4], malignancy=3)])
    region = reader_region(reading.nodules[0], volume_with_images())
    assert region.voxels_zyx.min(axis=0).tolist() == [4, 11, 11]
    assert region.voxels_zyx.max(axis=0).tolist() == [4, 19, 19]
    assert len(region) == 9 * 9


def test_a_hole_is_cut_out_and_its_outline_stays(tmp_path):
    nodule = lidc_nodule([(4, square(10, 20), True), (4, square(13, 17), False)], malignancy=3)
    region = reader_region(readings(tmp_path, [nodule]).nodules[0], volume_with_images())
    assert len(region) == 9 * 9 - 3 * 3


def test_a_nodule_too_thin_to_hold_a_pixel_is_its_outline(tmp_path):
    nodule = lidc_nodule([(4, ((10, 10), (11, 10), (12, 10)), True)], malignancy=3)
    region = reader_region(readings(tmp_path, [nodule]).nodules[0], volume_with_images())
    assert len(region) == 3


def test_marks_on_one_place_are_one_nodule_with_the_readers_mean_and_median(tmp_path):
    reading = readings(
        tmp_path,
        [cube(10, 20, malignancy=5, texture=5)],
        [cube(12, 22, malignancy=2, texture=4), cube(40, 50, malignancy=1)],
        [cube(11, 21, malignancy=4, texture=1)],
    )
    nodules = consensus_nodules(reading.nodules, volume_with_images())
    largest_consensus = max(nodules, key=lambda nodule: nodule.readers)
    assert sorted(nodule.readers for nodule in nodules) == [1, 3]
    assert largest_consensus.centre_world_mm == pytest.approx(world_mm(16, 16, 4.5))
    assert largest_consensus.diameter_mm == pytest.approx(
        np.cbrt(6 / np.pi * 4 * 81 * 0.5 * 0.5 * 2)
    )
    assert largest_consensus.ratings == {"malignancy": 4, "texture": 4}
    # Two of three hold a voxel: columns 12 to 20 in both directions, less the corners of one.
    assert largest_consensus.majority.voxels_zyx.min(axis=0).tolist() == [3, 12, 12]
    assert largest_consensus.majority.voxels_zyx.max(axis=0).tolist() == [6, 20, 20]


def test_a_reader_who_outlined_a_nodule_in_two_pieces_counts_once(tmp_path):
    pieces = [cube(10, 20, images=[3, 4], malignancy=3), cube(10, 20, images=[5, 6], malignancy=3)]
    reading = readings(tmp_path, pieces, [cube(10, 20, malignancy=3)])
    (nodule,) = consensus_nodules(reading.nodules, volume_with_images())
    assert nodule.readers == 2
    assert nodule.diameter_mm == pytest.approx(np.cbrt(6 / np.pi * 4 * 81 * 0.5))


@pytest.mark.parametrize(("readers", "ignored"), [(2, True), (3, False)])
def test_a_nodule_of_fewer_than_three_readers_is_ignored(tmp_path, readers, ignored):
    reading = readings(tmp_path, *[[cube(10, 20, malignancy=3)]] * readers)
    (finding,) = known_labels(reading, volume_with_images()).findings
    assert (finding.ignored, finding.readers) == (ignored, readers)
    assert (finding.malignancy, finding.texture) == (3, 5)


def test_the_mask_is_the_majority_of_each_nodule(tmp_path):
    reading = readings(tmp_path, *[[cube(10, 20, malignancy=3)]] * 2, [cube(12, 22, malignancy=3)])
    outlined = known_labels(reading, volume_with_images()).outlined
    assert outlined.voxels_zyx.min(axis=0).tolist() == [3, 11, 11]
    assert outlined.voxels_zyx.max(axis=0).tolist() == [6, 19, 19]


def test_a_series_without_nodules_has_an_empty_mask(tmp_path):
    assert len(known_labels(readings(tmp_path, []), volume_with_images()).outlined) == 0


def test_marks_without_outline_are_ignored_findings_unless_they_lie_in_a_nodule(tmp_path):
    small = lidc_nodule([(2, ((50, 40),), True)])
    reading = readings(
        tmp_path,
        [cube(10, 20, malignancy=3), small],
        [cube(10, 20, malignancy=3), lidc_non_nodule(8, 5, 6)],
        [cube(10, 20, malignancy=3)],
        [lidc_non_nodule(5, 15, 15)],
    )
    nodule, *others = known_labels(reading, volume_with_images()).findings
    assert not nodule.ignored
    assert [other.centre_world_mm for other in others] == [world_mm(50, 40, 2), world_mm(5, 6, 8)]
    assert all(other.ignored and other.diameter_mm == 10 for other in others)


def test_a_mark_on_an_image_that_the_series_lacks_is_refused(tmp_path):
    reading = readings(tmp_path, [cube(10, 20, images=[12], malignancy=3)])
    with pytest.raises(SeriesError, match=r"the image 1\.2\.3\.13, which is not in the series"):
        known_labels(reading, volume_with_images())


def test_readings_of_another_series_are_refused(tmp_path):
    reading = readings(tmp_path, [], series_uid="9.9")
    with pytest.raises(SeriesError, match=r"the readings belong to 9\.9, not to 1\.2\.3"):
        known_labels(reading, volume_with_images())


def test_readings_of_radiographs_are_skipped(tmp_path):
    assert readings(tmp_path, root="IdriReadMessage") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<LidcReadMessage>", "is not well-formed XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type"),
        ("<LidcReadMessage/>", "must hold <ResponseHeader/SeriesInstanceUid>"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, content, message):
    path = tmp_path / "damaged.xml"
    path.write_text(content)
    with pytest.raises(SeriesError, match=message) as refusal:
        read_lidc_xml(path)
    assert refusal.value.path == str(path)


def test_series_missing_from_a_partial_download_are_reported(tmp_path):
    (tmp_path / "one.xml").write_text(lidc_xml([[]], series_uid="1.2.9"))
    (tmp_path / "bad.xml").write_text("<")
    contents = read_lidc_idri(tmp_path)
    assert contents.cases == []
    messages = {case.reason: case.message for case in contents.excluded}
    assert (
        "name 1 series that are not in the source (the first: 1.2.9, one.xml)"
        in messages["series_missing"]
    )
    assert "The file is not well-formed XML" in messages["unreadable"]


@pytest.fixture(scope="module")
def lidc_idri_0001():
    folder = REAL / "lidc-idri-0001"
    (series,) = discover([folder / "ct"]).series
    return read_lidc_xml(folder / "069.xml"), read_volume(series)


@needs_real_series
@pytest.mark.real
def test_the_nodule_of_lidc_idri_0001_is_that_of_luna16(lidc_idri_0001):
    reading, volume = lidc_idri_0001
    nodule, *others = known_labels(reading, volume).findings
    assert np.linalg.norm(np.subtract(nodule.centre_world_mm, (56.2, 86.3, -115.9))) < 1
    assert nodule.diameter_mm == pytest.approx(23.4, abs=1)
    assert (nodule.ignored, nodule.readers, nodule.malignancy, nodule.texture) == (False, 4, 5, 5)
    assert all(other.ignored for other in others)


@needs_real_series
@pytest.mark.real
def test_masks_of_lidc_idri_0001_agree_with_the_segmentation_of_others(lidc_idri_0001):
    """It is the first reader's outline with its edge, the lowest slice first, at origin 0."""
    reading, volume = lidc_idri_0001
    dataset = pydicom.dcmread(REAL / "lidc-idri-0001" / "nodule-seg.dcm")
    theirs = np.zeros(volume.shape_zyx, dtype=bool)
    for frame, place in zip(
        dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True
    ):
        height_mm = float(place.PlanePositionSequence[0].ImagePositionPatient[2])
        theirs[volume.shape_zyx[0] - 1 - round(height_mm / volume.spacing_mm[2])] = frame == 1

    def dice(region):
        ours = np.zeros(volume.shape_zyx, dtype=bool)
        ours.ravel()[region.flat] = True
        return 2 * np.count_nonzero(ours & theirs) / (ours.sum() + theirs.sum())

    assert dice(reader_region(reading.nodules[0], volume, with_edge=True)) > 0.999
    assert dice(reader_region(reading.nodules[0], volume)) > 0.9
    (consensus,) = consensus_nodules(reading.nodules, volume, with_edge=True)
    assert dice(consensus.majority) > 0.9


@needs_real_series
@pytest.mark.real
def test_lidc_idri_0002_has_one_nodule_of_two_readers():
    folder = REAL / "lidc-idri-0002"
    (series,) = discover([folder / "ct"]).series
    around = [source.path for source in series.sources[165:205]]  # quicker than all 261
    volume = read_volume(discover(around).series[0])
    reading = read_lidc_xml(folder / "071.xml")
    (nodule,) = consensus_nodules(reading.nodules, volume)
    assert nodule.readers == 2
    assert nodule.ratings["texture"] == 1.5
    assert nodule.centre_world_mm == pytest.approx((59.8, 71.5, -104.1), abs=0.1)
