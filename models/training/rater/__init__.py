"""Training of the malignancy rater."""
