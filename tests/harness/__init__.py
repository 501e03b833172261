"""What tests share: the language of the annotated fixtures, and their way through the engine."""

from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "fixtures"


def fixtures() -> list[str]:
    """The annotated files, by their path in the folder of fixtures."""
    return sorted(path.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("*.py"))
