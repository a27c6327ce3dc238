"""Which outline a finding's size is taken from."""

import numpy as np
import pytest

from models.contracts import Outlines
from models.outlines import outline
from tests.models.balls import a_ball_volume


class TwoEdges:
    """Outlines the same two balls whatever it is shown."""

    def __init__(self, exact, drawn):
        self.answer = Outlines(exact, drawn)

    def segment(self, _volume, candidates):
        return [self.answer] * len(candidates)


@pytest.mark.parametrize(
    ("core_mm", "around_hu", "takes_drawn"), [(9.0, -600, True), (16.0, -850, False)]
)
def test_a_part_solid_nodule_is_as_large_as_readers_outline_it_and_a_solid_one_is_not(
    core_mm, around_hu, takes_drawn
):
    volume, wide = a_ball_volume(18.0, inside_hu=around_hu)
    _, core = a_ball_volume(core_mm)
    hu = np.where(core.share >= 0.5, 30, volume.hu).astype(np.int16)
    seen = type(volume)(hu, volume.affine, volume.series)
    (nodule,) = outline(TwoEdges(core, wide), seen, [None])
    assert nodule.sized is (wide if takes_drawn else core)
    assert nodule.drawn is wide
    assert nodule.as_drawn().sized is wide


def test_what_has_no_true_edge_has_no_size():
    volume, wide = a_ball_volume(18.0, inside_hu=-600)
    (nodule,) = outline(TwoEdges(None, wide), volume, [None])
    assert nodule.sized is None
    assert nodule.drawn is wide
    (nothing,) = outline(TwoEdges(None, None), volume, [None])
    assert nothing.sized is nothing.density is None
