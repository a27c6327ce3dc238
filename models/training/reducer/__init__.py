"""Training of the false-positive reducer."""
