"""What is wrong and what would mend it: from a failure to a finding with candidate repairs."""

from metalens.worker.judge.judge import judge

__all__ = ["judge"]
