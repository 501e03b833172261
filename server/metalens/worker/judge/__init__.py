"""What is wrong and what would mend it: from a failure to a finding with candidate repairs."""

from metalens.worker.judge.judge import case_of, judge
from metalens.worker.judge.several import findings_of

__all__ = ["case_of", "findings_of", "judge"]
