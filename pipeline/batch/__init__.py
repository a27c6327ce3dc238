"""Many studies: plan, scheduler, workers, ledger, output folder, tables."""
