"""Draw docs/pictures/report.png, the picture of a report in the README.

Run as ``python docs/report_picture.py REPORT_FOLDER docs/pictures/report.png`` where REPORT_FOLDER
holds the report.html and report.json of a phantom, such as ``make run`` leaves below
``results/studies``. It needs chromium (``apt install chromium``). Never run it on a patient.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from hounsfield.pipeline.report.filenames import REPORT_HTML, REPORT_JSON
from hounsfield.pipeline.report.headline import leading_finding
from hounsfield.pipeline.report.schema import Report

WIDTH_PX, MAX_HEIGHT_PX = 1000, 4000
MARGIN_PX = 16
GREYS = 128
"""Greys among the 256 colours of the palette."""
MAX_GREY_RANGE = 12
"""Largest difference of red, green and blue in what counts as grey."""
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def main(folder: Path, picture: Path) -> None:
    """Photograph the summary, the key image and the leading finding of a report."""
    report = Report.model_validate_json((folder / REPORT_JSON).read_text(encoding="utf-8"))
    leading = leading_finding(len(report.findings), [each.driven_by for each in report.guidelines])
    # The rest of the page is hidden, not removed: what is shown looks as in the report.
    style = (
        f"<style>section:not(.summary, .key, #finding-{leading}), footer, .not-assessed, .columns "
        "{ display: none; }</style></head>"
    )
    page = (folder / REPORT_HTML).read_text(encoding="utf-8").replace("</head>", style, 1)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        (scratch / "page.html").write_text(page, encoding="utf-8")
        _screenshot(scratch / "page.html", scratch / "page.png", scratch / "profile")
        with Image.open(scratch / "page.png") as image:
            trimmed = _trimmed(image.convert("RGB"))
    trimmed.quantize(palette=_palette(trimmed), dither=Image.Dither.NONE).save(
        picture, optimize=True
    )


def _palette(image: Image.Image) -> Image.Image:
    """Greys at equal steps for the CT, and the most used colours for all else."""
    pixels = np.asarray(image).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels, axis=1) > MAX_GREY_RANGE]
    colours = Image.fromarray(coloured[None]).quantize(256 - GREYS).getpalette() or []
    greys = np.repeat(np.rint(np.linspace(0, 255, GREYS)).astype(int), 3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*greys, *colours[: 3 * (256 - GREYS)]])
    return palette


def _screenshot(page: Path, picture: Path, profile: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt install chromium")
    subprocess.run(  # noqa: S603 - the arguments are this script's own
        [
            chromium,
            *OPTIONS,
            f"--user-data-dir={profile}",
            f"--window-size={WIDTH_PX},{MAX_HEIGHT_PX}",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )


def _trimmed(image: Image.Image) -> Image.Image:
    """Cut off the empty page below the last section."""
    pixels = np.asarray(image)
    rows = np.flatnonzero((pixels != pixels[-1, -1]).any(axis=(1, 2)))
    return image.crop((0, 0, image.width, min(int(rows[-1]) + MARGIN_PX, image.height)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
