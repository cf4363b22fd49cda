"""Print the configuration of one run as its steps see it; `make config RUN=lesson/efficientnet_b3` calls it.

python tools/run_config.py lesson/efficientnet_b3 config.yaml [config/overlay.yaml …]
"""

from __future__ import annotations

import sys

import yaml

from florilegium.configuration import read, run_settings, weights_of
from florilegium.errors import UserError, nearest


def resolved(run: str, paths: list[str]) -> dict:
    """The recipe with the architecture's overrides, and where its backbone comes from.

    Raises:
        UserError: the configuration does not hold the run.
    """
    config = read(paths)
    known = [f"{recipe}/{network}" for recipe in config["recipes"] for network in config["architectures"]]
    if run not in known:
        raise UserError(
            f"RUN: '{run}' is not a run of {' + '.join(paths)}{nearest(run, known)}; runs: {', '.join(known)}"
        )
    recipe, network = run.split("/")
    settings = run_settings(config, recipe, network)
    return {"recipe": recipe, "architecture": network, "weights": weights_of(config, network), **settings}


if __name__ == "__main__":
    try:
        print(yaml.safe_dump(resolved(sys.argv[1], sys.argv[2:]), sort_keys=False), end="")
    except UserError as error:
        sys.exit(f"error: {error}")
