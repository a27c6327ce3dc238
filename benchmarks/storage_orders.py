"""One scan in every way that scanners and converters store it: are the findings the same?

Run as ``python -m benchmarks.storage_orders [SERIES]``. SERIES is a DICOM folder, an archive, a
MetaImage or a NIfTI file of a chest; by default LIDC-IDRI-0001 where it is at hand, else a phantom.
Its voxels are written anew: turned in the plane, from head to feet, mirrored, as coronal and
sagittal stacks, as DICOM, MetaImage and NIfTI. Each form is read and analysed as a run does, and
compared with the analysis of SERIES itself. Slices of DICOM files come in any order too.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.pipeline.analysis.growth.matching import match_findings
from hounsfield.pipeline.api import analyse, load_models, make_phantom, read
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.geometry.reorient import Reorientation, reoriented, upright

if TYPE_CHECKING:
    from collections.abc import Callable

    from hounsfield.models.findings import Finding
    from hounsfield.models.inference.loading import Models
    from hounsfield.preprocessing.volume import Volume

LIDC_IDRI_0001 = Path(__file__).parents[2] / "shared" / "real" / "lidc-idri-0001" / "ct"
PHANTOM_SEED = 990_001
MAX_SIZE_DIFFERENCE = 0.01
MAX_PLACE_MM = 0.1
COLUMNS = ("findings", "matched", "place mm", "diameter %", "volume %", "malignancy", "score", "s")

FORMS: dict[str, tuple[str, Reorientation]] = {
    "DICOM, as it is": ("dicom", Reorientation()),
    "DICOM, turned by 180 degrees in the plane": ("dicom", Reorientation(flipped=(1, 2))),
    "DICOM, numbered from head to feet": ("dicom", Reorientation(flipped=(0,))),
    "DICOM, rows from back to front": ("dicom", Reorientation(flipped=(1,))),
    "DICOM, columns from left to right": ("dicom", Reorientation(flipped=(2,))),
    "DICOM, rows and columns swapped": ("dicom", Reorientation((0, 2, 1))),
    "DICOM, coronal stack": ("dicom", Reorientation((1, 0, 2), (1,))),
    "DICOM, sagittal stack": ("dicom", Reorientation((2, 0, 1), (1,))),
    "MetaImage, as it is": (".mha", Reorientation()),
    "MetaImage, from head to feet": (".mha", Reorientation(flipped=(0,))),
    "MetaImage, rows from back to front": (".mha", Reorientation(flipped=(1,))),
    "MetaImage, coronal stack": (".mha", Reorientation((1, 0, 2))),
    "NIfTI, RAS": (".nii.gz", Reorientation(flipped=(1, 2))),
    "NIfTI, LAS": (".nii.gz", Reorientation(flipped=(1,))),
    "NIfTI, LPS": (".nii.gz", Reorientation()),
    "NIfTI, coronal stack": (".nii.gz", Reorientation((1, 0, 2), (0, 1))),
    "NIfTI, sagittal stack": (".nii.gz", Reorientation((2, 0, 1), (2,))),
}
"""Format, and how the upright volume is reoriented before it is written."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The findings of two analyses of one scan, compared.

    Attributes:
        findings: Number of findings of the second analysis.
        matched: How many of them are findings of the first.
        place_mm: Largest distance of two that match.
        diameter, volume: Largest relative difference.
        malignancy, score: Largest difference.
    """

    findings: int
    matched: int
    place_mm: float = 0.0
    diameter: float = 0.0
    volume: float = 0.0
    malignancy: float = 0.0
    score: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether both have the same findings, with places and sizes within the limits."""
        sizes = max(self.diameter, self.volume)
        return (
            self.findings == self.matched
            and sizes <= MAX_SIZE_DIFFERENCE
            and self.place_mm <= MAX_PLACE_MM
        )


