"""The lessons, their order and their pages. Planning imports this: it needs nothing but Python."""

from __future__ import annotations

from collections.abc import Sequence

COURSE = ("resnet18", "resnet50", "efficientnet_b0", "efficientnet_b3", "mobilenet_v2")  # in the course's order
NUMBERS = {"data": 1, **{name: number for number, name in enumerate(COURSE, 2)}, "comparison": 2 + len(COURSE)}
PAGES = "docs/lessons"


def page(lesson: str) -> str | None:
    """The page of a lesson, from the project's folder; None for a network that the course does not have."""
    return f"{PAGES}/{NUMBERS[lesson]}-{lesson}.md" if lesson in NUMBERS else None


def diagram(lesson: str) -> str:
    """The drawing on the page of a lesson."""
    return f"{PAGES}/images/{lesson}.svg"


def sources(lesson: str) -> list[str]:
    """The files of the project that a lesson's notebook shows besides results."""
    return [page(lesson), diagram(lesson)] if lesson in NUMBERS else []


def in_order(architectures: Sequence[str]) -> list[str]:
    """Those of the course in its order, then the others as they are listed."""
    return sorted(architectures, key=lambda name: NUMBERS.get(name, len(NUMBERS) + 1))


def previous(architecture: str, architectures: Sequence[str]) -> str | None:
    """The network of the lesson before, among those that run; None for the first."""
    names = in_order(architectures)
    place = names.index(architecture)
    return names[place - 1] if place else None
