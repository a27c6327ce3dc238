"""Segmentation of the lungs, the airways and opaque lung."""
