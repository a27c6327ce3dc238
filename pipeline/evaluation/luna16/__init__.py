"""Evaluation by the LUNA16 protocol."""
