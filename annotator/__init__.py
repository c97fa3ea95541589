"""Click-to-segment image annotation with SAM 2."""

__version__ = "0.1.0"
