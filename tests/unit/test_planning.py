"""Planning is instant, and a step is re-run by exactly the modules that it loads."""

import ast
import functools
import json
import re
import subprocess
import sys

import pytest
import torchvision
import yaml

from florilegium import catalogue, configuration
from florilegium.errors import UserError

HEAVY = {"torch", "torchvision", "onnx", "onnxruntime"}


def test_the_catalogue_is_what_torchvision_lists():
    assert sorted(catalogue.networks()) == torchvision.models.list_models(module=torchvision.models)


@pytest.mark.parametrize("name", torchvision.models.list_models(module=torchvision.models))
def test_the_catalogue_has_the_weights_entries_of_torchvision(name):
    assert catalogue.networks()[name] == [
        entry
        for entry in torchvision.models.get_model_weights(name).__members__
        if entry != "DEFAULT"  # an alias that moves with torchvision
    ]


def test_paths_and_names_of_weights_are_told_apart():
    assert [catalogue.is_path(text) for text in ("a/b", "b.pth", "b.pt", "IMAGENET1K_V1", "none")] == [1, 1, 1, 0, 0]
    catalogue.check_network("resnet18", "any/file")
    with pytest.raises(UserError, match="weights.resnet18.*expected one of IMAGENET1K_V1"):
        catalogue.check_network("resnet18", "IMAGENET1K_V2")


