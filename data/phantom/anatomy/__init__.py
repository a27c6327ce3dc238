"""The body of a phantom: its organs, bones and vessels as fields on the grids."""
