"""Synthetic nodules: their specification, shape, place and painting with known ground truth."""
