"""How code is run, and what is seen of it."""