def main() -> int:
    """Prints a line for each form.

    Returns:
        1 where a form has other findings or sizes, else 0.
    """
    models = load_models()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else _default_source(folder)
        volume = read(source)
        started = time.perf_counter()
        first = analyse(volume, models=models).findings
        print(f"{source.name}: {len(first)} findings in {time.perf_counter() - started:.1f} s")
        print(f"{'':42s}" + "".join(f"{column:>11s}" for column in COLUMNS))
        differ = 0
        for number, (form, (suffix, reorientation)) in enumerate(FORMS.items()):
            path = folder / f"{number}{suffix}"
            write_form(reoriented(upright(volume), reorientation), path)
            started = time.perf_counter()
            difference = compare(first, _findings(path, models))
            differ += not difference.is_none
            _print_row(form, difference, time.perf_counter() - started)
            _remove(path)
    print(f"{differ} of {len(FORMS)} forms differ by more than {MAX_SIZE_DIFFERENCE:.0%} in size")
    return int(differ > 0)


def write_form(volume: Volume, path: Path) -> None:
    """Writes a volume as it is stored; DICOM files get names that do not follow their places.

    Args:
        volume: In any orientation.
        path: Its suffix decides the format; without one that is known, a folder of DICOM files.
    """
    if path.name.endswith((".mha", ".nii.gz")):
        with path.open("wb") as file:
            write_volume(volume, file, VolumeFormat.of(path))
        return
    datasets = ct_datasets(volume)
    random.Random(len(datasets)).shuffle(datasets)
    save_series(datasets, path)


def compare(first: tuple[Finding, ...], second: tuple[Finding, ...]) -> Difference:
    """Compares the findings of two analyses of one scan.

    Args:
        first: Findings of the form that is compared with.
        second: Findings of the other form, in the same patient frame.

    Returns:
        The largest differences; a finding that only one has counts as unmatched.
    """
    pairs = match_findings([finding.centre_world_mm for finding in second], second, first)
    if not pairs:
        return Difference(max(len(first), len(second)), 0)
    matches = [(first[b], second[a]) for a, b in pairs.items()]

    def largest(difference: Callable[[Finding, Finding], float]) -> float:
        return max(difference(a, b) for a, b in matches)

    return Difference(
        findings=max(len(first), len(second)),
        matched=len(pairs),
        place_mm=largest(_distance_mm),
        diameter=largest(lambda a, b: abs(b.diameter_mm / a.diameter_mm - 1)),
        volume=largest(lambda a, b: abs(_volume_mm3(b) / _volume_mm3(a) - 1)),
        malignancy=largest(lambda a, b: abs((b.malignancy or 0.0) - (a.malignancy or 0.0))),
        score=largest(lambda a, b: abs(b.score - a.score)),
    )


def _default_source(folder: Path) -> Path:
    if LIDC_IDRI_0001.is_dir():
        return LIDC_IDRI_0001
    make_phantom(PHANTOM_SEED, folder=folder / "phantom")
    return folder / "phantom"


def _findings(path: Path, models: Models) -> tuple[Finding, ...]:
    return analyse(path, models=models).findings


def _distance_mm(a: Finding, b: Finding) -> float:
    return float(np.linalg.norm(np.subtract(a.centre_world_mm, b.centre_world_mm)))


def _volume_mm3(finding: Finding) -> float:
    """The measured volume; that of the ball of the detector's size where there is none."""
    if finding.measurements is not None:
        return finding.measurements.volume_mm3
    return float(np.pi / 6 * finding.diameter_mm**3)


def _print_row(form: str, difference: Difference, seconds: float) -> None:
    print(
        f"{form:42s}{difference.findings:11d}{difference.matched:11d}{difference.place_mm:11.5f}"
        f"{100 * difference.diameter:11.5f}{100 * difference.volume:11.5f}"
        f"{difference.malignancy:11.6f}{difference.score:11.6f}{seconds:11.1f}",
        flush=True,
    )


def _remove(path: Path) -> None:
    """Frees the space of a form: all of them together would take several gigabytes."""
    for file in list(path.iterdir()) if path.is_dir() else [path]:
        file.unlink()


if __name__ == "__main__":
    sys.exit(main())
