"""How code comes in: sliced, instrumented, with stand-ins for what is missing."""
