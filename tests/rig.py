"""Ray nodes as namespaces of one machine: what a pod is, as far as faults go.

Each node has a network, processes, /proc, /dev/shm and Ray directory of its own, and shares the rest of the
disk. The nodes hang on a bridge that is in a namespace, too: nothing of a rig shows in the machine's own
network, and all addresses can be the same in every rig. A node dies with the process that made the rig.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from rig_door import Door
from workshop import PATIENCE, wait_for

from orchestrator.contracts.device import DEVICE_LABEL

RAY = Path(sys.executable).with_name("ray")
_PREFIX = "frontier-rig-"
_NETWORK = "10.77.0"
_DOORS = f"{_NETWORK}.254"
_HEAD_PORT = 6379
# Out of the box a node that is silent is given up after half a minute or more, and what runs on a node that
# was told to go has 30 seconds. A node that hears nothing of its head gives up after 60, which is as long as
# a lease stands: it is to live on, so that an orphan meets its successor.
QUICK = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "5",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "2",
}
_ENTER = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec"]
_ISOLATE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c"]
# In the namespaces of a node. $1: the directory of the rig's Ray, $2: this node's.
_BECOME = 'mount -t proc proc /proc && mount -t tmpfs tmpfs /dev/shm && mount --bind "$2" "$1" && shift 2'


def why_not() -> str | None:
    """What this machine lacks, or None."""
    for program in ("ip", "unshare", "nsenter", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt-get install iproute2 util-linux)"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    trial = ["unshare", "--net", "--mount", "--pid", "--fork", "ip", "link", "add", "type", "bridge"]
    done = subprocess.run(trial, capture_output=True, text=True)
    return None if done.returncode == 0 else f"no namespaces or no bridges: {done.stderr.strip()}"


class Node:
    """A machine of the rig. `process` is outside its process space, its only child is its process 1."""

    def __init__(self, rig: Rig, name: str, number: int) -> None:
        self.name, self.space, self.address = name, f"{rig.name}-{name}", f"{_NETWORK}.{number}"
        self._rig, self._port = rig, f"port{number}"
        _ip("netns", "add", self.space)
        peer = ("peer", "eth0", "netns", self.space)
        _ip("link", "add", self._port, "netns", rig.switch, "type", "veth", *peer)
        _ip("-n", rig.switch, "link", "set", self._port, "master", "bridge", "up")
        for interface in ("lo", "eth0"):
            _ip("-n", self.space, "link", "set", interface, "up")
        _ip("-n", self.space, "address", "add", f"{self.address}/24", "dev", "eth0")
        self.own = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=rig.directory))
        # The disk is shared: what a machine keeps of an object store is to be this node's own.
        self._environment = {**rig.environment, "FRONTIER_MIRROR": str(self.own / "mirror")}
        self.process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self, *options: str) -> None:
        """`ray start --block` as process 1."""
        self._options, self._starts = options, self._starts + 1
        own = self.own / "ray"
        own.mkdir(exist_ok=True)
        temporary = self._rig.directory / "ray"
        temporary.mkdir(exist_ok=True)
        ray = [str(RAY), "start", "--block", f"--node-ip-address={self.address}", "--disable-usage-stats"]
        ray += [f"--temp-dir={temporary}", f"--object-store-memory={100 * 2**20}", *options]
        ray += ["--include-log-monitor=false"]  # of logs that nobody follows
        self._log = own / "start.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_ENTER, self.space, *_ISOLATE, f'{_BECOME} && exec "$@"', "node", temporary, own, *ray],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def await_start(self) -> None:
        """Ray waits 30 seconds for a node: a busy machine gets a second try, as from the product."""

        def up() -> bool:
            assert self.process is not None
            ended = self.process.poll() is not None
            if ended and self._starts == 1 and "timed out during startup" in self._log.read_text():
                self.start(*self._options)
            assert self.process.poll() is None, f"{self.name} did not start:\n{self._log.read_text()}"
            return "Ray runtime started" in self._log.read_text()

        wait_for(up, f"the start of {self.name}")

    @property
    def first(self) -> int:
        """Process 1, by its number out here."""
        assert self.process is not None
        return _only_child(self.process.pid)

    def run(self, command: Sequence[str], directory: Path, **environment: str) -> Guest:
        """A process beside Ray."""
        return Guest(self.first, command, directory, {**self._environment, **environment})

    def kill(self) -> None:
        """As if somebody pulled the plug."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not self.processes(), f"the end of {self.name}")

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def processes(self) -> list[int]:
        """As `ip netns pids`, which takes as long as a hundred of these."""
        ours, found = os.stat(f"/run/netns/{self.space}").st_ino, list[int]()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):  # it has ended meanwhile
                if os.stat(f"/proc/{pid}/ns/net").st_ino == ours:
                    found.append(int(pid))
        return found

    def tell_to_go(self) -> None:
        """SIGTERM to process 1, as a pod gets it: a spot node is reclaimed."""
        os.kill(self.first, signal.SIGTERM)

    def wait(self) -> None:
        assert self.process is not None
        self.process.wait(PATIENCE)

    def cut_off(self) -> None:
        """From all other nodes, both ways; not from the disk."""
        _ip("-n", self._rig.switch, "link", "set", self._port, "down")

    def heal(self) -> None:
        _ip("-n", self._rig.switch, "link", "set", self._port, "up")


