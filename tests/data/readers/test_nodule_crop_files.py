import nibabel
import numpy as np
import pytest

from hounsfield.data.preparation import prepare
from hounsfield.data.prepared.case import KnownFinding, PreparedCase, load_case
from hounsfield.data.prepared.nodule_crops import as_crop
from hounsfield.data.prepared.splits import read_split
from hounsfield.data.readers.nodule_crop_files import TABLE, read_nodule_crops
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume

COLUMNS = (
    "file,patient_id,seriesuid,x_mm,y_mm,z_mm,diameter_mm,malignancy,calcification,"
    "internal_structure,lobulation,margin,sphericity,spiculation,subtlety,texture,readers"
)


def write_table(folder, *places, names=("n",)):
    """Rows of one patient; the places are LPS mm."""
    rows = [
        f"{name},LIDC-IDRI-0004,1.2,{x},{y},{z},6,1,3,1,1,5,2,1.5,2,5,4"
        for name, (x, y, z) in zip(names, places, strict=True)
    ]
    (folder / TABLE).write_text("\n".join([COLUMNS, *rows, ""]), encoding="utf-8")


def write_crop(folder, affine, mask_xyz, name="n"):
    """A crop whose HU tell where each voxel lies: 10 x + y in LPS mm."""
    voxels = np.moveaxis(np.indices(mask_xyz.shape), 0, -1)
    x, y, _ = np.moveaxis(
        nibabel.affines.apply_affine(np.diag([-1, -1, 1, 1]) @ affine, voxels), -1, 0
    )
    for kind, array in (("ct", 10 * x + y), ("mask", mask_xyz)):
        image = nibabel.Nifti1Image(np.rint(array).astype(np.int16), affine)
        image.to_filename(folder / f"{name}_{kind}.nii.gz")


def only_case(folder):
    (source,) = read_nodule_crops(folder).cases
    return source.make()


@pytest.mark.parametrize("signs", [(-1, -1, 1), (1, -1, 1), (-1, 1, -1), (1, 1, 1)])
def test_a_crop_is_made_upright_and_every_voxel_keeps_its_position(tmp_path, signs):
    affine = np.diag([*(signs * np.array([0.8, 0.8, 2.0])), 1.0])
    affine[:3, 3] = (30, -40, 50)
    write_crop(tmp_path, affine, np.ones((8, 6, 3), np.int16))
    write_table(tmp_path, (-30, 40, 50))
    volume = only_case(tmp_path).volume
    assert volume.spacing_mm == (1, 1, 1)
    voxels_xyz = np.moveaxis(np.indices(volume.hu.shape), 0, -1)[..., ::-1]
    x, y, _ = np.moveaxis(volume.world_mm(voxels_xyz), -1, 0)
    assert np.abs(volume.hu - (10 * x + y)).max() <= 5  # an HU tells 0.1 mm; rounded at the edge


def test_the_mask_ends_inside_the_case_and_keeps_its_position_and_volume(tmp_path):
    mask = np.zeros((20, 20, 4), np.int16)
    mask[7:13, 7:13] = 1  # fills every slice: 6 x 6 x 4 voxels of 1 x 1 x 2 mm
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), mask)
    write_table(tmp_path, (9.5, 9.5, 3))
    case = only_case(tmp_path)
    nodule = case.nodule_mask
    assert not nodule[0].any()
    assert not nodule[-1].any()
    assert nodule.sum() / 255 == pytest.approx(6 * 6 * 8, rel=0.02)
    centre_xyz = np.argwhere(nodule).mean(axis=0)[::-1]
    assert case.volume.world_mm(centre_xyz) == pytest.approx((9.5, 9.5, 3))
    assert case.volume.search_mask.all()
    assert not case.volume.lung_labels.any()


def test_beyond_its_end_slices_a_crop_is_repeated(tmp_path):
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), np.ones((9, 9, 3), np.int16))
    write_table(tmp_path, (4, 4, 2))
    volume = only_case(tmp_path).volume
    assert volume.world_mm((0, 0, 0))[2] == -6
    assert volume.world_mm((0, 0, len(volume.hu) - 1))[2] == 10
    assert np.array_equal(volume.hu[0], volume.hu[6])