def loaded_by(statements, project):
    """Names of the modules in a fresh interpreter after some statements, one set for each of them."""
    code = (
        "import json, sys\n"
        f"sys.path[:0] = [{str(project / 'scripts')!r}, {str(project / 'scripts' / 'florilegium' / '..')!r}]\n"
        "found = []\n"
        f"for statement in {statements!r}:\n"
        "    for name in [name for name in sys.modules if name.split('.')[0] == 'florilegium']:\n"
        "        del sys.modules[name]\n"
        "    exec(statement, {'__name__': 'step'})\n"
        "    found.append(sorted(sys.modules))\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(done.stdout.splitlines()[-1])]


def rule_files(project):
    return [project / "Snakefile", *sorted((project / "rules").glob("*.smk"))]


def planning_imports(project):
    """The import lines of the Snakefile and the rules that need no Snakemake."""
    lines = [line for path in rule_files(project) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line.strip() for line in lines if re.match(r"(from|import) (florilegium|pandas|numpy|pathlib|ast)", line)]


def test_planning_imports_no_torch(project):
    imports = planning_imports(project)
    assert any("configuration" in line for line in imports)
    check = (
        "import yaml\nfrom florilegium import configuration\n"
        f"configuration.complete(yaml.safe_load(open({str(project / 'config.yaml')!r})))"
    )
    (loaded,) = loaded_by(["\n".join([*imports, check])], project)
    assert loaded & HEAVY == set()


LIGHT = (
    "configuration",
    "configuration_page",
    "schema",
    "catalogue",
    "manifest",
    "audit_page",
    "model_card",
    "model_card_text",
    "bundle",
    "provenance_page",
    "start_page",
    "lessons",
    "lesson_pages",
    "lesson_results",
    "lesson_figures",
    "jupyter",
    "figures",
    "comparison_figures",
    "training_figures",
    "choice_figures",
    "gain_figures",
    "recipes",
    "recipe_figures",
    "differences",
    "pair_figures",
    "paired",
    "agreement",
    "ensembles",
    "pareto",
    "scaling",
    "course",
    "selection",
    "selection_page",
    "style",
    "metrics",
    "intervals",
    "calibration",
    "selective",
    "galleries",
    "evaluation_figures",
    "explanation_figures",
    "formats",
    "format_figures",
    "memory",
    "engine_worker",
    "onnx_sessions",
    "files",
    "errors",
)


def test_plotting_and_comparing_import_no_torch(project):
    modules = [*LIGHT, *(path.stem for path in (project / "scripts" / "florilegium").glob("comparison*.py"))]
    for module, loaded in zip(modules, loaded_by([f"import florilegium.{m}" for m in modules], project), strict=True):
        assert loaded & HEAVY == set(), module


@pytest.fixture(scope="module")
def library(project):
    """The function `library` of rules/library.smk, without Snakemake around it."""
    text = (project / "rules" / "library.smk").read_text(encoding="utf-8")
    names = {
        "ast": ast,
        "functools": functools,
        "json": json,
        "SCRIPTS": project / "scripts",
        "NOTEBOOKS": project / "notebooks",
    }
    names["workflow"] = type("Workflow", (), {"basedir": str(project)})
    exec(compile(text[text.index("def library(") :], "library.smk", "exec"), names)
    return names["library"]


def test_a_steps_declared_library_is_its_script_and_what_that_loads(library, project):
    steps = sorted(path.stem for path in (project / "scripts").glob("*.py"))
    assert {"manifest", "pixels", "extract_features", "train_head", "fine_tune", "evaluate", "export_onnx"} <= {*steps}
    statements = [(project / "scripts" / f"{step}.py").read_text(encoding="utf-8") for step in steps]
    for step, loaded in zip(steps, loaded_by(statements, project), strict=True):
        modules = {name.split(".")[1] for name in loaded if name.startswith("florilegium.")}
        used = [f"scripts/{step}.py", *(f"scripts/florilegium/{module}.py" for module in modules)]
        assert library(step) == sorted(used), step
        assert step not in COMMANDS or modules == set()


def test_a_notebooks_declared_library_is_the_notebook_and_what_its_cells_import(library, project):
    for path in sorted((project / "notebooks").glob("*.py.ipynb")):
        name = path.name.removesuffix(".py.ipynb")
        found = library(name)
        assert f"notebooks/{path.name}" in found
        cells = "".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
        direct = set(re.findall(r"^from florilegium\.(\w+) import", cells, re.MULTILINE))
        assert direct and {f"scripts/florilegium/{module}.py" for module in direct} <= set(found), name


COMMANDS = {"predict"}  # beside the steps, because a run's zip takes it along; it may import nothing of ours


def test_every_script_is_the_step_of_a_rule_of_its_name(project):
    rules = "".join(path.read_text(encoding="utf-8") for path in rule_files(project))
    scripts = {path.stem for path in (project / "scripts").glob("*.py")}
    assert scripts == {*re.findall(r'"\.\./scripts/(\w+)\.py"', rules)} | COMMANDS
    assert [name for name in COMMANDS if f"scripts/{name}.py" not in rules] == []


def test_every_rule_with_a_script_declares_the_library_of_that_script(project):
    for path in rule_files(project):
        for rule in re.split(r"^(?=rule |checkpoint )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            script = re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', rule)
            name = re.match(r"\w+ (\w+)", rule)[1]
            if script and not name.startswith("download_"):  # an edit must not download again
                assert f'library("{script[1]}")' in rule, name


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"resize": 256, "resize_mode": "squash"}, "pixels_256.npy"),
        ({"resize": 320, "resize_mode": "center"}, "pixels_320_center.npy"),
    ],
)
def test_the_rule_makes_the_pixel_file_that_a_recipe_reads(project, settings, name):
    assert configuration.pixels_name(settings) == name
    output = re.search(r'pixels="results/data/(\S+)",', (project / "rules" / "data.smk").read_text(encoding="utf-8"))[1]
    square = re.search(r' square=r"(\S+)",', (project / "rules" / "common.smk").read_text(encoding="utf-8"))[1]
    assert re.fullmatch(re.escape(output).replace(re.escape("{square}"), square), name)


def test_recipes_are_compared_only_where_there_are_several(fresh_workflow):
    small = yaml.safe_load((fresh_workflow.folder / "tests" / "small.yaml").read_text(encoding="utf-8"))
    small["recipe_definitions"]["other"] = {"extends": "tiny", "label_smoothing": 0.1}
    for recipes in (["tiny"], ["tiny", "other"]):
        (fresh_workflow.folder / "recipes.yaml").write_text(yaml.safe_dump(small | {"recipes": recipes}))
        planned = fresh_workflow.planned(config="recipes.yaml")
        found = {rule: count for rule, count in planned.items() if rule.endswith("_recipes")}
        assert found == ({"compare_recipes": 1, "plot_recipes": 1} if len(recipes) > 1 else {})
