"""Steering: which process of a host a QUIC packet goes to, decided by the kernel.

The UDP sockets of one port form a SO_REUSEPORT group of two banks of `workers` sockets each. One
generation of workers reads one bank; a rolling restart starts the next generation on the other, so
that during it both are reached on the same port. A classic-BPF program picks the socket from the
first byte of the packet's destination connection ID:

    bit 7   the bank, which counts only while the older generation drains
    bits 0-6  modulo `workers`: the worker in the bank

    Initial, 0-RTT, unknown version   its ID was chosen by the client: the newest bank
    Handshake; short header           its ID was issued by us: the bank in the ID

What holds always: a client's first ID picks the same worker until it learns ours, because the
worker issues only IDs that come back to it (`Slot.connection_id`), whatever address they come from:
that is what keeps a session on its worker through migration (RFC 9000 section 9). An Initial whose
handshake was under way when the banks changed may reach the newer generation, which starts it anew
or drops it; to the client that is a lost packet.
Bound: MAX_WORKERS, so that every worker has at least two values of the byte.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from aioquic.quic.packet import QuicProtocolVersion
from msgspec import Struct

MAX_WORKERS = 64
BANKS = 2
SO_ATTACH_REUSEPORT_CBPF = getattr(socket, "SO_ATTACH_REUSEPORT_CBPF", 51)
"""asm-generic/socket.h; Python does not name it."""

# linux/bpf_common.h: class, size or operation, mode or source.
_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_LOAD_BYTE = 0x30  # BPF_LD | BPF_B | BPF_ABS
_IF_ANY = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_MORE = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_MOD = 0x94  # BPF_ALU | BPF_MOD | BPF_K
_ADD = 0x04  # BPF_ALU | BPF_ADD | BPF_K
_RETURN = 0x16  # BPF_RET | BPF_A

_LONG = 0x80
_TYPE = 0x30
_HANDSHAKE_V1 = 0x20
_HANDSHAKE_V2 = 0x30
"""The types of long headers, RFC 9000 section 17.2 and RFC 9369 section 3.2: the last two of
version 1 (Handshake, Retry) have the higher bit; in version 2 it is Retry 0 and Handshake 3."""


class Slot(Struct, frozen=True):
    """The place of one worker: its bank, its number in it, and how many there are in a bank."""

    bank: int = 0
    index: int = 0
    workers: int = 1

    @property
    def socket(self) -> int:
        """The number of its socket in the group."""
        return self.bank * self.workers + self.index

    def connection_id(self, length: int) -> bytes:
        """A new random ID that is steered back here."""
        random = os.urandom(length)
        values = (128 - self.index + self.workers - 1) // self.workers
        low = self.index + self.workers * (random[0] % values)
        return bytes((self.bank << 7 | low,)) + random[1:]


class _Step(NamedTuple):
    """One instruction; jumps name the label to go to, or fall through."""

    code: int
    value: int = 0
    then: str = ""
    otherwise: str = ""
    label: str = ""


def program(workers: int, current: int, *, draining: bool) -> bytes:
    """The program for a group of BANKS times `workers` sockets, as an array of sock_filter.

    Offsets count from the UDP payload. A packet too short to load from goes to the first socket,
    which drops it as rubbish.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise ValueError(f"there may be 1 to {MAX_WORKERS} workers, not {workers}")
    steps = [
        _Step(_LOAD_BYTE, 0),
        _Step(_IF_ANY, _LONG, "long", "short"),
        _Step(_LOAD_BYTE, 1, label="short"),
        _Step(_JUMP, 0, "issued"),
        *_kind(),
        # The byte of an ID that the client chose.
        _Step(_LOAD_BYTE, 6, label="chosen"),
        _Step(_JUMP, 0, "newest"),
        _Step(_LOAD_BYTE, 6, label="ours"),
        # The byte of an ID that we issued: the other bank is read only while it drains.
        _Step(
            _IF_MORE,
            127,
            *(("second", "first") if draining else ("newest", "newest")),
            label="issued",
        ),
        *_pick("newest", workers, current),
        *_pick("first", workers, 0),
        *_pick("second", workers, 1),
    ]
    return b"".join(_assemble(steps))


def attach(sock: socket.socket, code: bytes) -> None:
    """Put the program in charge of the group of `sock`, in place of any before, at one stroke."""
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a count, and a pointer that is aligned like one.
    fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, fprog)


def _kind() -> list[_Step]:
    """From a long header: to `ours` when the ID in it was issued by us, else to `chosen`."""
    return [
        _Step(_LOAD_WORD, 1, label="long"),
        _Step(_IF_EQUAL, int(QuicProtocolVersion.VERSION_2), "v2"),
        _Step(_IF_EQUAL, int(QuicProtocolVersion.VERSION_1), "v1", "chosen"),
        _Step(_LOAD_BYTE, 0, label="v1"),
        _Step(_IF_ANY, _HANDSHAKE_V1, "ours", "chosen"),
        _Step(_LOAD_BYTE, 0, label="v2"),
        _Step(_AND, _TYPE),
        _Step(_IF_EQUAL, _HANDSHAKE_V2, "ours", "chosen"),
    ]


def _pick(label: str, workers: int, bank: int) -> list[_Step]:
    """Turn the byte into the number of a socket of `bank`, and return it."""
    return [
        _Step(_AND, 0x7F, label=label),
        _Step(_MOD, workers),
        _Step(_ADD, bank * workers),
        _Step(_RETURN),
    ]


def _assemble(steps: Sequence[_Step]) -> list[bytes]:
    labels = {step.label: at for at, step in enumerate(steps) if step.label}
    code = []
    for at, step in enumerate(steps, 1):

        def distance(label: str, at: int = at) -> int:
            return labels[label] - at if label else 0

        value, then, otherwise = step.value, distance(step.then), distance(step.otherwise)
        if step.code == _JUMP:
            value, then = then, 0
        code.append(struct.pack("@HBBI", step.code, then, otherwise, value))
    return code
