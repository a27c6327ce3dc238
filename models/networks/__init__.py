"""MONAI-built networks."""
