"""How the workflow runs notebooks: with its own Python, whatever Jupyter the user has, and not in the home folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def use_this_python(project: str | os.PathLike) -> None:
    """Set the environment that Snakemake's notebook support passes on to Jupyter, here and in jobs started from here.

    * PATH: `jupyter-nbconvert` is the one beside this interpreter, so `.venv/bin/snakemake` needs no activated
      environment; a `papermill` of another Python, which Snakemake would prefer, is covered by one that says no.
    * Kernels of other environments (JUPYTER_PATH, the user's data folder) are not looked at.
    * Jupyter's settings are those in notebooks/; its own files go to .snakemake/jupyter of the working folder.
    """
    notebooks = Path(project) / "notebooks"
    here = [str(Path(sys.executable).parent), str(notebooks / "bin")]
    rest = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder not in here]
    os.environ["PATH"] = os.pathsep.join([*here, *rest])
    own = os.path.abspath(".snakemake/jupyter")
    os.environ.update(
        JUPYTER_PREFER_ENV_PATH="1",
        JUPYTER_CONFIG_PATH=str(notebooks),
        JUPYTER_CONFIG_DIR=f"{own}/config",
        JUPYTER_DATA_DIR=own,
        JUPYTER_RUNTIME_DIR=f"{own}/runtime",
    )
    os.environ.pop("JUPYTER_PATH", None)
