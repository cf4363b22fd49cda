"""List the results of runs that the configuration no longer wants, or remove them; `make orphans` calls it.

python tools/orphans.py config.yaml [config/overlay.yaml …] [--remove]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from florilegium.configuration import pixels_name, read, run_settings, runs
from florilegium.errors import UserError

RUNS, DATA = Path("results/runs"), Path("results/data")
# What a step leaves beside its results.
BESIDE = (Path("results/logs"), Path("results/benchmarks"))


def orphans(config: dict[str, Any]) -> list[Path]:
    """Run folders <recipe>/<architecture>/seed<seed> and pixel files that no run of the configuration wants."""
    wanted = {RUNS / recipe / network / f"seed{seed}" for recipe, network, seed in runs(config)}
    wanted |= {DATA / pixels_name(run_settings(config, recipe, network)) for recipe, network, _ in runs(config)}
    return [path for path in sorted([*RUNS.glob("*/*/seed*"), *DATA.glob("pixels_*.npy")]) if path not in wanted]


def size(path: Path) -> float:
    """MB (10^6 bytes) of a file, or of the files in a folder."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file()) / 1e6


def remove(path: Path) -> None:
    """Remove a pixel file, or a run with its logs, benchmarks and the folders that it leaves empty."""
    if path.is_file():
        path.unlink()
        return
    shutil.rmtree(path)
    for parent in (path.parent, path.parent.parent):
        if not any(parent.iterdir()):
            parent.rmdir()
    name = ".".join(path.relative_to(RUNS).parts)
    for file in [file for place in BESIDE for file in place.glob(f"*/{name}.*")]:
        file.unlink()


def removing(overlays: list[str]) -> str:
    """The command that removes what was listed: without the same overlays it would remove their runs, too."""
    named = " ".join(overlays)
    quoted = f'"{named}"' if len(overlays) > 1 else named
    return " ".join(["make orphans", *([f"CONFIG={quoted}"] if overlays else []), "REMOVE=yes"])


def main(arguments: list[str]) -> None:
    """List the orphans with their sizes; with --remove, remove them."""
    parser = argparse.ArgumentParser(description="Results of runs that the configuration no longer wants.")
    parser.add_argument("config", nargs="+", help="config.yaml and the overlays on top of it")
    parser.add_argument("--remove", action="store_true", help="remove what is listed")
    given = parser.parse_args(arguments)
    found = orphans(read(given.config))
    for path in found:
        print(f"{size(path):10.1f} MB  {path}")
        if given.remove:
            remove(path)
    if not found:
        print("no orphans: every run under results/runs is wanted")
    elif given.remove:
        print(f"{len(found)} removed")
    else:
        print(f"{len(found)} not in {' + '.join(given.config)}; `{removing(given.config[1:])}` removes them")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
