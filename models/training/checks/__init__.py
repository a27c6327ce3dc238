"""Checks of a training set and of trained detectors."""
