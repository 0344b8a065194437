"""One scenario in each module: `NODES`, `MINUTES`, `play(stage)`, and a docstring that `list` shows."""
