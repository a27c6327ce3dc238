"""Which instances form a series that can become one volume."""
