"""What is wrong on this machine, and how to mend it.

What holds always: looking changes nothing, and works beside a running server.
May import: config, secret, api's pages; storage's doctor; transport's certificates.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

from server import secret
from server.api.pages import FOLDER, Pages
from server.config import Settings
from storage.doctor import Finding, Level, check
from storage.redis_doctor import check_redis
from transport.tls import CertificateError, Certificates

FEW_FILES = 4_096
"""Open files under which the doctor warns: every TCP session needs one."""
SMALL_BUFFER = 1_048_576
"""Bytes of the largest UDP receive buffer under which the doctor warns."""
SOON = dt.timedelta(days=7)
"""A certificate that ends within this time should have been renewed."""


def examine(settings: Settings) -> list[Finding]:
    """Everything that can be looked at."""
    return [
        _folder(settings.data_dir),
        *_secret(settings),
        *check(settings.database_url),
        *(check_redis(settings.redis) if settings.redis is not None else ()),
        _certificate(settings),
        *_ports(settings),
        _pages(),
        _open_files(),
        _udp_buffer(),
    ]


def _folder(path: Path) -> Finding:
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    if os.access(there, os.W_OK | os.X_OK):
        made = "can be written" if there == path else "will be made at the first start"
        return Finding("data folder", Level.OK, f"{path} {made}")
    mend = "let the user that runs Tradewind write there, or choose another with --data-dir"
    return Finding("data folder", Level.FAIL, f"cannot write to {there}", mend)


def _secret(settings: Settings) -> Iterator[Finding]:
    if settings.secret is not None:
        yield Finding("secret", Level.OK, "taken from the settings")
    path, name = settings.data_dir / secret.NAME, secret.NAME
    if not path.exists():
        return
    if secret.open_to_others(path):
        yield Finding(name, Level.FAIL, f"others may read {path}", f"run: chmod 600 {path}")
    else:
        yield Finding(name, Level.OK, f"only its owner may read {path}")


def _certificate(settings: Settings) -> Finding:
    if settings.certificate is None or settings.key is None:
        mend = "for anybody but yourself, set certificate and key (Let's Encrypt, for example)"
        return Finding("certificate", Level.WARN, "made here, for development", mend)
    try:
        found = Certificates.files(settings.certificate, settings.key)
    except (CertificateError, OSError) as error:
        return Finding("certificate", Level.FAIL, str(error), "correct certificate and key")
    until = found.current.chain[0].not_valid_after_utc
    says = f"{settings.certificate} is good until {until:%Y-%m-%d}"
    if until - dt.datetime.now(dt.UTC) < SOON:
        return Finding("certificate", Level.WARN, says, "renew it; the server takes the new one")
    return Finding("certificate", Level.OK, says)


def _ports(settings: Settings) -> Iterator[Finding]:
    host = settings.host or ""
    yield _port("TCP", socket.SOCK_STREAM, host, settings.port, "--port")
    yield _port("UDP", socket.SOCK_DGRAM, host, settings.port, "--port")
    if settings.http:
        yield _port("HTTP", socket.SOCK_STREAM, "127.0.0.1", settings.http_port, "--http-port")


def _port(name: str, kind: socket.SocketKind, host: str, port: int, flag: str) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            mend = f"fine if Tradewind runs already; else stop who has it, or choose with {flag}"
            return Finding(f"{name} port", Level.WARN, f"{port}: {error.strerror}", mend)
    return Finding(f"{name} port", Level.OK, f"{port} is free")


def _pages() -> Finding:
    if Pages(FOLDER).built():
        return Finding("pages", Level.OK, "widget, console and demo are built")
    return Finding("pages", Level.FAIL, f"nothing in {FOLDER}", "run: make web")


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FEW_FILES:
        return Finding("open files", Level.OK, f"up to {soft}")
    mend = "raise it: LimitNOFILE= in the systemd unit, or ulimit -n"
    return Finding("open files", Level.WARN, f"only {soft}; each TCP session needs one", mend)


def _udp_buffer() -> Finding:
    try:
        size = int(Path("/proc/sys/net/core/rmem_max").read_text())
    except (OSError, ValueError):
        return Finding("UDP buffer", Level.OK, "its limit cannot be read on this system")
    if size >= SMALL_BUFFER:
        return Finding("UDP buffer", Level.OK, f"up to {size} bytes")
    mend = f"for many sessions run: sysctl -w net.core.rmem_max={4 * SMALL_BUFFER}"
    return Finding("UDP buffer", Level.WARN, f"at most {size} bytes", mend)
