"""SAM 2 as a stateless predictor."""
