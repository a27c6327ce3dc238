"""Writes the tables of a synthetic challenge and runs the command on them."""

from __future__ import annotations

from hounsfield.pipeline.evaluation.luna16.command import luna16_command

FINDING_HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm"
PREDICTION_HEADER = "seriesuid,coordX,coordY,coordZ,probability"


def written(path, rows, header=None, delimiter=","):
    lines = [delimiter.join(map(str, row)) for row in rows]
    first = [header.replace(",", delimiter)] if header else []
    path.write_text("\n".join([*first, *lines]) + "\n")
    return path


def evaluated(folder, *, scans, nodules, predictions, excluded=(), **options):
    """Evaluates rows of (scan, x, y, z, diameter) and (scan, x, y, z, score)."""
    options = {"resamplings": 20, **options}
    return luna16_command(
        annotations=written(folder / "annotations.csv", nodules, FINDING_HEADER),
        excluded=written(folder / "excluded.csv", excluded, FINDING_HEADER),
        series=written(folder / "series.csv", [[scan] for scan in scans]),
        predictions=written(folder / "predictions.csv", predictions, PREDICTION_HEADER),
        out=folder / "out",
        **options,
    )
