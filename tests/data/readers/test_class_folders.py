import nibabel
import numpy as np
import pytest

from hounsfield.data.preparation import prepare
from hounsfield.data.prepared.case import load_case
from hounsfield.data.readers.class_folders import read_class_folders
from hounsfield.preprocessing.errors import UsageError


def write_volume(path, *, shape=(30, 44, 44), spacing_mm=1.0, hu=-800):
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.full(shape, hu, np.int16)
    voxels[tuple(slice(n // 2 - 3, n // 2 + 3) for n in shape)] = 40
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine).to_filename(path)


def test_a_lesion_is_in_the_middle_and_has_the_class_of_its_folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("adenocarcinoma", "normal"):
        write_volume(tmp_path / "in" / name / "a.nii.gz", hu=int(rng.integers(-900, -700)))
    report = prepare("class-folders", tmp_path / "in", tmp_path / "out")
    assert (report.prepared, report.patients, report.excluded) == (2, 2, ())
    cases = [load_case(folder) for folder in sorted((tmp_path / "out" / "cases").iterdir())]
    assert [case.findings[0].histology for case in cases] == ["adenocarcinoma", "normal"]
    z, y, x = cases[0].volume.voxel_xyz(cases[0].findings[0].centre_world_mm)[::-1]
    assert cases[0].volume.hu[round(z), round(y), round(x)] == 40


def test_a_chest_in_which_the_position_of_the_lesion_is_unknown_is_excluded(tmp_path):
    write_volume(tmp_path / "in/adenocarcinoma/a.nii.gz", shape=(60, 60, 60), spacing_mm=5.0)
    write_volume(tmp_path / "in/normal/b.nii.gz")
    report = prepare("class-folders", tmp_path / "in", tmp_path / "out")
    (excluded,) = report.excluded
    assert (
        "is 300 mm wide, a chest: give the position of its adenocarcinoma in a table"
        in excluded.message
    )


def test_folders_with_other_names_are_refused(tmp_path):
    (tmp_path / "cancer").mkdir()
    with pytest.raises(UsageError, match="must hold folders named adenocarcinoma, large_cell"):
        read_class_folders(tmp_path)
