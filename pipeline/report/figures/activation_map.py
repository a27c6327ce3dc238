"""Class activation maps of findings: drawn over the CT, and saved as NIfTI.

A map shows which places raise or lower the logit of the likeliest class (Zhou et al., CVPR 2016;
docs/activation_maps.md).
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates, spline_filter

from hounsfield.models.findings import NoduleClass
from hounsfield.pipeline.report.figures.panel import ColourBar, Panel, png
from hounsfield.pipeline.report.figures.planes import FINDING_PLANES, Plane, plane_world_mm
from hounsfield.pipeline.report.filenames import activation_file_name
from hounsfield.preprocessing.formats.nifti import write_nifti
from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.findings import ActivationMap, Finding

_AGAINST_COLOUR, _FOR_COLOUR = (70, 120, 255), (255, 60, 40)
_MAX_OPAQUE = 0.6
_BAR_STEPS = 201
_RIM_VOXELS = 2
_COARSER = 3
"""The map is sampled this many times coarser than the picture: its voxels are coarser still."""


def activation_picture(
    panels: Sequence[Panel], finding: Finding, activation_map: ActivationMap
) -> bytes:
    """Draw the activation map for the likeliest class over the panels of a finding.

    The values are `ActivationMap.contrast_for`: a carcinoma against normal, or normal against
    carcinoma; red for the class, blue against it.

    Full colour is the strongest value of the whole map, shown or not, so that a map whose peak lies
    in none of the planes looks as faint as it is there.

    Args:
        panels: One for each of `FINDING_PLANES`, as `finding_panels` makes them.
        finding: The finding in the middle of the panels.
        activation_map: The finding's map, on the classifier's grid.

    Returns:
        The bytes of a PNG file; below the panels, a bar with the strongest value in logits.
    """
    shown_class = finding.likeliest_class
    contrast = activation_map.contrast_for(shown_class)
    strongest = float(np.abs(contrast).max())
    # A map of zeros is drawn fully transparent.
    scaled = contrast / strongest if strongest > 0 else contrast
    # Cubic, for maps whose voxels are as large as a nodule; the rim lets it fade at the map's edge.
    spline = spline_filter(np.pad(scaled, _RIM_VOXELS), order=3)
    coloured = [
        replace(panel, layer=_layer(panel, plane, finding, spline, activation_map.affine))
        for panel, plane in zip(panels, FINDING_PLANES, strict=True)
    ]
    other = "carcinoma" if shown_class is NoduleClass.NORMAL else NoduleClass.NORMAL
    labels = (
        f"for {other}  -{strongest:.3g}",
        f"+{strongest:.3g}  for {shown_class.replace('_', ' ')}",
    )
    return png(coloured, bar=ColourBar(_colours(np.linspace(-1, 1, _BAR_STEPS)), labels))


def activation_files(findings: Sequence[Finding]) -> dict[str, bytes]:
    """Make the NIfTI files of all findings that have an activation map.

    Args:
        findings: Best score first; numbered from 1 in this order.

    Returns:
        Files by name: float32 contrast for the likeliest class, on the classifier's grid, with a
        RAS affine.
    """
    files = {}
    for number, finding in enumerate(findings, start=1):
        if finding.activation_map is not None:
            stream = io.BytesIO()
            contrast = finding.activation_map.contrast_for(finding.likeliest_class)
            write_nifti(contrast, finding.activation_map.affine, stream)
            files[activation_file_name(number)] = stream.getvalue()
    return files


def _layer(
    panel: Panel,
    plane: Plane,
    finding: Finding,
    spline: NDArray[np.float64],
    affine: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Colours over a panel, ``[row, column, 4]``; transparent where the map is 0."""
    height, width = panel.grey.shape
    shape = (height // _COARSER, width // _COARSER)
    # The coarse picture covers the same mm as the fine one.
    step_mm = panel.mm_per_px * width / shape[1]
    world_mm = plane_world_mm(plane, finding.centre_world_mm, shape, step_mm)
    voxels_xyz = apply_affine(np.linalg.inv(affine), world_mm) + _RIM_VOXELS
    coarse = map_coordinates(
        spline, np.moveaxis(voxels_xyz[..., ::-1], -1, 0), np.float32, order=3, prefilter=False
    )
    fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return _colours(np.asarray(fine))


def _colours(scaled: NDArray[np.floating]) -> NDArray[np.uint8]:
    """RGBA of values from -1 (against) to 1 (for); the nearer 0, the more transparent."""
    colours = np.empty((*scaled.shape, 4), np.uint8)
    colours[..., :3] = np.where((scaled > 0)[..., None], _FOR_COLOUR, _AGAINST_COLOUR)
    colours[..., 3] = np.rint(255 * _MAX_OPAQUE * np.minimum(np.abs(scaled), 1))
    return colours
