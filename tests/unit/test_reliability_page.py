"""docs/reliability.md names tests that exist."""

import re
import shlex

import pytest

from support import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\| `(tests/[^`]+)` \|", TEXT)


def test_every_row_has_its_command_and_its_count():
    rows = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(rows) - 1 == len(COMMANDS) >= 19
    assert [row for row in rows[1:] if len(row) != 4 or not re.search(r"\d", row[-1])] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_selects_tests(command):
    words = shlex.split(command)
    paths = [ROOT / word for word in words if word.startswith("tests/")]
    names = [
        f"{path.stem} {name}"
        for path in paths
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    ]
    wanted = words[words.index("-k") + 1].split(" or ") if "-k" in words else ["test_"]
    assert [word for word in wanted if not any(word in name for name in names)] == []
