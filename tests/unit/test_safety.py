"""Files are data and never code, archives stay in their folder, and nothing listens: the source is searched."""

import ast

from support import ROOT

STEPS = sorted(path for folder in ("scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# What opens a port, or takes bytes for objects. A host's name comes from `socket` too, so that counts by its calls.
LISTENING = {"bind", "listen", "create_server", "start_server", "serve_forever"}
SERVERS = {"socketserver", "http", "xmlrpc", "asyncio", "flask", "tensorboard", "wandb", "dash", "bokeh"}
OBJECTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
ALLOWED = {"scripts/florilegium/state_dicts.py": {"pickle"}}  # the name of the error that torch raises


def calls(path):
    """(dotted name, keywords as source text) of every call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}


def imported(path):
    """Top-level names of what a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_every_torch_load_takes_data_only():
    loads = [(path, words) for path in STEPS + TESTS for name, words in calls(path) if name == "torch.load"]
    assert len(loads) >= 2
    assert [str(path) for path, words in loads if words.get("weights_only") != "True"] == []


def test_no_other_reader_takes_code():
    found = [(path.name, name, words) for path in STEPS for name, words in calls(path)]
    arrays = [words for _, name, words in found if name == "np.load"]
    assert arrays and not any("allow_pickle" in words for words in arrays)
    assert {words["Loader"] for _, name, words in found if name == "yaml.load"} <= {
        "yaml.BaseLoader",
        "yaml.SafeLoader",
    }
    unsafe = {"eval", "exec", "pd.read_pickle", "yaml.unsafe_load", "yaml.full_load", "numpy.load"}
    assert [(path, name) for path, name, _ in found if name in unsafe] == []


def test_archives_are_unpacked_in_one_place_and_with_its_filter():
    unpacking = ("extractall", "extract", "unpack_archive", "extract_archive", "download_and_extract_archive")
    found = [(path.name, words) for path in STEPS for name, words in calls(path) if name.split(".")[-1] in unpacking]
    assert found == [("downloads.py", {"filter": "plain"})]


def test_the_workflow_opens_no_port_and_reads_no_objects():
    found = {}
    for path in STEPS:
        name = str(path.relative_to(ROOT))
        found[name] = {*imported(path)} & (SERVERS | OBJECTS) - ALLOWED.get(name, set())
    assert {name: modules for name, modules in found.items() if modules} == {}
    assert [str(path) for path in STEPS for name, _ in calls(path) if name.split(".")[-1] in LISTENING] == []
