"""Runs Snakemake's command line again and again from one process that has it loaded: a plan takes half the time.

Each line of standard input is a JSON object with `folder`, `arguments` and `log`, the file for what Snakemake prints;
each line of standard output is the exit status. Every command runs in a fork, so none sees anything of the one before.
"""

import json
import os
import sys

import jsonschema  # noqa: F401  what the Snakefile imports, loaded once
import snakemake.cli


def run(folder, arguments, log):
    """Snakemake's own `main`, with its output in `log`."""
    os.chdir(folder)
    with open(log, "w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.argv = ["snakemake", *arguments]
    snakemake.cli.main()


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(**json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
