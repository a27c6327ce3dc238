"""Labels of rings stay apart, inside the panel, and belong visibly to their ring."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.pipeline.report.figures.label_placement import (
    CLEARLY_NEARER_PX,
    MAX_BESIDE_PX,
    gaps_px,
    place_labels,
)

SIZE = (16.0, 14.0)
TITLE = (7.0, 7.0, 120.0, 20.0)


@st.composite
def panels(draw):
    """A panel as large as those of the key image or smaller, and up to 50 rings in it."""
    width, height = draw(st.integers(250, 500)), draw(st.integers(250, 500))
    circle = st.tuples(st.floats(-20, width + 20), st.floats(-20, height + 20), st.floats(3, 90))
    crowd = st.tuples(st.floats(100, 110), st.floats(100, 110), st.floats(5, 8))
    return (width, height), draw(st.lists(circle | crowd, max_size=50))


def overlap(first, second):
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )


@settings(max_examples=60, deadline=None)
@given(panels())
def test_labels_of_any_rings_are_disjoint_inside_the_panel_and_off_the_title(example):
    (width, height), circles = example
    labels = place_labels(circles, [SIZE] * len(circles), (width, height), reserved=[TITLE])
    assert len(labels) == len(circles)
    assert None not in labels
    boxes = [label.box for label in labels]
    for number, box in enumerate(boxes):
        assert (box[2] - box[0], box[3] - box[1]) == pytest.approx(SIZE)
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= width
        assert box[3] <= height
        assert not overlap(box, TITLE)
        assert not any(overlap(box, other) for other in boxes[:number])


@settings(max_examples=60, deadline=None)
@given(panels())
def test_a_label_without_a_leader_line_is_clearly_nearest_to_its_own_ring(example):
    panel, circles = example
    labels = place_labels(circles, [SIZE] * len(circles), panel)
    for index, label in enumerate(labels):
        gaps = gaps_px(np.array([label.box]), np.array(circles))[0]
        if label.leader is None:
            assert gaps[index] <= MAX_BESIDE_PX
            others = np.delete(gaps, index)
            assert (others >= gaps[index] + CLEARLY_NEARER_PX).all()


@settings(max_examples=60, deadline=None)
@given(panels())
def test_a_leader_line_runs_from_the_ring_to_the_label(example):
    panel, circles = example
    labels = place_labels(circles, [SIZE] * len(circles), panel)
    for (column, row, radius), label in zip(circles, labels, strict=True):
        if label.leader is not None:
            left, top, right, bottom = label.box
            assert math.hypot(label.leader[0] - column, label.leader[1] - row) == pytest.approx(
                radius
            )
            assert left <= label.leader[2] <= right
            assert top <= label.leader[3] <= bottom


@settings(max_examples=20, deadline=None)
@given(panels())
def test_the_same_rings_give_the_same_labels(example):
    panel, circles = example
    sizes = [SIZE] * len(circles)
    assert place_labels(circles, sizes, panel) == place_labels(circles, sizes, panel)


def test_a_ring_alone_has_its_label_at_the_upper_right_without_a_line():
    (label,) = place_labels([(100, 100, 20)], [SIZE], (200, 200))
    assert label.leader is None
    assert label.box[0] > 100
    assert label.box[3] < 100


def test_labels_of_rings_on_one_another_get_leader_lines():
    labels = place_labels([(100, 100, 20), (100, 100, 20)], [SIZE] * 2, (300, 300))
    assert all(label.leader is not None for label in labels)


def test_a_panel_without_room_leaves_the_label_out():
    labels = place_labels([(10, 10, 3), (12, 10, 3)], [SIZE] * 2, (20, 20))
    assert labels[0] is not None
    assert labels[1] is None
