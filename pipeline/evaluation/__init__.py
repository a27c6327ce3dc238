"""Evaluations that can be quoted: detection by the LUNA16 protocol, and classification."""
