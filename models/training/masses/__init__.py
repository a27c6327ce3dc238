"""Training of the mass detector."""
