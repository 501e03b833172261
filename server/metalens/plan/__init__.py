"""From a file to the runs that explain it."""
