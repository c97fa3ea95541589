"""The model at work: the interface that serves it, and its implementations."""
