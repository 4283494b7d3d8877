"""The rule of the folder: nobody else uses a private name of aioquic, and each is listed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from aioquic.h3.connection import H3Connection
from aioquic.quic.connection import QuicConnection
from aioquic.quic.recovery import QuicPacketRecovery
from aioquic.quic.stream import QuicStreamSender
from aioquic.tls import Epoch

from tests.transport.support.pair import Pair
from transport.quic import aio
from transport.quic.aio.http3 import Http3
from transport.quic.aio.private import PRIVATE

FOLDER = Path(aio.__file__).parent
ROOT = FOLDER.parents[2]
LISTED = {name for names in PRIVATE.values() for name in names}


def test_private_names_are_there(pair: Pair) -> None:
    owners: dict[str, object] = {
        "connection": pair.client,
        "recovery": pair.client._loss,
        "crypto": pair.client._cryptos[Epoch.ONE_RTT].recv,
        "sender": QuicStreamSender(0, True),
        "h3": Http3(pair.client),
        "tls": pair.client.tls,
    }
    missing = [
        f"{owner}.{name}"
        for owner, names in PRIVATE.items()
        for name in names
        if not hasattr(owners[owner], name)
    ]
    assert not missing, "aioquic changed; look at transport/quic/aio"


def test_every_private_name_used_is_listed() -> None:
    trees = [ast.parse(path.read_text()) for path in FOLDER.glob("*.py")]
    ours = {name for tree in trees for name in declared(tree)}
    theirs = (QuicConnection, H3Connection, QuicPacketRecovery)
    ours -= {name for name in ours if any(hasattr(owner, name) for owner in theirs)}
    used = {node.attr for tree in trees for node in attributes(tree)}
    used |= {name for tree in trees for name in declared(tree)}
    assert used - ours == LISTED


def test_nobody_else_uses_one() -> None:
    others = [
        path
        for package in ("transport", "server", "bench", "storage")
        for path in (ROOT / package).rglob("*.py")
        if FOLDER not in path.parents
    ]
    assert len(others) > 100, "the sources are not where this test looks"
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}"
        for path in others
        for node in attributes(ast.parse(path.read_text()))
        if node.attr in LISTED and not is_own(node)
    ]
    assert not found


def attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Uses of private names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node


def declared(tree: ast.AST) -> Iterator[str]:
    """Private names in the bodies of classes: methods and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and is_private(part.name):
                    yield part.name
                elif isinstance(part, ast.Assign | ast.AnnAssign):
                    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                    yield from (t.id for t in targets if isinstance(t, ast.Name))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_own(node: ast.Attribute) -> bool:
    """Whether it is an object's own attribute, that happens to be called so."""
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
