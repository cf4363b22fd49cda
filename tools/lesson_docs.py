"""Write the computed tables and the drawings of docs/lessons; `make docs` calls it."""

from __future__ import annotations

import diagram
from florilegium import lessons
from florilegium.files import write_text
from lesson_diagrams import DRAWINGS
from lesson_tables import ROOT, filled


def main() -> None:
    """Every page of a lesson, and every drawing."""
    for lesson in lessons.NUMBERS:
        path = ROOT / lessons.page(lesson)
        write_text(path, filled(path.read_text(encoding="utf-8")))
    for drawing in DRAWINGS:
        diagram.save(drawing(), ROOT / lessons.diagram(drawing.__name__))


if __name__ == "__main__":
    main()
