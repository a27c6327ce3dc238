"""The same data give the same volume in every file format."""

import numpy as np
import pytest

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.reading import read_volume
from tests.preprocessing.volumes import AXIAL, CORONAL, OBLIQUE, PRONE, SAGITTAL, make_volume
from tests.real_series import REAL, needs_real_series

CHEST = REAL / "lidc-idri-0001" / "ct"


def read_only(path):
    [series] = discover([path]).series
    return read_volume(series)


@pytest.mark.parametrize("directions", [AXIAL, PRONE, CORONAL, SAGITTAL, OBLIQUE])
def test_dicom_metaimage_and_nifti_of_one_volume_are_equal(tmp_path, directions):
    volume = make_volume(directions)
    save_series(ct_datasets(volume), tmp_path / "dicom")
    paths = [tmp_path / "dicom", tmp_path / "a.nii.gz", tmp_path / "a.mha"]
    for path in paths[1:]:
        with path.open("wb") as file:
            write_volume(volume, file, VolumeFormat.of(path))
    for path in paths:
        read = read_only(path)
        np.testing.assert_array_equal(read.hu, volume.hu)
        np.testing.assert_allclose(read.affine, volume.affine, atol=1e-4)


@pytest.mark.real
@needs_real_series
@pytest.mark.parametrize("name", ["chest.mhd", "chest.nii"])
def test_a_real_chest_converted_by_itk_equals_its_dicom(tmp_path, name):
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(CHEST)))
    sitk.WriteImage(reader.Execute(), str(tmp_path / name))
    dicom, other = read_only(CHEST), read_only(tmp_path / name)
    np.testing.assert_array_equal(other.hu, dicom.hu)
    np.testing.assert_allclose(other.affine, dicom.affine, atol=1e-4)
    assert other.hu.min() >= -1024


def test_a_file_that_vanished_is_unreadable(tmp_path):
    with (tmp_path / "a.nii.gz").open("wb") as file:
        write_volume(make_volume(), file, VolumeFormat.NIFTI)
    [series] = discover([tmp_path]).series
    (tmp_path / "a.nii.gz").unlink()
    with pytest.raises(SeriesError, match="cannot be read: No such file") as raised:
        read_volume(series)
    assert raised.value.reason is Reason.UNREADABLE
    assert raised.value.path == str(tmp_path / "a.nii.gz")
    assert str(tmp_path) not in raised.value.message
