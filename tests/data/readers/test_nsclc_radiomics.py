import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
    generate_uid,
)

from hounsfield.data.annotations.polygons import pixel_centres_inside
from hounsfield.data.annotations.tumour_contours import read_tumours
from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.data.readers.nsclc_radiomics import read_histology, read_nsclc_radiomics
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.volume import SeriesFacts, Volume

CENTRE_MM, RADIUS_MM = np.array((40.0, 30.0, 45.0)), 15.0


@pytest.fixture
def volume():
    """70 x 70 pixels of 1.5 mm, 40 slices of 2.5 mm."""
    facts = SeriesFacts("1.2", "1.2.3", patient_id="LUNG1-001")
    hu = np.full((40, 70, 70), -800, dtype=np.int16)
    return Volume(hu, np.diag([1.5, 1.5, 2.5, 1.0]), facts)


def part10(modality, storage_class):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = storage_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", generate_uid()
    dataset.PatientID, dataset.Modality = "LUNG1-001", modality
    return dataset


def item(**attributes):
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def circles(radius_mm=RADIUS_MM, centre_mm=CENTRE_MM):
    """Contours of a ball, LPS mm, on the slices of 2.5 mm."""
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    for z in np.arange(0, 100, 2.5):
        inner = radius_mm**2 - (z - centre_mm[2]) ** 2
        if inner > 1:
            x, y = centre_mm[:2, None] + np.sqrt(inner) * np.stack([np.cos(angles), np.sin(angles)])
            yield np.column_stack([x, y, np.full(90, z)])


def rtstruct(path, regions):
    dataset = part10("RTSTRUCT", RTStructureSetStorage)
    series = item(SeriesInstanceUID="1.2.3")
    study = item(RTReferencedSeriesSequence=[series])
    dataset.ReferencedFrameOfReferenceSequence = [item(RTReferencedStudySequence=[study])]
    dataset.StructureSetROISequence = [
        item(ROINumber=number, ROIName=name) for number, name in enumerate(regions, start=1)
    ]
    dataset.ROIContourSequence = [
        item(
            ReferencedROINumber=number,
            ContourSequence=[
                item(
                    ContourGeometricType="CLOSED_PLANAR",
                    ContourData=[f"{value:.3f}" for value in contour.ravel()],
                )
                for contour in contours
            ],
        )
        for number, contours in enumerate(regions.values(), start=1)
    ]
    dataset.save_as(path, enforce_file_format=True)
    return path


def seg(path, frames_zyx, planes_mm, label="GTV-1"):
    dataset = part10("SEG", SegmentationStorage)
    dataset.ReferencedSeriesSequence = [item(SeriesInstanceUID="1.2.3")]
    dataset.SegmentSequence = [item(SegmentNumber=1, SegmentLabel=label)]
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[1.5, 1.5])],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        )
        for z in planes_mm
    ]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames_zyx.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PixelData = np.packbits(frames_zyx.ravel(), bitorder="little").tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_contours_in_mm_become_the_voxels_of_their_ball(tmp_path, volume):
    path = rtstruct(tmp_path / "rs.dcm", {"GTV-1": list(circles()), "Lung-Left": list(circles(25))})
    ((name, region),) = read_tumours(path, volume)
    assert name == "GTV-1"
    assert region.centre_world_mm == pytest.approx(CENTRE_MM, abs=0.2)
    assert region.diameter_mm == pytest.approx(2 * RADIUS_MM, abs=0.3)


def test_a_contour_within_a_contour_is_a_hole(tmp_path, volume):
    path = rtstruct(tmp_path / "rs.dcm", {"GTV-1": [*circles(), *circles(8)]})
    ((_, region),) = read_tumours(path, volume)
    assert region.diameter_mm == pytest.approx(2 * np.cbrt(RADIUS_MM**3 - 8**3), abs=0.5)


