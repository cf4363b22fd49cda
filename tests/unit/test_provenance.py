"""What a result says of its origin."""

import json
import re
import subprocess
from datetime import datetime

import pytest

from florilegium import provenance
from florilegium.provenance_page import provenance_page


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A project of three files in place of the real one."""
    for name in ("Snakefile", "rules/data.smk", "scripts/florilegium/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["Snakefile", "rules/data.smk", "scripts/florilegium/a.py"])
def test_an_edit_of_any_code_changes_the_hash_of_the_code(code, name):
    before = provenance.code_digest()
    assert provenance.code_digest() == before
    (code / name).write_text("edited")
    assert provenance.code_digest() != before
    (code / name).write_text(name)
    (code / "README.md").write_text("no code")
    assert provenance.code_digest() == before


def test_outside_of_a_checkout_the_commit_is_unknown_and_the_code_has_a_hash(code):
    assert provenance.commit() == "unknown"
    assert len(provenance.code_digest()) == 64


def test_a_machine_without_git_writes_results_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == "unknown"


def test_the_commit_says_whether_tracked_files_were_changed(code):
    git = ["git", "-C", str(code), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = provenance.commit()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (code / "Snakefile").write_text("edited")
    assert provenance.commit() == f"{clean}-dirty"


def test_the_hardware_names_the_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n[ $1 = --query-gpu=name ] && printf 'NVIDIA A100\\nNVIDIA H100\\n'\n")
    program.chmod(0o755)
    assert provenance.hardware()["gpus"] == ["NVIDIA A100", "NVIDIA H100"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert provenance.hardware()["gpus"] == []


def test_an_origin_is_plain_and_complete():
    origin = provenance.origin({"b": 1, "a": 2}, "f" * 64)
    assert json.loads(json.dumps(origin)) == origin
    assert origin["config_sha256"] == provenance.digest_of({"a": 2, "b": 1}), "the order of keys says nothing"
    assert origin["dataset_sha256"] == "f" * 64
    assert origin["commit"] and origin["hardware"]["cores"] >= 1 and origin["hardware"]["memory_gib"] > 0
    assert {"python", "torch", "torchvision", "snakemake", "onnxruntime"} <= origin["versions"].keys()
    assert datetime.fromisoformat(origin["written"]).tzinfo is not None


def test_the_page_shows_the_whole_record_and_cannot_become_markup():
    record = {"config": {"recipes": ["<b>lesson"], "seeds": [1]}, **provenance.origin({}, "the photographs")}
    record["times"] = [
        {"recipe": "lesson", "architecture": "resnet18", "seed": 1}
        | {"phase1_seconds": 60.0, "phase2_seconds": 90.0, "train_seconds": 150.0}
    ]
    page = provenance_page(record)
    assert "<b>" not in page and "&lt;b&gt;lesson" in page
    shown = [record["commit"], record["code_sha256"], record["hardware"]["processor"], *record["versions"].values()]
    assert [text for text in [*shown, "the photographs", "ResNet18", ">2.5<"] if text not in page] == []
