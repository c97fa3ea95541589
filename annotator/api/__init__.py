"""The Python API: the model at work without a server. `import annotator` shows it."""
