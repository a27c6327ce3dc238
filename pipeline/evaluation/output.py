"""Output of an evaluation: its HTML page with inline plots, and the files in its folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_SVG = re.compile(r"<svg.*</svg>", re.DOTALL)


def render_page(template: str, *, svg: bytes, values: Mapping[str, object]) -> str:
    """Renders a page that needs no other file.

    Args:
        template: Path below ``pipeline``, such as ``evaluation/templates/luna16.html.jinja``.
        svg: Plot that the template shows inline as ``plot``.
        values: Other values that the template uses, by name.

    Returns:
        The HTML.
    """
    match = _SVG.search(svg.decode("utf-8"))
    plot = match.group(0) if match else ""
    from hounsfield.pipeline.report.templating import render_template

    return render_template(template, plot=plot, **values)


def write_files(out: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder, each atomically.

    Args:
        out: Folder, created if missing.
        files: Content of each file, by name.

    Raises:
        OutputError: The folder or a file cannot be written.
    """
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_file(out / name) as temporary:
            temporary.write_bytes(content)
