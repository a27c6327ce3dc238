"""Guidelines as data, and the categories that they give to nodules and studies."""

from hounsfield.pipeline.assessment.guidelines.categories import (
    FindingCategory,
    StudyCategory,
    classify_finding,
    classify_study,
)
from hounsfield.pipeline.assessment.guidelines.facts import IntervalChanges, NoduleFacts
from hounsfield.pipeline.assessment.guidelines.reading import guideline_names, load_guideline
from hounsfield.pipeline.assessment.guidelines.schema import Guideline

__all__ = [
    "FindingCategory",
    "Guideline",
    "IntervalChanges",
    "NoduleFacts",
    "StudyCategory",
    "classify_finding",
    "classify_study",
    "guideline_names",
    "load_guideline",
]
