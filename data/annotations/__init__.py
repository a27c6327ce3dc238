"""Annotation formats of others: outlines, contours, segmentations, boxes."""