def test_a_prepared_nodule_keeps_its_series_and_ratings(tmp_path):
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), np.ones((9, 9, 3), np.int16))
    write_table(tmp_path, (4, 4, 2))
    out = tmp_path / "out"
    report = prepare("nodule-crops", tmp_path, out)
    assert (report.prepared, report.nodules) == (1, 1)
    (entry,) = read_split(out).series
    assert (entry.series_uid, entry.source_series_uid) == ("1.2.n", "1.2")
    crop = as_crop(load_case(out / entry.case))
    assert (crop.series_uid, crop.patient_id, crop.spacing_mm) == ("1.2", "LIDC-IDRI-0004", 1)
    rated = crop.finding
    assert (rated.malignancy, rated.calcification, rated.spiculation, rated.texture) == (
        1,
        3,
        1.5,
        5,
    )
    assert (crop.mask.dtype, crop.mask.max()) == (np.float32, 1)
    assert prepare("nodule-crops", tmp_path, out).kept == 1


def test_a_case_of_another_kind_is_no_nodule_crop():
    hu = np.zeros((2, 2, 2), np.int16)
    volume = WorkingVolume(hu, hu.astype(np.uint8), hu == 0, np.eye(4))
    case = PreparedCase("1.1", "p", volume, (KnownFinding((0, 0, 0), 5),), synthetic=False)
    with pytest.raises(UsageError, match=r"1\.1 must hold one nodule .* 1 findings and no mask"):
        as_crop(case)


def test_a_centre_outside_its_crop_is_refused(tmp_path):
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), np.ones((9, 9, 3), np.int16))
    write_table(tmp_path, (4, 4, 40))
    with pytest.raises(SeriesError, match=r"\(4, 4, 40\) mm lies outside the series"):
        only_case(tmp_path)


def test_a_mask_on_another_grid_is_refused(tmp_path):
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), np.ones((9, 9, 3), np.int16))
    write_crop(tmp_path, np.diag([-1.0, -1.0, 2.5, 1.0]), np.ones((9, 9, 3), np.int16), "other")
    (tmp_path / "other_mask.nii.gz").replace(tmp_path / "n_mask.nii.gz")
    write_table(tmp_path, (4, 4, 2))
    with pytest.raises(SeriesError, match=r"must lie on the grid of n_ct") as refusal:
        only_case(tmp_path)
    assert refusal.value.path == str(tmp_path / "n_mask.nii.gz")


def test_missing_and_damaged_files_are_reported_and_the_rest_is_prepared(tmp_path):
    for name in ("n", "cut"):
        write_crop(tmp_path, np.diag([-1.0, -1.0, 2.0, 1.0]), np.ones((9, 9, 3), np.int16), name)
    whole = (tmp_path / "cut_mask.nii.gz").read_bytes()
    (tmp_path / "cut_mask.nii.gz").write_bytes(whole[:60])
    write_table(tmp_path, *[(4, 4, 2)] * 3, names=("n", "cut", "gone"))
    report = prepare("nodule-crops", tmp_path, tmp_path / "out")
    assert report.prepared == 1
    messages = {case.name: case.message for case in report.failed}
    assert "gone_ct.nii.gz, which nodules.csv names, is missing" in messages["1.2.gone"]
    assert "cut_mask.nii.gz: The NIfTI file cannot be read" in messages["1.2.cut"]


def test_a_folder_without_its_table_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"must hold nodules\.csv"):
        read_nodule_crops(tmp_path)


def test_a_wrong_cell_and_a_repeated_row_are_refused_with_their_row(tmp_path):
    write_table(tmp_path, ("left", 0, 0))
    with pytest.raises(UsageError, match="row 2, column x_mm: must be a number, got 'left'"):
        read_nodule_crops(tmp_path)
    write_table(tmp_path, (0, 0, 0), (1, 1, 1), names=("n", "n"))
    with pytest.raises(UsageError, match=r"row 3: 1\.2\.n is listed twice"):
        read_nodule_crops(tmp_path)
