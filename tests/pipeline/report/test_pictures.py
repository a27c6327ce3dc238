"""Pictures show the patient as radiologists do: R on the left, A on top, H on top."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hounsfield.models.findings import ConfidenceBand, Finding, Lung, LungLocation, Zone
from hounsfield.pipeline.config import load_config
from hounsfield.pipeline.report.figures.annotations import (
    TEXT_COLOUR,
    Edges,
    Ring,
    annotation_layer,
)
from hounsfield.pipeline.report.figures.finding_picture import finding_panels
from hounsfield.pipeline.report.figures.key_picture import key_picture, projection_window_hu
from hounsfield.pipeline.report.figures.panel import Panel, png
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from hounsfield.preprocessing.working_volume import WorkingVolume

SIZE = 342
GAP = 6
FINDING = Finding(
    centre_world_mm=(0.0, 0.0, 0.0),
    diameter_mm=6.0,
    score=0.9,
    class_probabilities=(1.0, 0.0, 0.0, 0.0),
    confidence_band=ConfidenceBand.HIGH,
    location=LungLocation(Lung.LEFT, Zone.UPPER),
)


def volume_with_ball(centre_world_mm, *, flipped):
    """Lung of 81 mm around the origin with a dense ball of 8 mm."""
    signs = np.array((-1.0, -1.0, -1.0) if flipped else (1.0, 1.0, 1.0))
    affine = np.diag([*signs, 1.0])
    affine[:3, 3] = -40 * signs
    zyx = np.indices((81, 81, 81)).reshape(3, -1).T
    world_mm = zyx[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    inside = np.linalg.norm(world_mm - centre_world_mm, axis=1) < 4
    hu = np.where(inside, 100, -850).astype(np.int16).reshape(81, 81, 81)
    return Volume(hu, affine, SeriesFacts("1", "1.1"))


def panels(content):
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert sheet.shape == (SIZE, 3 * SIZE + 2 * GAP, 3)
    return [sheet[:, start : start + SIZE] for start in range(0, 3 * SIZE, SIZE + GAP)]


def is_bright(panel, right_mm, down_mm):
    column = round(SIZE / 2 + right_mm * SIZE / 60)
    row = round(SIZE / 2 + down_mm * SIZE / 60)
    return panel[row - 3 : row + 4, column - 3 : column + 4].mean() > 230


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(
    ("ball_mm", "panel", "right_mm", "down_mm"),
    [
        ((18.0, 0.0, 0.0), 0, 18, 0),
        ((0.0, 18.0, 0.0), 0, 0, 18),
        ((18.0, 0.0, 0.0), 1, 18, 0),
        ((0.0, 0.0, 18.0), 1, 0, -18),
        ((0.0, 18.0, 0.0), 2, 18, 0),
        ((0.0, 0.0, 18.0), 2, 0, -18),
    ],
    ids=["axial L", "axial P", "coronal L", "coronal H", "sagittal P", "sagittal H"],
)
def test_each_letter_of_direction_is_on_its_side_of_the_patient(
    ball_mm, panel, right_mm, down_mm, flipped
):
    volume = volume_with_ball(ball_mm, flipped=flipped)
    shown = panels(png(finding_panels(volume, FINDING, load_config().report)))[panel]
    assert is_bright(shown, right_mm, down_mm)
    assert not is_bright(shown, -right_mm, -down_mm)


def test_the_ring_leaves_the_finding_itself_free():
    volume = volume_with_ball((0.0, 0.0, 0.0), flipped=False)
    for panel in panels(png(finding_panels(volume, FINDING, load_config().report))):
        middle = panel[SIZE // 2 - 12 : SIZE // 2 + 12, SIZE // 2 - 12 : SIZE // 2 + 12]
        assert (middle == 246).all()  # 100 HU in the lung window


def test_the_slice_of_the_key_image_goes_through_the_chosen_finding():
    volume = volume_with_ball((0.0, 0.0, 18.0), flipped=False)
    labels = np.zeros(volume.shape_zyx, np.uint8)
    labels[10:71, 10:71, 10:71] = 1
    working = WorkingVolume(volume.hu, labels, labels > 0, volume.affine)
    findings = [FINDING, replace(FINDING, centre_world_mm=(0.0, 0.0, 18.0))]

    def bright_in_the_slice(shown):
        content = key_picture(volume, working, findings, load_config().report, shown=shown)
        sheet = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        side = sheet.shape[0]  # the slice is the last square of the sheet
        middle = sheet[side // 2 - 4 : side // 2 + 4, -side // 2 - 4 : -side // 2 + 4]
        return middle.mean() > 230

    assert bright_in_the_slice(2)
    assert not bright_in_the_slice(1)
    assert not bright_in_the_slice(None)


def test_vessels_and_hila_are_not_blown_out_in_the_projection():
    lungs = np.full(10_000, -700)
    for vessels_hu in (50, 180, 400):
        projection = np.concatenate((lungs, np.full(5_000, vessels_hu)))
        black, white = projection_window_hu(projection)
        assert white >= vessels_hu + 150
        assert black == -750
    assert projection_window_hu(np.concatenate((lungs, np.full(5_000, 50))))[1] == 250


def test_metal_does_not_darken_the_projection():
    projection = np.concatenate((np.full(9_000, -700), np.full(1_000, 3000)))
    assert projection_window_hu(projection)[1] == 700


def test_a_projection_without_lungs_has_a_window():
    black, white = projection_window_hu(np.array([], np.int16))
    assert black < white


def test_labels_cover_neither_the_title_nor_the_scale_bar():
    edges = Edges("R", "L", "A", "P")
    for centre_px in ((40.0, 24.0), (170.0, 180.0)):
        rings = [(Ring(centre_px, 9.0, label),) for label in ("", "12")]
        plain, labelled = (
            np.asarray(annotation_layer((200, 200), 0.5, "axial  z 10 mm", edges, ring))
            for ring in rings
        )
        text = (plain == (*TEXT_COLOUR, 255)).all(axis=2)
        assert text.any()
        assert (labelled[text] == plain[text]).all()
        assert (labelled != plain).any()


def test_the_same_panel_gives_the_same_bytes():
    grey = np.zeros((60, 80), np.uint8)
    panel = Panel(grey, 1.0, "axial", Edges("R", "L", "A", "P"), (Ring((40, 30), 9, "1"),))
    assert png([panel]) == png([panel])
