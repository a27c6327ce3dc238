"""Annotations of one series; their readers raise `SeriesError`."""

from __future__ import annotations

import numpy as np

from benchmarks.material.reader_inputs.annotation_files import SHAPE_ZYX, write_rtstruct, write_seg
from benchmarks.material.reader_inputs.reader_input import SERIES_UID, ReaderInput, text_input
from hounsfield.data.annotations.tumour_contours import read_tumours, referenced_series
from hounsfield.data.annotations.xml_files import read_xml
from hounsfield.data.readers.lidc_idri import known_labels as lidc_labels
from hounsfield.data.readers.lidc_xml import read_lidc_xml
from hounsfield.data.readers.lung_pet_ct_dx import known_labels as boxed_labels
from hounsfield.preprocessing.volume import SeriesFacts, SourceFrame, Volume

LIDC_XML = (
    f'<?xml version="1.0" encoding="UTF-8"?><LidcReadMessage xmlns="http://www.nih.gov">'
    f"<ResponseHeader><SeriesInstanceUid>{SERIES_UID}</SeriesInstanceUid></ResponseHeader>"
    "<readingSession><unblindedReadNodule><noduleID>1</noduleID><characteristics>"
    "<texture>5</texture><malignancy>4</malignancy></characteristics>"
    + "".join(
        f"<roi><imageSOP_UID>{SERIES_UID}.{index}</imageSOP_UID><inclusion>TRUE</inclusion>"
        + "".join(
            f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>"
            for x, y in ((10, 10), (16, 10), (16, 16), (10, 16))
        )
        + "</roi>"
        for index in (3, 4)
    )
    + f"</unblindedReadNodule><nonNodule><imageSOP_UID>{SERIES_UID}.5</imageSOP_UID><locus>"
    "<xCoord>30</xCoord><yCoord>31</yCoord></locus></nonNodule></readingSession></LidcReadMessage>"
)

VOC_XML = (
    '<annotation verified="no"><object><name>A</name><bndbox><xmin>10</xmin><ymin>12</ymin>'
    "<xmax>20</xmax><ymax>22</ymax></bndbox></object></annotation>"
)


def tiny_volume() -> Volume:
    """An annotated series: 40 x 40 pixels of 1 mm, 8 images of 2 mm, with their UIDs."""
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    frames = []
    for index in range(SHAPE_ZYX[0]):
        place = affine.copy()
        place[2, 3] = 2.0 * index
        frames.append(SourceFrame(f"{SERIES_UID}.{index}", 1, place))
    facts = SeriesFacts("1.2", SERIES_UID, patient_id="P1")
    return Volume(np.full(SHAPE_ZYX, -800, np.int16), affine, facts, tuple(frames))


ANNOTATIONS = (
    text_input("xml", "a.xml", LIDC_XML, read_xml),
    text_input(
        "lidc_xml",
        "lidc.xml",
        LIDC_XML,
        lambda path: (r := read_lidc_xml(path)) and lidc_labels(r, tiny_volume()),
    ),
    text_input(
        "pascal_voc",
        f"{SERIES_UID}.3.xml",
        VOC_XML,
        lambda path: boxed_labels([path], tiny_volume()),
    ),
    ReaderInput(
        "rtstruct",
        write_rtstruct,
        lambda path: (referenced_series(path), read_tumours(path, tiny_volume())),
    ),
    ReaderInput(
        "dicom_seg",
        write_seg,
        lambda path: (referenced_series(path), read_tumours(path, tiny_volume())),
    ),
)
