"""`Report`: the document of an analysed series, `report.json`; versioned, with a JSON schema."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hounsfield.models.findings import ConfidenceBand, Lung, NoduleClass, Zone
from hounsfield.pipeline.report.growth_schema import GrowthDocument
from hounsfield.preprocessing.codes import NoticeCode, Verdict
from hounsfield.preprocessing.documents import Strict

RESEARCH_USE = "Research use only. Not a medical device."
RESEARCH_CLASSES = (
    "The classes come from research demonstration weights that were not validated on histology; "
    "they are no diagnosis."
)


class NoticeDocument(BaseModel):
    """A notice; its numbers stand beside the sentence, with units in the keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    code: NoticeCode
    message: str


class SeriesDocument(Strict):
    """Header facts and geometry of the series; never a person's name."""

    study_uid: str
    series_uid: str
    patient_id: str
    patient_sex: str
    patient_age_years: float | None
    study_date: str
    study_description: str
    series_description: str
    series_number: int | None
    manufacturer: str
    manufacturer_model_name: str
    convolution_kernel: str
    kvp: float | None
    contrast_bolus_agent: str
    slice_thickness_mm: float | None
    format: str
    files: int
    shape_zyx: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] = Field(description="Along x, y, z of the array.")
    orientation: str


class CandidateDocument(Strict):
    """A place that the detector proposes."""

    centre_world_mm: tuple[float, float, float] = Field(description="x, y, z in LPS mm.")
    diameter_mm: float
    score: float = Field(ge=0, le=1)


class SourceDocument(Strict):
    """The centre on the original image; pixels are counted from 0 at the first one's centre."""

    sop_instance_uid: str
    frame_number: int
    column: float
    row: float


class LocationDocument(Strict):
    """Lung side, the patient's own, and zone."""

    lung: Lung
    zone: Zone


class RiskDocument(Strict):
    """Probability of cancer by a published model, 0 to 1; a range where an input is missing."""

    model: str
    source: str
    lower: float = Field(ge=0, le=1)
    upper: float = Field(ge=0, le=1)
    used: dict[str, float | str | bool]
    missing: tuple[str, ...]
    cautions: tuple[str, ...] = Field(
        default=(), description="What is unusual in the patient for this model."
    )


class GuidelineDocument(Strict):
    """The categories that a guideline proposes for the study and for each finding."""

    name: str
    title: str
    source: str
    category: str | None = Field(description="None where the guideline gives none.")
    meaning: str
    follow_up: tuple[str, ...]
    not_assessed: tuple[str, ...]
    driven_by: tuple[int, ...] = Field(description="Numbers of the findings that decide.")
    findings: tuple[str, ...] = Field(
        description="Category of each finding, in their order; empty text where there is none."
    )
    outside_population: str | None = Field(
        default=None,
        description="Why the guideline is not for this patient, and gives no category.",
    )
    cautions: tuple[str, ...] = Field(
        default=(),
        description="What is unusual in the patient, or not known, for this guideline.",
    )


class ActivationMapDocument(Strict):
    """Class activation map: evidence for the likeliest class, and against it."""

    picture: str = Field(description="File beside the report: over the CT, in three planes.")
    file: str = Field(description="File beside the report: NIfTI, above 0 for the class.")


class FindingDocument(CandidateDocument):
    """A candidate that is kept and reported."""

    finding: int = Field(ge=1, description="Number in the report, best score first.")
    class_probabilities: dict[NoduleClass, float]
    confidence_band: ConfidenceBand
    location: LocationDocument
    source: SourceDocument | None
    measurements: dict[str, float | str] = Field(description="By name; empty where not measured.")
    malignancy: float | None = Field(
        default=None, ge=0, le=1, description="Probability of a reader's rating of 4 or 5."
    )
    risks: tuple[RiskDocument, ...] = ()
    notices: tuple[NoticeDocument, ...]
    picture: str = Field(description="File beside the report.")
    activation_map: ActivationMapDocument | None = Field(
        default=None, description="None where there is none."
    )

    @property
    def likeliest_class(self) -> NoduleClass:
        """The class with the largest probability; the first in order where they tie."""
        return max(NoduleClass, key=lambda name: self.class_probabilities[name])


class StudyClassDocument(Strict):
    """Class of the study; probabilities, band and finding are None where nothing was found."""

    likeliest_class: NoduleClass
    class_probabilities: dict[NoduleClass, float] | None = None
    confidence_band: ConfidenceBand | None = None
    finding: int | None = Field(default=None, description="Number of the finding that decides.")
    rule: str = Field(description="How the class was derived, in a sentence.")


class ModelDocument(Strict):
    """The weights that were used."""

    role: Literal["detector", "reducer", "segmenter", "rater", "classifier"]
    name: str
    version: str
    sha256: str


class ProvenanceDocument(Strict):
    """The version, weights and configuration that make the same report again."""

    hounsfield_version: str
    models: tuple[ModelDocument, ...]
    config_sha256: str
    operating_point: str
    score_threshold: float
    detector_spacing_mm: tuple[float, float, float] = Field(description="Along x, y, z.")
    clinical_sha256: str | None = Field(default=None, description="Hash of --clinical's table.")
    fingerprint: str = Field(
        description="Hash of version, weights, configuration and clinical data."
    )


class TimesDocument(Strict):
    """The only part that differs between two runs on the same input."""

    finished_at: str = Field(description="ISO 8601, UTC.")
    seconds: dict[str, float] = Field(description="By stage.")
    peak_memory_mb: float


class Report(Strict):
    """The report of one series."""

    version: Literal[2] = 2
    verdict: Verdict
    series: SeriesDocument
    notices: tuple[NoticeDocument, ...]
    findings: tuple[FindingDocument, ...] = Field(description="Best score first.")
    study_class: StudyClassDocument | None = Field(
        default=None, description="None in reports of versions that gave none."
    )
    candidates: tuple[CandidateDocument, ...] = Field(description="Kept or not; best score first.")
    guidelines: tuple[GuidelineDocument, ...] = ()
    refused_risks: tuple[str, ...] = Field(
        default=(), description="Why a risk model gives no probability for this patient."
    )
    growth: GrowthDocument | None = Field(
        default=None, description="None where the input holds no other study of the patient."
    )
    provenance: ProvenanceDocument
    times: TimesDocument
    remarks: tuple[str, ...] = (RESEARCH_USE, RESEARCH_CLASSES)

    def as_json(self) -> str:
        """Indented JSON with a final newline."""
        return self.model_dump_json(indent=2) + "\n"
