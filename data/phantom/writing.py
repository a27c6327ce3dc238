"""Writes a phantom for others to read: CT series, LUNA16's MetaImage, NIfTI, and its truth."""

from __future__ import annotations

import csv
import os
import shutil
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.data.phantom.phantom import Phantom

Format = Literal["dicom", "luna16", "nifti"]
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class NoduleTruth(BaseModel):
    """One nodule of a phantom, in LPS millimetres."""

    model_config = ConfigDict(frozen=True)

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


class PhantomTruth(BaseModel):
    """What is known of a phantom: the content of its ``truth.json``."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    seed: int
    study_uid: str
    series_uid: str
    shape_zyx: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    nodules: tuple[NoduleTruth, ...]


def truth_of(phantom: Phantom) -> PhantomTruth:
    """Gathers what is known of a phantom."""
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
    """Writes the study and its ``truth.json`` into a new folder, which appears whole or not at all.

    ``dicom`` gives ``dicom/00001.dcm`` and so on; ``luna16`` gives ``luna16/<series>.mhd``,
    its ``.raw`` and ``annotations.csv``; ``nifti`` gives ``nifti/<series>.nii.gz``.

    Args:
        phantom: What to write.
        out: A folder that does not exist yet or is empty.
        formats: Which forms.

    Returns:
        `out`.

    Raises:
        UsageError: `out` has something in it, or a format is unknown.
        OSError: `out` cannot be written.
    """
    writers = {"dicom": _write_dicom, "luna16": _write_luna16, "nifti": _write_nifti}
    unknown = [name for name in formats if name not in writers]
    if unknown:
        msg = f"Formats must be among {', '.join(writers)}, got {unknown[0]!r}"
        raise UsageError(msg)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        msg = f"The phantom needs a new or empty folder, but {out} is in use; name another"
        raise UsageError(msg)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        for name in formats:
            (partial / name).mkdir(parents=True)
            writers[name](phantom, partial / name)
        (partial / "truth.json").write_text(truth_of(phantom).model_dump_json(indent=2) + "\n")
        for path in partial.rglob("*"):
            _flush(path)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return out


def _write_dicom(phantom: Phantom, folder: Path) -> None:
    """The CT series."""
    save_series(ct_datasets(phantom.volume), folder)


def _write_luna16(phantom: Phantom, folder: Path) -> None:
    """MetaImage and the table of nodules, as LUNA16 has them."""
    import SimpleITK

    volume = phantom.volume
    image: Any = SimpleITK.GetImageFromArray(volume.hu)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin(volume.affine[:3, 3].tolist())
    image.SetDirection((volume.affine[:3, :3] / volume.spacing_mm).ravel().tolist())
    SimpleITK.WriteImage(image, str(folder / f"{volume.series.series_uid}.mhd"))
    with (folder / "annotations.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"])
        for nodule in phantom.nodules:
            rows.writerow([volume.series.series_uid, *nodule.centre_world_mm, nodule.diameter_mm])


def _write_nifti(phantom: Phantom, folder: Path) -> None:
    """NIfTI, whose world is RAS."""
    import nibabel

    volume = phantom.volume
    affine = _LPS_TO_RAS @ volume.affine
    image = nibabel.Nifti1Image(volume.hu.transpose(2, 1, 0), affine)
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner")
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, folder / f"{volume.series.series_uid}.nii.gz")


def _flush(path: Path) -> None:
    """Makes sure that a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
