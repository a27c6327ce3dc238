"""The command line: options, calls and printing."""
