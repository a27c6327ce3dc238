"""The judges of cases about NIfTI, MetaImage, tables, names, and whole runs."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import yaml

from benchmarks.cases.verdicts import WrongVerdict, conflict_about, expect, only_chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.cases.product import Product
    from hounsfield.pipeline.inspection import InspectionRow

CONFIGS = Path(__file__).parents[2] / "configs"

_SIZE_TOLERANCE = 0.01


def _conflicting_transforms(product: Product) -> None:
    if product.chosen:
        row = only_chosen(product)
        conflict_about(row, "form")
        expect(round((row.spacing_mm or (0, 0, 0))[2], 3), 3.5)
    else:
        expect(product.reasons, ["inconsistent_geometry"])


def _nan_outside(product: Product) -> None:
    if product.chosen:
        expect("padding_replaced" in {n.code.value for n in only_chosen(product).notices}, True)
    else:
        expect("NaN" in product.rows[0].message, True, product.rows[0].message)


def _units(product: Product) -> None:
    expect(product.chosen, [])


def _layouts(product: Product) -> None:
    read = {_name(row) for row in product.rows if row.reason is None or row.chosen}
    wanted = {
        "header_size.mhd", "minus_one.mhd", "windows.mhd", "blank.mhd", "percent%04d.mhd",
        "lower_case.mha", "comment_first.mha",
    }  # fmt: skip
    expect(wanted - read, set())
    for name, words in (("minus_one_packed.mhd", "HeaderSize"), ("list.mhd", "list")):
        rows = [row for row in product.rows if _name(row) == name]
        if name not in read:
            expect(any(words in row.message for row in rows), True, f"{[r.message for r in rows]}")


def _flipped_byte(product: Product) -> None:
    expect(product.chosen, [])
    damaged = [row for row in product.rows if row.reason and row.reason.value == "unreadable"]
    expect(sorted(_name(row) for row in damaged), ["rot.mha", "rot.nii.gz"])
    expect(product.converted_hu(product.input / "rot.nii.gz"), None)


def _luna16_tables(product: Product) -> None:
    out = product.scratch / "prepared"
    code, words = product.command("prepare", "luna16", product.input, "--out", out)
    expect(code in {0, 4}, True, f"exit {code}: {words}")
    for told in ("outside", "1.3.6.1.4.1.14519.5.2.1.77"):
        expect(told in words, True, words)
    cases = sorted(out.rglob("case.json"))
    expect([path.read_text().count("centre_world_mm") for path in cases], [1])


def _odd_names(product: Product) -> None:
    expect(len(product.chosen), 10)
    formula = next(path for path in product.input.iterdir() if path.name.startswith("="))
    output = product.run(formula)
    expect(output.code, 0, output.words)
    for name in ("findings.csv", "worklist.csv", "luna16_predictions.csv"):
        for row in output.table(name):
            expect(any(cell.startswith("=") for cell in row.values()), False)


def _same_scan_three_forms(product: Product) -> None:
    output = product.run()
    sizes = [_sizes(report) for report in output.reports()]
    expect(len(sizes), 3)
    expect(len({len(each) for each in sizes}), 1, f"{[len(each) for each in sizes]} findings")
    for first, *others in zip(*map(sorted, sizes), strict=True):
        for other in others:
            if abs(other - first) > _SIZE_TOLERANCE * first:
                msg = f"volumes of {first:.1f} and {other:.1f} mm3"
                raise WrongVerdict(msg)


def _own_output(product: Product) -> None:
    expect(product.chosen, [])


def _training_without_nodules(product: Product) -> None:
    prepared = product.scratch / "prepared"
    code, words = product.command("prepare", "luna16", product.input, "--out", prepared)
    if code == 0:
        settings = yaml.safe_load((CONFIGS / "train_detector.yaml").read_text(encoding="utf-8"))
        settings["data"] = {"cases": [str(prepared)], "fold": 0}
        config = product.scratch / "train.yaml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        model = product.scratch / "model"
        code, words = product.command("train", config, "--steps", 2, "--out", model)
    expect(code, 2, f"exit {code}: {words[-300:]}")
    expect("nodule" in words, True, words)


def _qfac_zero(product: Product) -> None:
    shapes = {_name(row): row.shape_zyx for row in product.chosen}
    expect(shapes, {"qfac0.nii": (80, 256, 256), "good": (80, 256, 256)})


def _sizes(report: dict) -> list[float]:  # type: ignore[type-arg]
    return [f["measurements"].get("volume_mm3", 0.0) for f in report["findings"]]


def _name(row: InspectionRow) -> str:
    return row.path.rsplit("/", 1)[-1]


FILE_JUDGES: Mapping[str, Callable[[Product], None]] = MappingProxyType(
    {
        "13-nifti-sform-qform-conflict": _conflicting_transforms,
        "14-nifti-nan-outside": _nan_outside,
        "18-nifti-units": _units,
        "20-mhd-layouts": _layouts,
        "22-nifti-flipped-byte": _flipped_byte,
        "27-luna16-tables": _luna16_tables,
        "30-odd-names": _odd_names,
        "48-same-scan-three-forms": _same_scan_three_forms,
        "51-own-output-as-input": _own_output,
        "57-training-without-nodules": _training_without_nodules,
        "71-nifti-qfac-zero": _qfac_zero,
    }
)
