"""The language of the fixtures itself: reading and writing it, and that every fixture is written in it."""

import pytest

from harness import FIXTURES, fixtures
from harness.annotations import Annotated, Annotation, Span, read, write

EXAMPLE = """\
class Net(nn.Module):
#< lens: 4,458 parameters
    def forward(self, image):
        x = self.head(image)
#       ^ hover: `x` [32, 10]
#           ^^^^^^^^^^^^^^^^ error[linear-in-features]: head expects 400 input features, got 14400
#                          | fix: Change in_features of head to 14400
#                          |
#                          | the end
        return torch.cat([
#              ^^^^^^^^^^^> error![cat-dim]: what it says
#                        ! what it should say
            x,
        ])
# an ordinary comment
net(torch.randn(4))
#<^^^^^^^^^^^^^^^^^ missed![input-rank]
#                 ! not found yet
"""


def test_reads_what_is_said_of_each_line_of_code():
    annotated = read(EXAMPLE)
    assert [line for line in annotated.code if line.startswith("#")] == ["# an ordinary comment"]
    assert annotated.annotations == (
        Annotation(0, None, "lens", text=("4,458 parameters",)),
        Annotation(2, Span(8, 9), "hover", text=("`x` [32, 10]",)),
        Annotation(
            2,
            Span(12, 28),
            "error",
            "linear-in-features",
            (
                "head expects 400 input features, got 14400",
                "fix: Change in_features of head to 14400",
                "",
                "the end",
            ),
        ),
        Annotation(3, Span(15, 26, open=True), "error", "cat-dim", ("what it says",), True, ("what it should say",)),
        Annotation(7, Span(0, 19), "missed", "input-rank", (), True, ("not found yet",)),
    )


def test_knows_where_the_code_stands_in_the_file():
    lines = EXAMPLE.split("\n")
    annotated = read(EXAMPLE)
    assert {lines[number] for number in annotated.code_lines()} == set(annotated.code)
    assert all(lines[number] == annotated.code[index] for number, index in annotated.code_lines().items())


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        EXAMPLE.rstrip("\n"),
        EXAMPLE.replace("\n", "\r\n"),
        "",
        "\n",
        "x = 1",
        "x = 1\n#   ^ hover",
        "x = 1\n#< model: traced\n#| and more\n#! though",
        "#^^ stands above nothing, and is no annotation without a space\n",
        "x = 1\n#| continues nothing\n",
    ],
)
def test_writes_what_it_read(text):
    assert write(read(text)) == text


def test_an_annotation_needs_code_above():
    with pytest.raises(ValueError, match="above all code"):
        read("#   ^ hover: nothing\nx = 1\n")


@pytest.mark.parametrize("end", [1, 2])
def test_some_ranges_cannot_be_shown(end):
    with pytest.raises(ValueError, match="carets cannot show"):
        write(Annotated(("ab",), (Annotation(0, Span(0, end), "hover"),)))


@pytest.mark.parametrize("name", fixtures())
def test_every_fixture_is_written_in_it(name):
    """Byte for byte, and every line that looks like an annotation is one."""
    data = (FIXTURES / name).read_bytes()
    annotated = read(data.decode())
    assert write(annotated).encode() == data
    assert [line for line in annotated.code if line.startswith("#") and "^" in line] == []
