"""What is right for each case; a judge raises `WrongVerdict` with what it saw instead."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.cases.judges_of_files import FILE_JUDGES
from benchmarks.cases.verdicts import (
    WrongVerdict,
    conflict_about,
    expect,
    notices_of,
    only_chosen,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.cases.product import Product

__all__ = ["JUDGES", "WrongVerdict"]


def _interleaved_passes(product: Product) -> None:
    expect(_slices(product), [80, 80])


def _orientation_jitter(product: Product) -> None:
    row = only_chosen(product)
    expect(row.shape_zyx, (80, 256, 256))
    conflict_about(row, "ImageOrientationPatient")


def _series_uid_blank(product: Product) -> None:
    row = only_chosen(product)
    expect(row.shape_zyx, (80, 256, 256))
    expect(len(product.rows), 1)
    conflict_about(row, "SeriesInstanceUID")


def _two_phases(product: Product) -> None:
    row = only_chosen(product)
    expect(_slices(product), [80, 80])
    expect("motion_suspect" in notices_of(row), False)


def _whole(product: Product) -> None:
    expect(only_chosen(product).shape_zyx, (80, 256, 256))


def _reason(reason: str, words: str = "") -> Callable[[Product], None]:
    def judge(product: Product) -> None:
        expect(product.chosen, [])
        expect(product.reasons, [reason])
        expect(words in product.rows[0].message, True, product.rows[0].message)

    return judge


def _rescale_missing(product: Product) -> None:
    _reason("hu_unknown", "RescaleIntercept (0028,1052)")(product)
    expect(product.converted_hu(), None)


def _two_patients(product: Product) -> None:
    expect([row.shape_zyx for row in product.chosen], [(80, 256, 256)] * 2)
    worklist = product.run().table("worklist.csv")
    expect(len({(row["study_uid"], row["series_uid"]) for row in worklist}), 2)
    expect(sorted(row["patient_id"] for row in worklist), ["CASE-1", "CASE-2"])


def _non_square_pixels(product: Product) -> None:
    spacing = [round(value, 3) for value in only_chosen(product).spacing_mm or ()]
    expect(spacing, [2.8, 1.4, 3.5])


def _iodine_map(product: Product) -> None:
    expect(only_chosen(product).path.endswith("chest"), True)
    expect(product.reasons[0] in {"lungs_not_found", "derived", "hu_unknown"}, True)


def _large_matrix(product: Product) -> None:
    (row,) = product.rows_by_headers
    expect(row.shape_zyx, (1100, 1024, 1024))
    expect(row.reason is None or row.reason.value == "out_of_memory", True, str(row.reason))


def _axial_in_coronal(product: Product) -> None:
    expect(only_chosen(product).shape_zyx, (128, 80, 256))
    expect(product.reasons, ["too_few_slices"])


def _bits_stored_too_small(product: Product) -> None:
    conflict_about(only_chosen(product), "BitsStored")
    hu = product.converted_hu()
    expect(hu is not None and int(hu.max()) >= 3700, True, f"highest HU {hu.max()}")  # type: ignore[union-attr]


def _decimal_comma(product: Product) -> None:
    expect([row.shape_zyx for row in product.chosen], [(80, 256, 256)] * 2)
    for row in product.chosen:
        conflict_about(row, "decimal commas")
    hu = product.converted_hu(product.input / "rescale")
    expect(hu is not None and int(hu.min()) < -900, True)


def _oddities(product: Product) -> None:
    _whole(product)
    expect(len(product.rows), 5)


def _many_files(product: Product) -> None:
    expect(product.command("inspect", product.input, "--headers-only")[0] in {0, 3}, True)
    expect(product.run().code, 3)


def _shared_series_uid(product: Product) -> None:
    _whole(product)
    expect(product.reasons, ["not_ct", "secondary_capture"])


def _two_fields(product: Product) -> None:
    row = only_chosen(product)
    expect([round(value, 2) for value in row.spacing_mm or ()], [1.4, 1.4, 3.5])


def _scout_frames(product: Product) -> None:
    expect(only_chosen(product).path.endswith("chest"), True)
    expect(set(product.reasons) <= {"localizer", "missing_slices", "too_few_slices"}, True)


def _zoomed_thin_series(product: Product) -> None:
    row = only_chosen(product)
    expect(row.path.endswith("chest"), True, row.path)
    expect("one_lung" in notices_of(row), False)


def _thickness_rounding(product: Product) -> None:
    expect(only_chosen(product).path.endswith("B31f"), True)


def _two_frames_of_reference(product: Product) -> None:
    expect(_slices(product), [40, 40])
    conflict_about(only_chosen(product), "FrameOfReferenceUID")


def _spacing_changes(product: Product) -> None:
    row = only_chosen(product)
    expect(round((row.spacing_mm or (0, 0, 0))[2], 3), 2.5)
    expect("uneven_spacing" in notices_of(row), True)


def _slices(product: Product) -> list[int]:
    return [row.shape_zyx[0] for row in product.rows if row.shape_zyx]


JUDGES: Mapping[str, Callable[[Product], None]] = MappingProxyType(
    {
        "01-interleaved-passes": _interleaved_passes,
        "03-orientation-jitter": _orientation_jitter,
        "05-series-uid-blank": _series_uid_blank,
        "06-two-phases-no-instance-number": _two_phases,
        "08-position-missing": _reason("no_position", "ImagePositionPatient (0020,0032)"),
        "10-rescale-missing": _rescale_missing,
        "11-two-patients-one-uid": _two_patients,
        "12-one-sop-uid-two-folders": _whole,
        "23-non-square-pixels": _non_square_pixels,
        "24-iodine-map-original": _iodine_map,
        "33-1024-matrix-1100-slices": _large_matrix,
        "35-one-axial-in-coronal": _axial_in_coronal,
        "36-whole-body-ct": lambda product: expect(only_chosen(product).reason, None),
        "37-couch-only": _reason("lungs_not_found"),
        "38-zero-hu-outside-fov": _whole,
        "39-bits-stored-too-small": _bits_stored_too_small,
        "41-decimal-comma": _decimal_comma,
        "42-file-system-oddities": _oddities,
        "43-many-files": _many_files,
        "44-rtstruct-shares-series-uid": _shared_series_uid,
        "45-two-fov-one-series": _two_fields,
        "50-scout-frames-two-stacks": _scout_frames,
        "52-zoomed-thin-series": _zoomed_thin_series,
        "53-thickness-rounding": _thickness_rounding,
        "55-two-frames-of-reference": _two_frames_of_reference,
        "56-spacing-changes-midway": _spacing_changes,
        **FILE_JUDGES,
    }
)
"""The judge of each case, by the name of its folder."""
