"""Tables; their readers raise `UsageError`."""

from __future__ import annotations

from functools import partial

from benchmarks.material.reader_inputs.reader_input import SERIES_UID, text_input
from hounsfield.data.readers.ct_table import read_ct_table
from hounsfield.data.readers.luna16 import read_candidates, read_findings
from hounsfield.data.readers.nodule_crop_files import read_nodule_crops
from hounsfield.data.readers.nsclc_radiomics import read_histology
from hounsfield.pipeline.evaluation.classification.evaluate import read_cases
from hounsfield.pipeline.evaluation.luna16 import input_tables

SCANS = input_tables.ScanList((SERIES_UID,), {7: SERIES_UID})

_POSITIONS = f"{SERIES_UID},10.5,12,6,5.5\n{SERIES_UID},-3,1e1,8,-1\n"

TABLES = (
    text_input(
        "luna16_annotations",
        "annotations.csv",
        f"seriesuid,coordX,coordY,coordZ,diameter_mm\n{_POSITIONS}",
        partial(read_findings, ignored=False),
    ),
    text_input(
        "luna16_candidates",
        "candidates.csv",
        f"seriesuid,coordX,coordY,coordZ,class\n{SERIES_UID},1,2,3,0\n{SERIES_UID},4,5,6,1\n",
        lambda path: read_candidates(path.parent),
    ),
    text_input(
        "ct_table",
        "table.csv",
        "path,patient_id,fold,x_mm,y_mm,z_mm,diameter_mm,histology,malignancy\n"
        "a,P1,2,1,2,3,8,adenocarcinoma,4\nb,P2,,,,,,,\n",
        read_ct_table,
    ),
    text_input(
        "nodule_crops",
        "nodules.csv",
        "file,patient_id,seriesuid,x_mm,y_mm,z_mm,diameter_mm,malignancy,texture,spiculation,"
        "calcification,readers\nn,P1,1.2,4,4,2,6,3,5,1,6,4\n",
        lambda path: read_nodule_crops(path.parent),
    ),
    text_input(
        "nsclc_histology",
        "clinical.csv",
        "PatientID,age,Histology\nP1,60,large cell\nP2,70,nos\n",
        lambda path: read_histology(path.parent),
    ),
    text_input(
        "scan_list", "seriesuids.csv", f"7,{SERIES_UID}\n8,1.2.4\n", input_tables.read_scan_list
    ),
    text_input(
        "evaluation_findings",
        "annotations.csv",
        f"seriesuid,coordX,coordY,coordZ,diameter_mm\n{_POSITIONS}",
        lambda path: input_tables.read_findings(path, SCANS),
    ),
    text_input(
        "evaluation_predictions",
        "predictions.csv",
        f"seriesuid,coordX,coordY,coordZ,probability\n{_POSITIONS}7,1,2,3,0.5\n",
        lambda path: input_tables.read_predictions(path, SCANS),
    ),
    text_input(
        "scan_facts",
        "facts.csv",
        f"seriesuid,slice_thickness_mm,scanner,origin_x_mm\n{SERIES_UID},2.5,GE,-100\n",
        lambda path: input_tables.read_scan_facts(path, SCANS),
    ),
    text_input(
        "classification_cases",
        "cases.csv",
        "patient_id,case_id,true_class,p_adenocarcinoma,p_large_cell_carcinoma,"
        "p_squamous_cell_carcinoma,p_normal,diameter_mm\nP1,1,normal,0.1,0.2,0.3,0.4,8\n",
        read_cases,
    ),
)
