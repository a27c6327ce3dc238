"""One YAML file for each way of running or training; every default is visible here."""
