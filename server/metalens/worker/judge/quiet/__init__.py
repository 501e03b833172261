"""Mistakes that do not crash: calls that went well and do what nobody can have wanted. Each is a warning or less.

One file holds one idea. `watch.py` looks on while the model runs and asks the ideas of each torch function;
`registration.py` and `unused.py` look at the models when the run is over.
"""

from metalens.worker.judge.quiet.watch import Watch

__all__ = ["Watch"]
