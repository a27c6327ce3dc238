"""Notices about a series: noise, kernel, metal, contrast, coverage."""