def test_frames_of_a_segmentation_keep_their_own_positions(tmp_path, volume):
    frames = np.zeros((3, 70, 70), dtype=bool)
    frames[:, 10:20, 30:36] = True
    path = seg(tmp_path / "seg.dcm", frames, planes_mm=[25.0, 22.5, 20.0])  # from the head down
    ((_, region),) = read_tumours(path, volume)
    assert region.voxels_zyx.min(axis=0).tolist() == [8, 10, 30]
    assert region.voxels_zyx.max(axis=0).tolist() == [10, 19, 35]


def test_a_file_without_a_tumour_and_one_outside_the_series_are_refused(tmp_path, volume):
    with pytest.raises(SeriesError, match=r"must hold a region named GTV"):
        read_tumours(rtstruct(tmp_path / "1.dcm", {"Heart": list(circles())}), volume)
    far = list(circles(centre_mm=np.add(CENTRE_MM, (900, 0, 0))))
    with pytest.raises(SeriesError, match="the region GTV-1 lies outside the series"):
        read_tumours(rtstruct(tmp_path / "2.dcm", {"GTV-1": far}), volume)


def test_a_study_becomes_findings_with_the_histology_of_its_patient(tmp_path, volume):
    save_series(ct_datasets(volume), tmp_path / "LUNG1-001" / "ct")
    node = list(circles(6, centre_mm=np.add(CENTRE_MM, (0, 30, 0))))
    rtstruct(tmp_path / "LUNG1-001" / "rs.dcm", {"GTV-1": list(circles()), "gtv-2": node})
    frames = np.ones((1, 70, 70), dtype=bool)
    seg(tmp_path / "LUNG1-001" / "seg.dcm", frames, planes_mm=[20.0])  # the RTSTRUCT has priority
    (tmp_path / "clinical.csv").write_text("PatientID,age,Histology\nLUNG1-001,60,large cell\n")
    (labelled,) = read_nsclc_radiomics(tmp_path).cases
    labels = labelled.labels(read_volume(labelled.series))
    primary, other = labels.findings
    assert (primary.ignored, primary.histology) == (False, "large_cell_carcinoma")
    assert primary.centre_world_mm == pytest.approx(CENTRE_MM, abs=0.2)
    assert (other.ignored, other.histology) == (True, "")
    assert labels.outlined.centre_world_mm == primary.centre_world_mm
    assert labelled.patient_id == "LUNG1-001"


def test_a_series_without_tumours_is_excluded(tmp_path, volume):
    save_series(ct_datasets(volume), tmp_path / "ct")
    (tmp_path / "clinical.csv").write_text("PatientID,Histology\nLUNG1-001,NA\n")
    contents = read_nsclc_radiomics(tmp_path)
    assert contents.cases == []
    assert [case.reason for case in contents.excluded] == ["no_labels"]


def test_a_missing_table_and_an_unknown_histology_are_refused(tmp_path):
    with pytest.raises(UsageError, match="must hold one CSV with PatientID and Histology"):
        read_histology(tmp_path)
    (tmp_path / "clinical.csv").write_text("PatientID,Histology\nLUNG1-001,sarcoma\n")
    with pytest.raises(
        UsageError, match=r"row 2, column Histology: must be one of .*, got 'sarcoma'"
    ):
        read_histology(tmp_path)


def test_pixels_are_inside_by_their_centres():
    pixels = pixel_centres_inside([(0.4, 0.4), (3.6, 0.4), (3.6, 2.4), (0.4, 2.4)])
    assert sorted(map(tuple, pixels.tolist())) == [(x, y) for x in (1, 2, 3) for y in (1, 2)]


def test_a_file_that_is_not_dicom_is_refused(tmp_path, volume):
    path = tmp_path / "rs.dcm"
    path.write_bytes(b"not DICOM")
    with pytest.raises(SeriesError, match="RTSTRUCT or SEG cannot be read") as refusal:
        read_tumours(path, volume)
    assert refusal.value.path == str(path)
