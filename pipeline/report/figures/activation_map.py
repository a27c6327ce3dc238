"""Why a finding got its class: where the classifier saw what speaks for it, drawn and saved."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates, spline_filter

from hounsfield.models.contracts import NoduleClass
from hounsfield.pipeline.report.figures.panel import ColourBar, Panel, png
from hounsfield.pipeline.report.figures.planes import FINDING_PLANES, Plane, plane_world_mm
from hounsfield.pipeline.report.filenames import activation_file_name
from hounsfield.preprocessing.formats.nifti import write_nifti
from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.contracts import ActivationMap, Finding

_AGAINST, _FOR = (70, 120, 255), (255, 60, 40)
_MAX_OPAQUE = 0.6
_BAR_STEPS = 201
_RIM_VOXELS = 2
_COARSER = 3
"""So many times coarser than the picture the map is sampled: its voxels are coarser still."""


def activation_picture(
    panels: Sequence[Panel], finding: Finding, activation_map: ActivationMap
) -> bytes:
    """Lays what speaks for the likeliest class over the panels of a finding.

    That is `ActivationMap.contrast_for`: a carcinoma against normal, or normal against carcinoma.

    Full colour is the strongest value of the whole map, shown or not, so that a map whose peak lies
    in none of the planes looks as faint as it is there.

    Args:
        panels: One for each of `FINDING_PLANES`.
        finding: What they show.
        activation_map: Of this finding.

    Returns:
        The bytes of a PNG file.
    """
    named = likeliest_class(finding)
    evidence = activation_map.contrast_for(named)
    strongest = float(np.abs(evidence).max())
    # A map of nothing is drawn as nothing.
    scaled = evidence / strongest if strongest > 0 else evidence
    # Cubic, for maps whose voxels are as large as a nodule; the rim lets it fade at the map's edge.
    spline = spline_filter(np.pad(scaled, _RIM_VOXELS), order=3)
    drawn = [
        replace(panel, layer=_layer(panel, plane, finding, spline, activation_map.affine))
        for panel, plane in zip(panels, FINDING_PLANES, strict=True)
    ]
    other = "carcinoma" if named is NoduleClass.NORMAL else NoduleClass.NORMAL
    labels = (
        f"speaks for {other}  -{strongest:.3g}",
        f"+{strongest:.3g}  speaks for {named.replace('_', ' ')}",
    )
    return png(drawn, bar=ColourBar(_colours(np.linspace(-1, 1, _BAR_STEPS)), labels))


def activation_files(findings: Sequence[Finding]) -> dict[str, bytes]:
    """Makes the NIfTI files of all findings that have evidence, by name.

    Each holds what speaks for the likeliest class, on the grid on which the classifier saw it.
    """
    files = {}
    for number, finding in enumerate(findings, start=1):
        if finding.activation_map is not None:
            stream = io.BytesIO()
            evidence = finding.activation_map.contrast_for(likeliest_class(finding))
            write_nifti(evidence, finding.activation_map.affine, stream)
            files[activation_file_name(number)] = stream.getvalue()
    return files


def likeliest_class(finding: Finding) -> NoduleClass:
    """The class with the largest probability; the first in order where they tie."""
    return list(NoduleClass)[int(np.argmax(finding.class_probabilities))]


def _layer(
    panel: Panel,
    plane: Plane,
    finding: Finding,
    spline: NDArray[np.float64],
    affine: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Colours over a panel, ``[row, column, 4]``; transparent where the map says nothing."""
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
    colours[..., :3] = np.where((scaled > 0)[..., None], _FOR, _AGAINST)
    colours[..., 3] = np.rint(255 * _MAX_OPAQUE * np.minimum(np.abs(scaled), 1))
    return colours
