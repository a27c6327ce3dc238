import nibabel
import numpy as np
import pytest

from data.nodule_crops import patient_bucket, read_crops, read_records
from preprocessing.errors import UsageError

COLUMNS = (
    "file,patient_id,seriesuid,x_mm,y_mm,z_mm,diameter_mm,malignancy,calcification,"
    "internal_structure,lobulation,margin,sphericity,spiculation,subtlety,texture,readers"
)


def write_crop(folder, affine, mask_xyz):
    """One nodule whose HU tell where each voxel lies: 10 x + y along the patient's axes."""
    x, y = (
        nibabel.affines.apply_affine(
            np.diag([-1, -1, 1, 1]) @ affine, np.moveaxis(np.indices(mask_xyz.shape), 0, -1)
        )[..., i]
        for i in range(2)
    )
    for name, array in (("ct", 10 * x + y), ("mask", mask_xyz)):
        image = nibabel.Nifti1Image(np.rint(array).astype(np.int16), affine)
        image.to_filename(folder / f"n_{name}.nii.gz")
    row = "n,LIDC-IDRI-0004,1.2,0,0,0,6,1,3,1,1,5,2,1,2,5,4"
    (folder / "nodules.csv").write_text(f"{COLUMNS}\n{row}\n", encoding="utf-8")


@pytest.mark.parametrize("signs", [(-1, -1), (1, -1), (-1, 1), (1, 1)])
def test_a_crop_comes_upright_whatever_way_its_axes_ran(tmp_path, signs):
    affine = np.diag([signs[0], signs[1], 2.0, 1.0])
    write_crop(tmp_path, affine, np.ones((8, 6, 3), np.int16))
    (crop,) = read_crops(tmp_path, read_records(tmp_path))
    middle = crop.hu[crop.hu.shape[0] // 2]
    assert np.all(np.diff(middle[0].astype(int)) == 10)
    assert np.all(np.diff(middle[:, 0].astype(int)) == 1)


def test_the_mask_ends_inside_the_crop_and_keeps_its_size(tmp_path):
    mask = np.zeros((20, 20, 4), np.int16)
    mask[7:13, 7:13] = 1  # fills every slice: 6 x 6 x 4 voxels of 1 x 1 x 2 mm
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), mask)
    (crop,) = read_crops(tmp_path, read_records(tmp_path))
    assert crop.mask[0].max() < 0.01
    assert crop.mask[-1].max() < 0.01
    assert crop.mask.sum() == pytest.approx(6 * 6 * 8, rel=0.1)


def test_a_patients_bucket_is_that_of_the_hashed_id():
    # sha256 of the id as one integer, so that the split can be repeated anywhere
    assert patient_bucket("LIDC-IDRI-0001", 1) == 0
    buckets = [patient_bucket(f"LIDC-IDRI-{i:04d}", 5) for i in range(1000)]
    assert 150 < buckets.count(0) < 250


def test_a_folder_without_its_table_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"must hold nodules\.csv"):
        read_records(tmp_path)


def test_a_broken_row_is_named_with_its_line(tmp_path):
    (tmp_path / "nodules.csv").write_text(f"{COLUMNS}\nn,p,1.2,zero,0,0\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2"):
        read_records(tmp_path)
