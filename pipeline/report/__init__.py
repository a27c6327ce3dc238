"""The report: documents with a schema, HTML and figures."""
