"""Files other tools read."""
