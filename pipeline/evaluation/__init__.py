"""Evaluations that can be quoted: detection by the LUNA16 protocol, and classification."""

from hounsfield.pipeline.evaluation.classification_command import (
    classification_command,
    classification_summary,
)
from hounsfield.pipeline.evaluation.luna16_command import luna16_command, luna16_summary

__all__ = [
    "classification_command",
    "classification_summary",
    "luna16_command",
    "luna16_summary",
]
