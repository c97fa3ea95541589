"""The REST routes under /api."""
