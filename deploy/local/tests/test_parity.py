"""``algotrendy parity`` where there is nothing to compare: one line, and a status that is not 0."""

import pytest
from algotrendy_local.cli import app
from typer.testing import CliRunner


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no stack is running here"),
        (["--out", "report.pdf"], "neither .html nor .json"),
        (["--from", "2022-12-13T12:00", "--to", "2022-12-13T11:00"], "the range ends before it starts"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(tmp_path, arguments, said):
    ended = CliRunner().invoke(app, ["parity", *arguments, "--home", str(tmp_path)])
    assert ended.exit_code == 1
    assert said in ended.output
    assert len(ended.output.strip().splitlines()) == 1