class Guest:
    """A process in the namespaces of a node, that dies with it."""

    def __init__(
        self, first: int, command: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> None:
        self._out = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        enter = ["nsenter", f"--target={first}", "--net", "--mount", "--pid", "env", f"--chdir={directory}"]
        self._entry = subprocess.Popen(
            [*enter, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        os.kill(_only_child(self._entry.pid), signal.SIGKILL)
        self.wait()

    def running(self) -> bool:
        return self._entry.poll() is None

    def wait(self) -> int:
        """The exit code."""
        return self._entry.wait(PATIENCE)

    def output(self) -> str:
        self._out.seek(0)
        return self._out.read()


class Rig:
    """A context: on leaving it, all is gone that it made."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        _remove_leftovers()
        self.name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(2)}"
        self.switch = f"{self.name}-switch"
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**environment, **QUICK, **token}
        self.nodes: list[Node] = []
        self._numbers = itertools.count(1)
        self._doors: list[Door] = []

    def __enter__(self) -> Rig:
        self.directory = Path(tempfile.mkdtemp(prefix="rig-", dir="/tmp"))  # Ray's sockets want a short path
        _ip("netns", "add", self.switch)
        _ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self.switch, "link", "set", "bridge", "up")
        _ip("-n", self.switch, "address", "add", f"{_DOORS}/24", "dev", "bridge")
        return self

    def __exit__(self, *_: object) -> None:
        for door in self._doors:
            door.close()
        for node in self.nodes:
            if node.process is not None:
                node.process.kill()
                node.process.wait()
        _remove(self.name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def await_start(self) -> None:
        """Of all nodes."""
        for node in self.nodes:
            node.await_start()

    def node(self, name: str) -> Node:
        self.nodes.append(node := Node(self, name, next(self._numbers)))
        return node

    def dismiss_workers(self) -> None:
        """All nodes but the first one, the head, go, and the head knows of each that it has gone."""
        workers = self.nodes[1:]
        for node in workers:
            node.heal()
            if node.running():
                node.tell_to_go()
        for node in workers:
            node.wait()
            _remove(node.space)
        del self.nodes[1:]

    def door_to(self, uri: str) -> str:
        """The URI under which the nodes reach a server that listens on loopback out here."""
        there = urlsplit(uri)
        assert there.port is not None
        self._doors.append(Door(self.switch, _DOORS, there.port))
        return there._replace(netloc=f"{_DOORS}:{there.port}").geturl()

    def head(self, name: str = "head") -> Node:
        """With room for the driver, and none for trials."""
        node = self.node(name)
        # No dashboard is asked, and no machine is ordered.
        size = ("--num-cpus=0", "--include-dashboard=false", "--no-monitor")
        node.start("--head", f"--port={_HEAD_PORT}", *size)
        node.await_start()
        return node

    def worker(self, name: str, head: Node, *, cpus: int, gpus: int = 0, device: str | None = None) -> Node:
        """`gpus` as many as one likes: nobody looks for them. `device`: what its label calls them."""
        node = self.node(name)
        labels = [f"--labels={DEVICE_LABEL}={device}"] if device else []
        size = (f"--num-cpus={cpus}", f"--num-gpus={gpus}", *labels)
        node.start(f"--address={head.address}:{_HEAD_PORT}", *size)
        return node


def address_of(head: Node) -> str:
    return f"{head.address}:{_HEAD_PORT}"


def _only_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_for(lambda: children.read_text().split(), f"a child of process {pid}")
    return int(children.read_text().split()[0])


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _remove(rig: str) -> None:
    """Its namespaces with all in them; what hangs on a namespace goes with it."""
    for space in [line.split()[0] for line in _ip("netns", "list").splitlines()]:
        if space == rig or space.startswith(f"{rig}-"):
            for pid in _ip("netns", "pids", space).split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            _ip("netns", "delete", space)


def _remove_leftovers() -> None:
    """Rigs of processes that were killed: the number in their name is of no living process."""
    for line in _ip("netns", "list").splitlines():
        rig = "-".join(line.split()[0].split("-")[:4])
        if rig.startswith(_PREFIX) and not Path("/proc", rig.removeprefix(_PREFIX).split("-")[0]).exists():
            _remove(rig)
