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
        new = imported_files(waiting.pop()) - found
        found |= new
        waiting.extend(new)
    return sorted(str(path.relative_to(workflow.basedir)) for path in found)


@functools.cache  # every job reads the rules again, and most steps share most modules
def imported_files(path):
    """The modules of `florilegium` that a script, a module or the cells of a notebook import."""
    tree = ast.parse(code_of(path))
    modules = (
        SCRIPTS / "florilegium" / f"{name}.py" for name in imported_modules(tree)
    )
    return {module for module in modules if module.exists()}


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
