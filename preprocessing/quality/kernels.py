"""Classifies reconstruction kernels by name: sharp ones are made for lung and bone."""

from __future__ import annotations

import re

_SHARP_NAMES = re.compile(r"LUNG|BONE|EDGE|SHARP|ULTRA|DETAIL|HRES|\bHR")
_SOFT_NAMES = re.compile(r"SOFT|STANDARD|STD|SMOOTH|CHST|CHEST|BRAIN")
_SIEMENS = re.compile(r"^[A-Z][A-Z]?(\d\d)[A-Z]?")
_SIEMENS_SHARP_FROM = 50
"""B10 to B46 are smooth to medium, B50 to B90 sharp; the Br, Bl, Qr families count alike."""
_TOSHIBA = re.compile(r"^FC(\d\d)")
_TOSHIBA_SHARP = frozenset({30, 31, *range(50, 60), *range(80, 90)})
"""FC50 to 59 are the lung kernels, FC30 and FC80 those for bone."""
_PHILIPS_SHARP = frozenset({"C", "D", "E", "L", "Y", "YA", "YB", "YC", "YD", "YE"})
_PHILIPS_SOFT = frozenset({"A", "B", "EB", "EC", "UA", "UB"})


def is_sharp_kernel(manufacturer: str, convolution_kernel: str) -> bool | None:
    """Returns whether a kernel is sharp, made for lung or bone; None if the name is unknown.

    Args:
        manufacturer: (0008,0070); the single letters of Philips have no meaning without it.
        convolution_kernel: (0018,1210), in the naming of GE, Siemens, Philips or Toshiba/Canon.
    """
    name = convolution_kernel.upper().strip()
    if _SHARP_NAMES.search(name):
        return True
    if _SOFT_NAMES.search(name):
        return False
    toshiba = _TOSHIBA.match(name)
    if toshiba:
        return int(toshiba[1]) in _TOSHIBA_SHARP
    siemens = _SIEMENS.match(name)
    if siemens:
        return int(siemens[1]) >= _SIEMENS_SHARP_FROM
    if "PHILIPS" in manufacturer.upper():
        return True if name in _PHILIPS_SHARP else False if name in _PHILIPS_SOFT else None
    return None
