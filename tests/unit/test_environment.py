"""The lists of packages agree with each other."""

import re

import pytest
import yaml

from support import ROOT


def locked(name):
    """Package -> versions of a lock file (one package may have a version per Python)."""
    found = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([\w.-]+)==([\w.+!-]+)", line):
            found.setdefault(match[1].lower(), set()).add(match[2])
    return found


def asked(name):
    """Packages of a .in file."""
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    return [re.split("[=<>]", line)[0] for line in lines if line and line[0] not in "#-"]


def test_everything_asked_for_is_locked():
    assert [name for name in asked("requirements.in") if name not in locked("requirements.lock")] == []
    assert [name for name in asked("requirements-app.in") if name not in locked("requirements-app.lock")] == []
    assert [name for name in asked("requirements-dev.in") if name not in locked("requirements-dev.lock")] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-app.lock"])
def test_the_tests_run_on_the_versions_that_users_get(name):
    users, tests = locked(name), locked("requirements-dev.lock")
    assert {name: versions for name, versions in users.items() if tests.get(name) != versions} == {}


def test_the_app_changes_no_version_of_the_workflow():
    workflow, app = locked("requirements.lock"), locked("requirements-app.lock")
    assert {name: versions for name, versions in app.items() if workflow.get(name, versions) != versions} == {}


def test_the_conda_environment_holds_the_locked_versions():
    environment = yaml.safe_load((ROOT / "envs" / "florilegium.yaml").read_text())
    pins = dict(pin.split("==") for pin in environment["dependencies"][-1]["pip"])
    assert sorted(pins) == sorted(asked("requirements.in"))
    assert {name: pin for name, pin in pins.items() if pin not in locked("requirements.lock")[name]} == {}


def test_no_registry_and_no_absolute_path_is_named():
    lists = sorted(ROOT.glob("requirements*"))
    assert len(lists) == 6
    for path in lists:
        text = path.read_text()
        assert "://" not in text
        assert "file:" not in text
