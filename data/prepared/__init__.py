"""Prepared cases: cached volumes with their findings, and the split by patient."""
