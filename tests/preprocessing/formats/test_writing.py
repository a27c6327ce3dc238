"""Written volumes have the same values and positions when other libraries read them."""

import gzip
import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.working_volume import WorkingVolume
from tests.preprocessing.volumes import AXIAL, CORONAL, OBLIQUE, SAGITTAL, make_volume

DIRECTIONS = pytest.mark.parametrize("directions", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])


def written(volume, volume_format):
    file = io.BytesIO()
    write_volume(volume, file, volume_format)
    return file.getvalue()


@DIRECTIONS
def test_nifti_has_the_same_place_in_ras(directions):
    volume = make_volume(directions)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(written(volume, VolumeFormat.NIFTI)))
    np.testing.assert_array_equal(np.asanyarray(image.dataobj).transpose(2, 1, 0), volume.hu)
    for affine in (image.get_sform(), image.get_qform()):
        world_ras = affine @ (3, 4, 5, 1)
        np.testing.assert_allclose(
            world_ras[:3] * (-1, -1, 1), volume.world_mm((3, 4, 5)), atol=1e-4
        )
    assert image.get_data_dtype() == np.int16
    assert image.header.get_xyzt_units()[0] == "mm"


@DIRECTIONS
def test_metaimage_has_the_same_place_for_itk(tmp_path, directions):
    sitk = pytest.importorskip("SimpleITK")
    volume = make_volume(directions)
    (tmp_path / "a.mha").write_bytes(written(volume, VolumeFormat.METAIMAGE))
    image = sitk.ReadImage(str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.hu)
    place = image.TransformIndexToPhysicalPoint((3, 4, 5))
    np.testing.assert_allclose(place, volume.world_mm((3, 4, 5)), atol=1e-9)


def test_numpy_holds_the_masks_of_a_working_volume():
    shape = (3, 4, 5)
    labels, mask = np.ones(shape, np.uint8), np.zeros(shape, bool)
    working = WorkingVolume(np.ones(shape, np.int16), labels, mask, np.eye(4))
    arrays = np.load(io.BytesIO(written(working, VolumeFormat.NUMPY)))
    assert set(arrays) == {"hu", "affine", "lung_labels", "search_mask"}
    volume = make_volume()
    arrays = np.load(io.BytesIO(written(volume, VolumeFormat.NUMPY)))
    np.testing.assert_array_equal(arrays["hu"], volume.hu)
    np.testing.assert_array_equal(arrays["affine"], volume.affine)


@pytest.mark.parametrize("volume_format", list(VolumeFormat))
def test_the_same_volume_gives_the_same_bytes(volume_format):
    assert written(make_volume(), volume_format) == written(make_volume(), volume_format)


def test_the_suffix_decides_the_format():
    assert VolumeFormat.of(Path("a.b.NII.GZ")) is VolumeFormat.NIFTI
    for name in ("a.nii", "a.dcm", ".mha", "a"):
        with pytest.raises(UsageError, match=r"\.nii\.gz, \.mha, \.npz, got"):
            VolumeFormat.of(Path(name))
