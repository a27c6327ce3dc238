"""Small volumes with original images, and the label files of others' forms."""

import numpy as np

from hounsfield.preprocessing.volume import SeriesFacts, SourceFrame, Volume

SPACING_MM = (0.5, 0.5, 2.0)
ORIGIN_MM = (-20.0, 10.0, 100.0)


def image_uid(index):
    return f"1.2.3.{index + 1}"


def volume_with_images(shape_zyx=(10, 60, 60), series_uid="1.2.3"):
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = ORIGIN_MM
    frames = []
    for index in range(shape_zyx[0]):
        frame = affine.copy()
        frame[2, 3] += index * SPACING_MM[2]
        frames.append(SourceFrame(image_uid(index), 1, frame))
    hu = np.zeros(shape_zyx, dtype=np.int16)
    return Volume(hu, affine, SeriesFacts("1.2", series_uid), tuple(frames))


def world_mm(x, y, z):
    return tuple(o + s * i for o, s, i in zip(ORIGIN_MM, SPACING_MM, (x, y, z), strict=True))


def square(low, high):
    return ((low, low), (high, low), (high, high), (low, high))


def lidc_xml(readers, *, series_uid="1.2.3", root="LidcReadMessage"):
    """Readers are lists of strings made by `lidc_nodule` and `lidc_point`."""
    sessions = "".join(f"<readingSession>{''.join(marks)}</readingSession>" for marks in readers)
    return (
        f'<?xml version="1.0"?><{root} xmlns="http://www.nih.gov"><ResponseHeader>'
        f"<SeriesInstanceUid>{series_uid}</SeriesInstanceUid></ResponseHeader>{sessions}</{root}>"
    )


def lidc_nodule(outlines, *, malignancy=None, texture=5):
    """Outlines are (image index, corners, inclusion)."""
    ratings = (
        f"<characteristics><texture>{texture}</texture><malignancy>{malignancy}</malignancy>"
        "</characteristics>"
        if malignancy
        else ""
    )
    rois = "".join(
        f"<roi><imageSOP_UID>{image_uid(index)}</imageSOP_UID>"
        f"<inclusion>{str(inclusion).upper()}</inclusion>"
        + "".join(
            f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in corners
        )
        + "</roi>"
        for index, corners, inclusion in outlines
    )
    return f"<unblindedReadNodule><noduleID>n</noduleID>{ratings}{rois}</unblindedReadNodule>"


def lidc_non_nodule(index, x, y):
    return (
        f"<nonNodule><nonNoduleID>1</nonNoduleID><imageSOP_UID>{image_uid(index)}</imageSOP_UID>"
        f"<locus><xCoord>{x}</xCoord><yCoord>{y}</yCoord></locus></nonNodule>"
    )


def voc_xml(*boxes):
    """Boxes are (letter, xmin, ymin, xmax, ymax)."""
    objects = "".join(
        f"<object><name>{letter}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for letter, x0, y0, x1, y1 in boxes
    )
    return f'<annotation verified="no">{objects}</annotation>'
