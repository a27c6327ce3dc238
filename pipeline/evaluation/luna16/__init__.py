"""The LUNA16 evaluation."""
