"""Guidelines as data: what they propose for nodules and studies."""

from pipeline.guidelines.categories import (
    FindingCategory,
    StudyCategory,
    classify_finding,
    classify_study,
)
from pipeline.guidelines.facts import Courses, NoduleFacts
from pipeline.guidelines.reading import guideline_names, load_guideline
from pipeline.guidelines.schema import Guideline

__all__ = [
    "Courses",
    "FindingCategory",
    "Guideline",
    "NoduleFacts",
    "StudyCategory",
    "classify_finding",
    "classify_study",
    "guideline_names",
    "load_guideline",
]
