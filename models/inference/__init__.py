"""Detector, reducer, segmenter, rater and classifier, and the inference backends that run them."""
