"""One cluster for the whole folder, and one whole run on it."""

import pytest
import slurm_cluster
from cluster_runs import RUN, ClusterCheckout

from support import skip_or_fail


@pytest.fixture(scope="session")
def cluster():
    """The running cluster, whose nodes can be lost and brought back."""
    try:
        slurm_cluster.install()
        with slurm_cluster.running() as nodes:
            yield nodes
    except (slurm_cluster.Unavailable, PermissionError) as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A copy of the project, the same for all tests of this folder."""
    return ClusterCheckout(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="session")
def whole_run(cluster, checkout):
    """The jobs and the notes of a run to the comparison, which takes every rule that is not local."""
    targets = [f"results/comparison/figures/{name}.png" for name in ("accuracy", "choice")]
    targets += [f"{RUN.format(seed)}/{name}" for seed in (1, 2, 3) for name in ("robustness.csv", "explanations.npz")]
    jobs = checkout.run("--", "results/comparison/table.html", *targets)
    return jobs, checkout.notes()
