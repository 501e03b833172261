"""How the results of a check are written: text for people, JSON for tools."""
