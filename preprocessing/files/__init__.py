"""Files, archives and paths: walking, reading, and writing atomically."""
