"""Writes a phantom as a CT series, LUNA16's MetaImage or NIfTI, with its ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.documents import Strict
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_folder
from hounsfield.preprocessing.files.csv_files import write_csv
from hounsfield.preprocessing.formats.nifti import write_nifti

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.data.phantom.phantom import Phantom

Format = Literal["dicom", "luna16", "nifti"]


class NoduleTruth(Strict):
    """Ground truth of one nodule; `centre_world_mm` is in LPS."""

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    volume_mm3: float
    density: str
    margin: str
    place: str
    cavity: bool
    necrosis: bool
    histology: str
    malignant: bool


class PhantomTruth(Strict):
    """Ground truth of a phantom: the content of its ``truth.json``."""

    version: Literal[1] = 1
    seed: int
    study_uid: str
    series_uid: str
    shape_zyx: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    nodules: tuple[NoduleTruth, ...]


def truth_of(phantom: Phantom) -> PhantomTruth:
    """Collects the ground truth of a phantom.

    Args:
        phantom: Scan and nodules from `make_phantom`.

    Returns:
        The document that `write_phantom` writes as ``truth.json``.
    """
    volume = phantom.volume
    return PhantomTruth(
        seed=phantom.seed,
        study_uid=volume.series.study_uid,
        series_uid=volume.series.series_uid,
        shape_zyx=volume.shape_zyx,
        spacing_mm=volume.spacing_mm,
        nodules=tuple(
            NoduleTruth(
                centre_world_mm=nodule.centre_world_mm,
                diameter_mm=nodule.diameter_mm,
                volume_mm3=nodule.volume_mm3,
                density=nodule.density,
                margin=nodule.margin,
                place=nodule.place,
                cavity=nodule.spec.cavity > 0,
                necrosis=nodule.spec.necrosis > 0,
                histology=nodule.histology,
                malignant=nodule.malignant,
            )
            for nodule in phantom.nodules
        ),
    )


def write_phantom(phantom: Phantom, out: Path, *, formats: Sequence[Format] = ("dicom",)) -> Path:
    """Writes a phantom and its ``truth.json`` into a new folder, which appears atomically.

    ``dicom`` gives ``dicom/00001.dcm`` and so on; ``luna16`` gives ``luna16/<series>.mhd``,
    its ``.raw`` and ``annotations.csv``; ``nifti`` gives ``nifti/<series>.nii.gz``.

    Args:
        phantom: Scan and nodules from `make_phantom`.
        out: A folder that does not exist yet or is empty.
        formats: Any of ``dicom``, ``luna16``, ``nifti``; each has a folder of its own.

    Returns:
        `out`.

    Raises:
        UsageError: `out` is in use, or a format is unknown.
        OutputError: `out` cannot be written.
    """
    writers = {"dicom": _write_dicom, "luna16": _write_luna16, "nifti": _write_nifti}
    unknown = [name for name in formats if name not in writers]
    if unknown:
        msg = f"formats must be among {', '.join(writers)}, got {unknown[0]!r}"
        raise UsageError(msg)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        msg = f"The phantom needs a new or empty folder, but {out} is in use; name another"
        raise UsageError(msg)
    with atomic_folder(out) as folder:
        for name in formats:
            (folder / name).mkdir()
            writers[name](phantom, folder / name)
        (folder / "truth.json").write_text(truth_of(phantom).model_dump_json(indent=2) + "\n")
    return out


def _write_dicom(phantom: Phantom, folder: Path) -> None:
    save_series(ct_datasets(phantom.volume), folder)


def _write_luna16(phantom: Phantom, folder: Path) -> None:
    """The scan and its table of nodules in LUNA16's form.

    LUNA16 keeps header and voxels in two files, which `write_metaimage` does not do.
    """
    import SimpleITK

    volume = phantom.volume
    image: Any = SimpleITK.GetImageFromArray(volume.hu)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin(volume.affine[:3, 3].tolist())
    image.SetDirection((volume.affine[:3, :3] / volume.spacing_mm).ravel().tolist())
    SimpleITK.WriteImage(image, str(folder / f"{volume.series.series_uid}.mhd"))
    rows = (
        (volume.series.series_uid, *nodule.centre_world_mm, nodule.diameter_mm)
        for nodule in phantom.nodules
    )
    columns = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
    write_csv(folder / "annotations.csv", rows, columns=columns)


def _write_nifti(phantom: Phantom, folder: Path) -> None:
    volume = phantom.volume
    with (folder / f"{volume.series.series_uid}.nii.gz").open("wb") as file:
        write_nifti(volume.hu, volume.affine, file)
