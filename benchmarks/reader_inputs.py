"""Tiny valid inputs for every reader of annotations, tables and documents, to be damaged.

Each `ReaderInput` makes its file in a folder and reads it with the reader of this project, labels
and all. Whatever is done to the file in between, only the project's exceptions may come out.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from hounsfield.data.annotations.tumour_contours import read_tumours, referenced_series
from hounsfield.data.annotations.xml_files import read_xml
from hounsfield.data.prepared.case import CaseFacts, load_facts
from hounsfield.data.prepared.held_out import read_held_out
from hounsfield.data.prepared.splits import read_split
from hounsfield.data.readers.ct_table import read_ct_table
from hounsfield.data.readers.lidc_idri import known_labels as lidc_labels
from hounsfield.data.readers.lidc_xml import read_lidc_xml
from hounsfield.data.readers.luna16 import read_candidates, read_findings
from hounsfield.data.readers.lung_pet_ct_dx import known_labels as boxed_labels
from hounsfield.data.readers.nodule_crop_files import read_nodule_crops
from hounsfield.data.readers.nsclc_radiomics import read_histology
from hounsfield.data.readers.phantoms import read_phantoms
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.store.folders import STORE, read_manifest, verified_weights
from hounsfield.models.training.configuration import read_training_config
from hounsfield.pipeline.config import CONFIGS_FOLDER, load_config
from hounsfield.pipeline.evaluation.classification.evaluate import read_cases
from hounsfield.pipeline.evaluation.luna16 import input_tables
from hounsfield.preprocessing.volume import SeriesFacts, SourceFrame, Volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERIES_UID = "1.2.3"
SHAPE_ZYX = (8, 40, 40)
SCANS = input_tables.ScanList((SERIES_UID,), {7: SERIES_UID})


@dataclass(frozen=True, slots=True)
class ReaderInput:
    """A valid input and its reader.

    Attributes:
        name: Names the reader in reports.
        make: Writes the input into an existing folder; returns the file to damage.
        read: Reads that file; raises `SeriesError` or `UsageError` alone.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]


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


def write_text(name: str, text: str, folder: Path) -> Path:
    """Writes a text file into a folder and returns its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


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


def _item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def _part10(modality: str, storage: str) -> Dataset:
    dataset = _item(SOPClassUID=storage, SOPInstanceUID="1.9", Modality=modality, PatientID="P1")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = storage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.9"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", "1.8"
    return dataset


def write_rtstruct(folder: Path) -> Path:
    """Writes an RTSTRUCT with one contour on each of two slices."""
    dataset = _part10("RTSTRUCT", RTStructureSetStorage)
    study = _item(RTReferencedSeriesSequence=[_item(SeriesInstanceUID=SERIES_UID)])
    dataset.ReferencedFrameOfReferenceSequence = [_item(RTReferencedStudySequence=[study])]
    dataset.StructureSetROISequence = [_item(ROINumber=1, ROIName="GTV-1")]
    contours = [
        _item(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=4,
            ContourData=["10", "10", z, "16", "10", z, "16", "16", z, "10", "16", z],
        )
        for z in ("6", "8")
    ]
    dataset.ROIContourSequence = [_item(ReferencedROINumber=1, ContourSequence=contours)]
    path = folder / "rtstruct.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_seg(folder: Path) -> Path:
    """Writes a binary segmentation of two frames."""
    dataset = _part10("SEG", SegmentationStorage)
    dataset.ReferencedSeriesSequence = [_item(SeriesInstanceUID=SERIES_UID)]
    dataset.SegmentSequence = [_item(SegmentNumber=1, SegmentLabel="GTV-1")]
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[_item(PixelSpacing=[1.0, 1.0])],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, z])],
            SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)],
        )
        for z in (6, 8)
    ]
    frames = np.zeros((2, *SHAPE_ZYX[1:]), bool)
    frames[:, 10:16, 20:26] = True
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset["PixelData"].VR = "OB"
    path = folder / "seg.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_model(folder: Path) -> Path:
    """Writes the manifest of the shipped segmenter, beside its weights and graph."""
    for source in (STORE / "nodule_segmenter").iterdir():
        if source.name != "manifest.json":
            (folder / source.name).write_bytes(source.read_bytes())
    text = (STORE / "nodule_segmenter" / "manifest.json").read_text(encoding="utf-8")
    return write_text("manifest.json", text, folder)


def write_weights(folder: Path) -> Path:
    """Writes the shipped segmenter's weights without gzip, for `read_any_weights`."""
    packed = (STORE / "nodule_segmenter" / "weights.safetensors.gz").read_bytes()
    path = folder / "weights.safetensors"
    path.write_bytes(gzip.decompress(packed))
    return path


