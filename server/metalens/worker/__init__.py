"""The guest house: it runs in the user's interpreter, on the standard library and torch alone."""
