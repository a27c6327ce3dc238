"""Slice positions, stacking, reorientation and resampling."""