def read_any_weights(path: Path) -> object:
    """Loads weights into the shipped segmenter after making their checksum fit."""
    import hashlib

    facts = json.loads((STORE / "nodule_segmenter" / "manifest.json").read_text(encoding="utf-8"))
    facts |= {"weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    write_text("manifest.json", json.dumps(facts), path.parent)
    graph = (STORE / "nodule_segmenter" / "graph.onnx").read_bytes()
    (path.parent / "graph.onnx").write_bytes(graph)
    return load_segmenter(path.parent, threads=1, runtime="openvino")


def _case_document() -> str:
    rows = tuple(map(tuple, np.eye(4).tolist()))
    finding = {"centre_world_mm": (1.0, 2.0, 3.0), "diameter_mm": 5.0, "malignancy": 4.0}
    facts = CaseFacts(
        version=3,
        series_uid=SERIES_UID,
        patient_id="P1",
        synthetic=False,
        affine=rows,
        findings=(finding,),
        origin={"voxels_sha256": "a"},
    )
    return facts.model_dump_json()


def _split_document() -> str:
    entry = {"series_uid": SERIES_UID, "patient_id": "P1", "case": "cases/1", "fold": 0}
    return json.dumps({"dataset": "luna16", "series": [{**entry, "voxels_sha256": "a"}]})


def _text_input(name: str, file: str, text: str, read: Callable[[Path], object]) -> ReaderInput:
    return ReaderInput(name, partial(write_text, file, text), read)


_POSITIONS = f"{SERIES_UID},10.5,12,6,5.5\n{SERIES_UID},-3,1e1,8,-1\n"

ANNOTATIONS = (
    _text_input("xml", "a.xml", LIDC_XML, read_xml),
    _text_input(
        "lidc_xml",
        "lidc.xml",
        LIDC_XML,
        lambda path: (r := read_lidc_xml(path)) and lidc_labels(r, tiny_volume()),
    ),
    _text_input(
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
"""Annotations of one series; their readers raise `SeriesError`."""

TABLES = (
    _text_input(
        "luna16_annotations",
        "annotations.csv",
        f"seriesuid,coordX,coordY,coordZ,diameter_mm\n{_POSITIONS}",
        partial(read_findings, ignored=False),
    ),
    _text_input(
        "luna16_candidates",
        "candidates.csv",
        f"seriesuid,coordX,coordY,coordZ,class\n{SERIES_UID},1,2,3,0\n{SERIES_UID},4,5,6,1\n",
        lambda path: read_candidates(path.parent),
    ),
    _text_input(
        "ct_table",
        "table.csv",
        "path,patient_id,fold,x_mm,y_mm,z_mm,diameter_mm,histology,malignancy\n"
        "a,P1,2,1,2,3,8,adenocarcinoma,4\nb,P2,,,,,,,\n",
        read_ct_table,
    ),
    _text_input(
        "nodule_crops",
        "nodules.csv",
        "file,patient_id,seriesuid,x_mm,y_mm,z_mm,diameter_mm,malignancy,texture,spiculation,"
        "calcification,readers\nn,P1,1.2,4,4,2,6,3,5,1,6,4\n",
        lambda path: read_nodule_crops(path.parent),
    ),
    _text_input(
        "nsclc_histology",
        "clinical.csv",
        "PatientID,age,Histology\nP1,60,large cell\nP2,70,nos\n",
        lambda path: read_histology(path.parent),
    ),
    _text_input(
        "scan_list", "seriesuids.csv", f"7,{SERIES_UID}\n8,1.2.4\n", input_tables.read_scan_list
    ),
    _text_input(
        "evaluation_findings",
        "annotations.csv",
        f"seriesuid,coordX,coordY,coordZ,diameter_mm\n{_POSITIONS}",
        lambda path: input_tables.read_findings(path, SCANS),
    ),
    _text_input(
        "evaluation_predictions",
        "predictions.csv",
        f"seriesuid,coordX,coordY,coordZ,probability\n{_POSITIONS}7,1,2,3,0.5\n",
        lambda path: input_tables.read_predictions(path, SCANS),
    ),
    _text_input(
        "scan_facts",
        "facts.csv",
        f"seriesuid,slice_thickness_mm,scanner,origin_x_mm\n{SERIES_UID},2.5,GE,-100\n",
        lambda path: input_tables.read_scan_facts(path, SCANS),
    ),
    _text_input(
        "classification_cases",
        "cases.csv",
        "patient_id,case_id,true_class,p_adenocarcinoma,p_large_cell_carcinoma,"
        "p_squamous_cell_carcinoma,p_normal,diameter_mm\nP1,1,normal,0.1,0.2,0.3,0.4,8\n",
        read_cases,
    ),
)
"""Tables; their readers raise `UsageError`."""

DOCUMENTS = (
    _text_input(
        "run_config",
        "run.yaml",
        (CONFIGS_FOLDER / "default.yaml").read_text(encoding="utf-8"),
        lambda path: load_config(str(path)),
    ),
    _text_input(
        "training_config",
        "train.yaml",
        (CONFIGS_FOLDER / "train_detector.yaml").read_text(encoding="utf-8"),
        read_training_config,
    ),
    _text_input(
        "held_out",
        "held_out.yaml",
        (CONFIGS_FOLDER / "data" / "held_out.yaml").read_text(encoding="utf-8"),
        read_held_out,
    ),
    _text_input("phantom_set", "phantoms.yaml", "first: 1\ncount: 2\n", read_phantoms),
    _text_input(
        "prepared_case", "case.json", _case_document(), lambda path: load_facts(path.parent)
    ),
    _text_input("split", "split.json", _split_document(), lambda path: read_split(path.parent)),
    ReaderInput(
        "manifest",
        write_model,
        lambda path: (read_manifest(path.parent), verified_weights(path.parent)),
    ),
)
"""YAML and JSON documents; their readers raise `UsageError`."""

WEIGHTS = (ReaderInput("weights", write_weights, read_any_weights),)
"""Weights whose checksum is made to fit; their reader raises `UsageError`."""

INPUTS = (*ANNOTATIONS, *TABLES, *DOCUMENTS, *WEIGHTS)
