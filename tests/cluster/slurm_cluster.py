"""A SLURM cluster on one machine: a controller and two nodes with two stand-in GPUs each, as root, without systemd."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from slurm_processes import Nodes, Unavailable, ask, await_that, daemon, stop

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
SYSTEM_CONFIG = Path("/etc/slurm")  # the executor drops SLURM_CONF on its way into a job, so only this place works
PREFIX = "florilegium-slurm-"
NODES, GPUS, GPU_MODEL = 2, 2, "standin"
CPUS, MEMORY = 16, 64000  # that each node claims to have, enough for what the profile asks
NULL_DEVICE = os.makedev(1, 3)  # a GPU must be a character device; this one swallows everything

SLURM_CONF = """\
ClusterName=florilegium
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
AuthInfo=socket={folder}/munge.socket,cred_expire=20
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
GresTypes=gpu
AccountingStorageType=accounting_storage/none
MinJobAge=3600
KillWait=5
SlurmdTimeout=20
ReturnToService=2
"""


def install():
    """The programs of SLURM and munge, by apt-get where they are missing.

    Raises:
        Unavailable: this machine is not Linux, the user is not root, or the packages cannot be had.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Unavailable("a SLURM cluster of one's own needs Linux and root")
    if all(map(shutil.which, PROGRAMS)):
        return
    if not shutil.which("apt-get"):
        raise Unavailable(f"{', '.join(PROGRAMS)} are not installed, and there is no apt-get")
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run([*apt_get, *arguments], capture_output=True, text=True, check=False)
    if not all(map(shutil.which, PROGRAMS)):
        raise Unavailable(f"apt-get could not install {', '.join(PACKAGES)}: {done.stderr.strip()[-300:]}")


@contextlib.contextmanager
def running():
    """The cluster while it is used; its nodes can be lost and brought back. Ends what it started, and nothing else.

    Raises:
        Unavailable: it does not come up, or this machine belongs to a cluster already.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # short: the path of a socket has at most 107 characters
    folder.chmod(0o755)
    daemons = []
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(configured(folder))
        stack.callback(stop, daemons)
        start(folder, daemons)
        yield Nodes(folder, daemons)


@contextlib.contextmanager
def configured(folder):
    """Our configuration at the system's place, as links into `folder`; afterwards the place is as it was before."""
    write_configuration(folder)
    links = [SYSTEM_CONFIG / name for name in ("slurm.conf", "gres.conf")]
    if any(link.exists() and not abandoned(link) for link in links):
        raise Unavailable(f"{SYSTEM_CONFIG} holds a configuration: this machine belongs to a cluster")
    made = not SYSTEM_CONFIG.exists()
    SYSTEM_CONFIG.mkdir(exist_ok=True)
    try:
        for link in links:
            link.unlink(missing_ok=True)
            link.symlink_to(folder / link.name)
        yield
    finally:
        for link in links:
            if link.is_symlink() and link.readlink() == folder / link.name:
                link.unlink()
        if made:
            SYSTEM_CONFIG.rmdir()


def abandoned(link):
    """Whether a configuration is one of ours, left by a test that was killed: its controller ended with that test."""
    if not link.is_symlink() or not link.readlink().parent.name.startswith(PREFIX):
        return False
    try:
        pid = (link.readlink().parent / "slurmctld.pid").read_text().strip()
        return Path(f"/proc/{pid}/comm").read_text().strip() != "slurmctld"
    except OSError:
        return True


def write_configuration(folder):
    """slurm.conf and gres.conf with their stand-in devices, and the key that the daemons know each other by."""
    host = socket.gethostname().split(".")[0]
    lines = [SLURM_CONF.format(host=host, folder=folder)]
    common = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY} State=UNKNOWN"
    common += f" Gres=gpu:{GPU_MODEL}:{GPUS}"
    lines += [f"NodeName=node{node} Port={17000 + node} {common}\n" for node in range(NODES)]
    lines += ["PartitionName=main Nodes=ALL Default=YES State=UP\n", "PartitionName=gpu Nodes=ALL State=UP\n"]
    (folder / "slurm.conf").write_text("".join(lines))
    devices = [folder / f"gpu{number}" for number in range(GPUS)]
    for device in devices:
        os.mknod(device, stat.S_IFCHR | 0o666, NULL_DEVICE)
    (folder / "gres.conf").write_text("".join(f"Name=gpu Type={GPU_MODEL} File={device}\n" for device in devices))
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))


def start(folder, daemons):
    """Bring up munge, the controller and the nodes; every process goes to `daemons`."""
    files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed", "key-file": "key"}
    paths = [f"--{option}={folder}/munge.{ending}" for option, ending in files.items()]
    daemon(folder, daemons, "munged", "--foreground", "--force", *paths)
    await_that((folder / "munge.socket").exists, daemons, folder)
    daemon(folder, daemons, "slurmctld", "-D")
    for node in range(NODES):
        daemon(folder, daemons, "slurmd", "-D", "-N", f"node{node}")
    await_that(lambda: ask("sinfo", "-h", "-N", "-p", "gpu", "-t", "idle").count("node") == NODES, daemons, folder)
