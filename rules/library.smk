# What a step is made of: its script or notebook, and the modules that these import, are inputs of its rule.
import ast

NOTEBOOKS = Path(workflow.basedir) / "notebooks"


def library(step):
    """A step's script or notebook and the library modules that it imports, also by way of others.

    An edit of one re-runs the step.
    """
    script, notebook = SCRIPTS / f"{step}.py", NOTEBOOKS / f"{step}.py.ipynb"
    found = {script if script.exists() else notebook}
    waiting = list(found)
    while waiting:
        tree = ast.parse(code_of(waiting.pop()))
        for module in imported_modules(tree):
            path = SCRIPTS / "florilegium" / f"{module}.py"
            if path.exists() and path not in found:
                found.add(path)
                waiting.append(path)
    return sorted(str(path.relative_to(workflow.basedir)) for path in found)


def code_of(path):
    """The Python of a script, or of all cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
    )


def imported_modules(tree):
    """Names of the modules of `florilegium` that a parsed file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "florilegium":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "florilegium."
        ):
            yield node.module.split(".")[1]
