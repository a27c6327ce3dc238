"""A small download in LUNA16's form: chests of half the size, which are quick to prepare."""

from functools import cache

import numpy as np

from tests.preprocessing.synthetic_chest import SyntheticChest


@cache
def small_chest():
    """HU ``[z, y, x]``, spacing and origin in mm."""
    volume = SyntheticChest().volume(noise_hu=0)
    return volume.hu, np.array(volume.spacing_mm) / 2, volume.affine[:3, 3] / 2


def write_mhd(folder, uid, *, shift_hu=0):
    hu, spacing, origin = small_chest()
    folder.mkdir(parents=True, exist_ok=True)
    header = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": " ".join(map(str, origin)),
        "ElementSpacing": " ".join(map(str, spacing)),
        "DimSize": " ".join(map(str, hu.shape[::-1])),
        "ElementType": "MET_SHORT",
        "ElementDataFile": f"{uid}.raw",
    }
    text = "".join(f"{name} = {value}\n" for name, value in header.items())
    (folder / f"{uid}.mhd").write_text(text)
    (folder / f"{uid}.raw").write_bytes((hu + np.int16(shift_hu)).astype("<i2").tobytes())


def write_tables(folder, *rows, excluded=()):
    """Writes rows of (series, x, y, z, diameter), LPS mm."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("annotations", rows), ("annotations_excluded", excluded)):
        lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm"]
        lines += [",".join(map(str, row)) for row in content]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
