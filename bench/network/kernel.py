"""The kernel's side: namespaces, TUN devices, timers. Linux only.

May import: nothing of Tradewind.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

TUN = Path("/dev/net/tun")
CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_PR_SET_TIMERSLACK = 29
_TOOLS = ("ip", "nsenter", "setpriv")
_IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")

_libc = ctypes.CDLL(None, use_errno=True)


class NetworkUnavailable(Exception):
    """An emulated network cannot be made here. The message says what to do."""


def require() -> None:
    """Raise NetworkUnavailable unless this machine and user can have an emulated network."""
    if os.geteuid() != 0:
        raise NetworkUnavailable("network namespaces need root: run this with sudo")
    if not TUN.exists():
        raise NetworkUnavailable(f"there is no {TUN}: load the kernel's module (modprobe tun)")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise NetworkUnavailable(
            f"{', '.join(missing)} not found: apt-get install iproute2 util-linux"
        )


def new_namespace() -> int:
    """Move this thread into a network namespace of its own; a descriptor that keeps it alive."""
    if _libc.unshare(CLONE_NEWNET):
        raise _fault("cannot make a network namespace")
    return own_namespace()


def own_namespace() -> int:
    """A descriptor of the namespace that this thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter_namespace(descriptor: int) -> None:
    """Move this thread into a namespace."""
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise _fault("cannot enter a network namespace")


def open_tun(name: str) -> int:
    """A TUN device in this thread's namespace; it goes when the descriptor is closed."""
    descriptor = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(
            descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI)
        )
    except OSError as error:
        os.close(descriptor)
        raise NetworkUnavailable(f"cannot make a TUN device: {error.strerror}") from error
    return descriptor


def configure(name: str, address: str, length: int) -> None:
    """Bring up loopback and a TUN device that leads everywhere, in this thread's namespace."""
    if _IPV6.exists():  # Its router solicitations would be counted as somebody's packets.
        _IPV6.write_text("1")
    batch = (
        "link set lo up\n"
        f"address add {address}/32 dev {name}\n"
        f"link set {name} up txqueuelen {length}\n"
        f"route add default dev {name} src {address}\n"
    )
    subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True, capture_output=True)


def end_all(namespaces: Sequence[int]) -> None:
    """Kill every process in these namespaces, and close their descriptors; not the caller."""
    wanted = {os.fstat(descriptor).st_ino for descriptor in namespaces}
    for descriptor in namespaces:
        os.close(descriptor)  # First, so that nobody can enter any more.
    while found := [pid for pid in _processes() if _namespace_of(pid) in wanted]:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _processes() -> list[int]:
    own = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]


def _namespace_of(pid: int) -> int | None:
    """The inode of a process's network namespace; None when it is gone, or only waited for."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def be_punctual() -> None:
    """Have this process woken to the microsecond, ahead of ordinary ones where that is allowed."""
    _libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass  # It works without, only less exactly; its lateness is measured either way.


def _fault(what: str) -> NetworkUnavailable:
    return NetworkUnavailable(f"{what}: {os.strerror(ctypes.get_errno())}")
