"""Training of the bundled checkpoint: scenes, loop, evaluation, export. See README.md."""
