"""Which classification networks torchvision has, and their weights, read from its source without importing torch.

Planning a workflow must be instant, and importing torch takes seconds; the names stand in torchvision's files
as functions decorated with `@register_model()` whose `weights` argument names an enumeration.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

from florilegium.errors import UserError, nearest


@functools.cache
def networks() -> dict[str, list[str]]:
    """Every torchvision classification network and the names of its weights entries (DEFAULT left out).

    Raises:
        UserError: torchvision is not installed.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise UserError("torchvision is not installed in this Python: run `make setup`, or use `.venv/bin/snakemake`")
    found: dict[str, list[str]] = {}
    for source in sorted((Path(spec.origin).parent / "models").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        if "@register_model" in text:
            found.update(_networks_of(ast.parse(text)))
    return found


def _networks_of(module: ast.Module) -> dict[str, list[str]]:
    entries = {node.name: _enum_names(node) for node in module.body if isinstance(node, ast.ClassDef)}
    return {
        node.name: entries.get(_weights_class(node), [])
        for node in module.body
        if isinstance(node, ast.FunctionDef) and any("register_model" in ast.dump(d) for d in node.decorator_list)
    }


def _enum_names(node: ast.ClassDef) -> list[str]:
    names = [
        t.id for item in node.body if isinstance(item, ast.Assign) for t in item.targets if isinstance(t, ast.Name)
    ]
    return [name for name in names if name != "DEFAULT"]


def _weights_class(node: ast.FunctionDef) -> str:
    for argument in node.args.kwonlyargs + node.args.args:
        if argument.arg == "weights" and argument.annotation is not None:
            return next((n.id for n in ast.walk(argument.annotation) if getattr(n, "id", "").endswith("_Weights")), "")
    return ""


def check_network(architecture: str, weights: str, key: str = "architectures") -> None:
    """Refuse an architecture or a weights entry that torchvision does not have.

    Args:
        architecture: torchvision's name of a classification network.
        weights: name of a weights entry, a path (holds a `/` or ends in .pth or .pt) or `none`.
        key: of the config, where the architecture is named.

    Raises:
        UserError: names the key, what was found and the nearest names.
    """
    known = networks()
    if architecture not in known:
        raise UserError(
            f"{key}: torchvision has no classification network '{architecture}'{nearest(architecture, known)}"
        )
    if weights == "none" or is_path(weights):
        return
    if weights not in known[architecture]:
        raise UserError(
            f"weights.{architecture}: torchvision has no weights '{weights}' for {architecture}; "
            f"expected one of {', '.join(known[architecture])}, the path of a .pth file, or none"
        )


def is_path(weights: str) -> bool:
    """Whether a `weights` value of the config is the path of a file rather than a name."""
    return "/" in weights or weights.endswith((".pth", ".pt"))
