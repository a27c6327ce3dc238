"""One study: the stages in order."""
