"""One phantom, scanned twice: in another position and breath, with changed nodules."""

from functools import cache

from hounsfield.data.phantom import NoduleSpec, PhantomSettings, Visit, make_phantom

DAYS, VOLUME_RATIO = 180, 2.5
FIRST = Visit(volume_ratio=(1.0, 0.0, 1.0, 1.0))
LATER = Visit(
    days=DAYS,
    breath_mm=-15.0,
    shift_mm=(6.0, -10.0, 8.0),
    turn_rad=0.05,
    volume_ratio=(VOLUME_RATIO, 1.0, 0.0, 1.0),
)
"""Of four nodules one grows, one is new, one disappears, one is stable."""

_SETTINGS = PhantomSettings(
    shape_zyx=(150, 128, 128),
    spacing_mm=(2.6, 2.6, 1.8),
    vessel_ends=1500,
    kernel="soft",
    contrast_hu=0.0,
)
_NODULES = [NoduleSpec(diameter_mm=mm) for mm in (16.0, 12.0, 15.0, 14.0)]


@cache
def scanned(visit, *, seed=7):
    """Makes the phantom of a visit, once per process."""
    return make_phantom(seed, settings=_SETTINGS, nodules=_NODULES, visit=visit)
