import numpy as np
import pydicom
import pytest

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.volume import SeriesFacts, Volume

FACTS = SeriesFacts(
    study_uid="1.2.3", series_uid="1.2.4", patient_age_years=61.0, slice_thickness_mm=2.0
)


def volume_of(hu, affine=None):
    affine = np.diag([0.5, 0.8, 2.0, 1.0]) if affine is None else affine
    return Volume(np.asarray(hu, np.int16), affine, FACTS)


def oblique():
    angle = np.deg2rad(20)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.5, 0.8, 2.0)
    affine[:3, 3] = (-10.0, 20.0, 300.0)
    return affine


@pytest.mark.parametrize("affine", [np.diag([0.5, 0.8, 2.0, 1.0]), oblique()])
def test_geometry_of_each_slice_is_that_of_the_volume(affine):
    volume = volume_of(np.zeros((3, 4, 5)), affine)
    for index, dataset in enumerate(ct_datasets(volume)):
        rows, columns = 2, 3
        position = np.array(dataset.ImagePositionPatient, float)
        across, down = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
        spacing_down, spacing_across = (float(v) for v in dataset.PixelSpacing)
        place = position + columns * spacing_across * across + rows * spacing_down * down
        assert place == pytest.approx(volume.world_mm((columns, rows, index)), abs=1e-6)


def test_hu_come_back_from_the_files(tmp_path):
    hu = np.arange(-1024, -1024 + 60, dtype=np.int16).reshape(3, 4, 5)
    paths = save_series(ct_datasets(volume_of(hu)), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["00001.dcm", "00002.dcm", "00003.dcm"]
    for path, plane in zip(paths, hu, strict=True):
        dataset = pydicom.dcmread(path)
        stored = dataset.pixel_array.astype(int)
        assert np.array_equal(
            stored * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept), plane
        )


@pytest.mark.parametrize(("highest", "bits"), [(3071, 12), (3072, 16)])
def test_twelve_bits_are_used_where_they_suffice(highest, bits):
    hu = np.zeros((1, 2, 2))
    hu[0, 0, 0] = highest
    (dataset,) = ct_datasets(volume_of(hu))
    assert (dataset.BitsStored, dataset.HighBit) == (bits, bits - 1)


def test_the_same_volume_gives_the_same_identifiers():
    hu = np.zeros((2, 2, 2))
    first, second = (ct_datasets(volume_of(hu)) for _ in range(2))
    assert [d.SOPInstanceUID for d in first] == [d.SOPInstanceUID for d in second]
    assert len({d.SOPInstanceUID for d in first}) == 2


def test_hu_below_the_intercept_are_refused():
    with pytest.raises(ValueError, match=r"hu must be at least -1024 .*, got -2000"):
        ct_datasets(volume_of(np.full((1, 2, 2), -2000)))


def test_a_sheared_affine_is_refused():
    affine = np.eye(4)
    affine[1, 2] = 0.3
    with pytest.raises(ValueError, match="affine must have orthogonal columns"):
        ct_datasets(volume_of(np.zeros((1, 2, 2)), affine))
