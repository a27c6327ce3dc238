"""Measurements of segmented nodules: pure functions of HU and fraction of nodule."""
