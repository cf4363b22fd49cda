"""Say whether two result folders come from the same inputs; `make same A=… B=…` calls it.

    python tools/same.py results ../elsewhere/results

Ends with status 0 when configuration, photographs, code and package versions are the same, else 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from florilegium.differences import differences
from florilegium.errors import UserError
from florilegium.files import read_json

# Heading, key in provenance.json, and whether it is an input: the machine is not, but may change the last digits.
PARTS = (
    ("configuration", "config", True),
    ("photographs", "dataset_sha256", True),
    ("code", "code_sha256", True),
    ("versions", "versions", True),
    ("hardware", "hardware", False),
)


def provenance_of(folder: str) -> dict[str, Any]:
    """The provenance.json of a result folder.

    Raises:
        UserError: the folder holds none.
    """
    path = Path(folder) / "provenance.json"
    if not path.exists():
        raise UserError(f"{path} does not exist; expected the `results` folder of a finished workflow")
    return read_json(path)


def compared(first: dict[str, Any], second: dict[str, Any]) -> tuple[list[str], bool]:
    """A line per part, its differences below it, and whether all inputs are the same."""
    lines, same = [], True
    for heading, key, is_input in PARTS:
        found = differences({heading: first.get(key)}, {heading: second.get(key)})
        lines.append(f"{heading}: {'different' if found else 'the same'}")
        lines += [f"    {text.removeprefix(f'{heading}.')}" for text in found]
        same = same and not (found and is_input)
    if "code: different" in lines:
        lines.append(f"    commit: {first.get('commit')} -> {second.get('commit')}")
    return lines, same


def main(arguments: list[str]) -> int:
    """Print the comparison of two folders; returns the exit status."""
    if len(arguments) != 2:
        raise UserError("two result folders are compared: make same A=results B=../elsewhere/results")
    lines, same = compared(*map(provenance_of, arguments))
    print("\n".join(lines))
    print("Both come from the same inputs." if same else "They come from different inputs.")
    return 0 if same else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"error: {error}")
