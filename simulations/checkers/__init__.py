"""One property in each module; they believe facts (`simulations.facts`), never a daemon's own tables."""
