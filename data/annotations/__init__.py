"""NoduleSegmentations, contours and segmentations by others, as voxels of a volume."""
