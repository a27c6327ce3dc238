"""Chains the stages over whole studies: study, runner, ledger, report, command line."""
