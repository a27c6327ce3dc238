"""Manifests and weights: where models are kept, imported and exported."""
