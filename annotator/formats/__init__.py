"""Files that other tools read and write: one module a format, found by `registry`."""
