"""Evaluation of the four-class classification."""
