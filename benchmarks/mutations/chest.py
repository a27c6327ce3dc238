"""The small chest that every kind of image shows."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.volume import SeriesFacts, Volume

SLICES, EDGE = 12, 64
SPACING_MM = 5.0


@cache
def small_chest() -> Volume:
    """Returns 12 slices of 64 x 64 at 5 mm: air, a body, two lungs, noise of 20 HU."""
    rng = np.random.default_rng(22)
    y, x = np.mgrid[-1 : 1 : EDGE * 1j, -1 : 1 : EDGE * 1j]
    flat = np.where((x / 0.85) ** 2 + (y / 0.6) ** 2 < 1, 40.0, -1000.0)
    for side in (-0.4, 0.4):
        flat[((x - side) / 0.28) ** 2 + (y / 0.42) ** 2 < 1] = -850.0
    flat[(x / 0.08) ** 2 + ((y - 0.4) / 0.1) ** 2 < 1] = 400.0
    hu = flat + rng.normal(0, 20, (SLICES, EDGE, EDGE))
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = (-160.0, -158.5, -1203.25)
    facts = SeriesFacts(
        study_uid="1.2.826.0.1.3680043.8.498.22",
        series_uid="1.2.826.0.1.3680043.8.498.22.1",
        patient_id="HF-22",
        patient_sex="F",
        patient_age_years=63,
        study_date="20240131",
        series_description="Thorax 5.0 B31f",
        series_number=2,
        modality="CT",
        manufacturer="Maker",
        convolution_kernel="B31f",
        kvp=120,
        body_part_examined="CHEST",
        patient_position="HFS",
    )
    return Volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), affine, facts)


@cache
def small_chest_on_disk() -> Volume:
    """Returns the same chest as it is read from DICOM, with the identifiers of its images."""
    with tempfile.TemporaryDirectory() as folder:
        save_series(ct_datasets(small_chest()), Path(folder))
        [series] = discover([Path(folder)]).series
        return read_volume(series)
