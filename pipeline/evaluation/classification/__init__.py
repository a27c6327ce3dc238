"""The evaluation of four-class classification."""
