"""Training of the RetinaNet of the MONAI bundle."""
