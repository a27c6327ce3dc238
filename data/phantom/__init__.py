"""A digital chest with known answers."""

from data.phantom.histology import draw_nodule
from data.phantom.nodule_spec import HISTOLOGIES, NoduleSpec
from data.phantom.nodules import PaintedNodule, paint_nodule
from data.phantom.phantom import Phantom, PhantomNodule, make_phantom
from data.phantom.settings import SMALL, PhantomSettings
from data.phantom.visit import Visit
from data.phantom.writing import NoduleTruth, PhantomTruth, truth_of, write_phantom

__all__ = [
    "HISTOLOGIES",
    "SMALL",
    "NoduleSpec",
    "NoduleTruth",
    "PaintedNodule",
    "Phantom",
    "PhantomNodule",
    "PhantomSettings",
    "PhantomTruth",
    "Visit",
    "draw_nodule",
    "make_phantom",
    "paint_nodule",
    "truth_of",
    "write_phantom",
]
