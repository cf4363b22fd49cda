"""List the runs under results/runs that the configuration no longer wants, or remove them; `make orphans` calls it.

python tools/orphans.py config.yaml [config/overlay.yaml …] [--remove]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from florilegium.configuration import read, runs
from florilegium.errors import UserError

RUNS = Path("results/runs")
# What a run leaves beside its folder, by step: logs and benchmarks.
BESIDE = ("results/logs", "results/benchmarks")


def orphans(wanted: set[Path]) -> list[Path]:
    """Run folders <recipe>/<architecture>/seed<seed> that are not `wanted`."""
    return [path for path in sorted(RUNS.glob("*/*/seed*")) if path.is_dir() and path not in wanted]


def size(folder: Path) -> float:
    """MB (10^6 bytes) of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def remove(folder: Path) -> None:
    """Remove a run with its logs and benchmarks, and the folders of recipe and architecture that it leaves empty."""
    shutil.rmtree(folder)
    for parent in (folder.parent, folder.parent.parent):
        if not any(parent.iterdir()):
            parent.rmdir()
    name = ".".join(folder.relative_to(RUNS).parts)
    for place in BESIDE:
        for path in Path(place).glob(f"*/{name}.*"):
            path.unlink()


def main(arguments: list[str]) -> None:
    """List the orphans with their sizes; with --remove, remove them."""
    parser = argparse.ArgumentParser(description="Runs that the configuration no longer wants.")
    parser.add_argument("config", nargs="+", help="config.yaml and the overlays on top of it")
    parser.add_argument("--remove", action="store_true", help="remove what is listed")
    given = parser.parse_args(arguments)
    wanted = {RUNS / recipe / network / f"seed{seed}" for recipe, network, seed in runs(read(given.config))}
    found = orphans(wanted)
    for folder in found:
        print(f"{size(folder):10.1f} MB  {folder}")
        if given.remove:
            remove(folder)
    if not found:
        print("no orphans: every run under results/runs is wanted")
    elif given.remove:
        print(f"{len(found)} removed")
    else:
        print(f"{len(found)} not in {' + '.join(given.config)}; `make orphans REMOVE=yes` removes them")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
