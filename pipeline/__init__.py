"""Chains the stages over whole studies: analysis, assessment, report, batch, command line."""
