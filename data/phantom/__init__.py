"""A digital chest with known answers."""

from data.phantom.histology import draw_nodule
from data.phantom.nodules import HISTOLOGIES, NoduleSpec, PaintedNodule, paint_nodule
from data.phantom.phantom import Phantom, PhantomNodule, make_phantom
from data.phantom.settings import SMALL, PhantomSettings

__all__ = [
    "HISTOLOGIES",
    "SMALL",
    "NoduleSpec",
    "PaintedNodule",
    "Phantom",
    "PhantomNodule",
    "PhantomSettings",
    "draw_nodule",
    "make_phantom",
    "paint_nodule",
]
