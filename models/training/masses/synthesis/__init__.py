"""Synthetic chests with masses: warping, opacities, insertion and a simulated scanner."""
