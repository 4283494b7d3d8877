"""The command `tradewind serve` as a process of its own: listeners, doors, signals, smoke."""

import asyncio
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server import smoke
from server.cli import cli
from transport.client.dial import dial
from transport.client.trust import Trust
from transport.errors import CloseCode, SessionClosed
from transport.session import Session, TransportKind
from transport.uuid7 import uuid7
from transport.wire.codec import pack
from transport.wire.frames import (
    VERSION,
    Accepted,
    Deliver,
    Drain,
    Hello,
    Position,
    Send,
    Welcome,
)

MAIN = "from server.cli import main; main()"


class Server:
    def __init__(self, process: "subprocess.Popen[str]", port: int, plain_port: int) -> None:
        self.process = process
        self.port = port
        self.plain_port = plain_port
        self.plain = f"http://localhost:{plain_port}"
        self.secure = f"https://localhost:{port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """(status, headers, JSON or text) over the plain listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=5)
        host = {"Host": f"localhost:{self.plain_port}", "Content-Type": "application/json"}
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), {**host, **headers}
            )
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        is_json = "json" in (response.getheader("Content-Type") or "")
        return response.status, response.headers, json.loads(text) if is_json else text


@contextmanager
def started(folder: Path, *flags: str, **env: str) -> Iterator[Server]:
    command = [sys.executable, "-c", MAIN, "serve", "--demo", "--data-dir", str(folder)]
    command += ["--port", "0", "--http-port", "0", "--log-format", "json", *flags]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("{") and (said := json.loads(line))["event"] == "listening":
                break
        else:
            raise AssertionError("the server did not start")
        yield Server(process, said["port"], said["loopback_port"])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("serve")) as server:
        yield server


def test_what_is_made_is_for_its_owner_only(server: Server, tmp_path: Path) -> None:
    folder = Path(server.process.args[server.process.args.index("--data-dir") + 1])  # type: ignore
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    assert (folder / "tradewind.db").exists()


def test_the_demos_login_works(server: Server) -> None:
    status, _, login = server.ask("GET", "/v1/demo")
    assert status == 200
    assert set(login) == {"email", "password", "shop"}
    body = {"email": login["email"], "password": login["password"]}
    status, _, session = server.ask("POST", "/v1/agent/session", body)
    assert (status, session["agent"]["shop"]) == (200, "demo")


def test_connect_on_the_plain_listener(server: Server) -> None:
    _, _, connect = server.ask("GET", "/v1/connect")
    assert connect["webtransport"]["url"] == f"{server.secure}/v1/live"
    assert connect["websocket"]["url"] == f"ws://localhost:{server.plain_port}/v1/live"
    assert all(len(h) == 44 for h in connect["webtransport"]["certificate_hashes"])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "10.0.0.1", "localhost.evil"]
)
def test_a_rebound_name_gets_a_redirect_only(server: Server, host: str) -> None:
    for path in ("/v1/demo", "/console/?a=b"):
        status, headers, text = server.ask("GET", path, Host=host)
        assert (status, text) == (308, "")
        name = host.partition(":")[0]
        assert headers["Location"] == f"https://{name}:{server.port}{path}"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("host", ["a b", "x/y", "evil.example\\", "a@b", ""])
def test_a_host_that_is_none(server: Server, host: str) -> None:
    status, _, _ = server.ask("GET", "/healthz", Host=host)
    assert status == 400


def test_a_rebound_name_gets_no_session(server: Server) -> None:
    key = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    path = "/v1/live"
    assert server.ask("GET", path, Host="evil.example", **key)[0] == 403
    assert server.ask("GET", path, Origin="https://evil.example", **key)[0] == 403
    assert server.ask("GET", "/v1/other", **key)[0] == 404


def test_the_command_line_reaches_the_running_server(server: Server) -> None:
    folder = Path(server.process.args[server.process.args.index("--data-dir") + 1])  # type: ignore
    assert (folder / "control.sock").stat().st_mode & 0o777 == 0o600

    def run(*words: str, expect: int = 0) -> str:
        env = {"TRADEWIND_AGENT_PASSWORD": "correct horse", "TRADEWIND_DATA_DIR": str(folder)}
        done = CliRunner().invoke(cli, [*words], env=env)
        assert done.exit_code == expect, done.output
        return done.output

    run("shop", "add", "boots", "--name", "Boots", "--origin", "https://boots.example")
    assert "boots" in run("shop", "list")
    words = ("agent", "add", "ann@boots.example", "--shop", "boots", "--name", "Ann")
    run(*words)
    assert "already" in run(*words, expect=2)
    login = {"email": "ann@boots.example", "password": "correct horse"}
    status, _, session = server.ask("POST", "/v1/agent/session", login)
    assert (status, session["agent"]["shop"]) == (200, "boots")


def test_rubbish_on_the_control_socket(server: Server) -> None:
    folder = Path(server.process.args[server.process.args.index("--data-dir") + 1])  # type: ignore
    for rubbish in (b"{}\n", b"\xff\n", b"x" * 70_000 + b"\n", b"\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(folder / "control.sock"))
            client.sendall(rubbish)
            with client.makefile() as answer:
                assert json.loads(answer.readline())["type"] == "No"


def test_the_port_speaks_tls_1_3_only(server: Server) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("localhost", server.port), 5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        assert tls.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("localhost", server.port), 5) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(raw, server_hostname="localhost")


async def test_smoke_over_every_transport(server: Server) -> None:
    rows = await smoke.run(smoke.Target(server.plain))
    ways = ["quic", "webtransport", "websocket-h3", "websocket-h1"]
    assert [row.transport for row in rows] == ways
    for row in rows:
        assert row.error is None, row
        assert None not in (row.connect, row.accepted, row.delivered, row.resumed)


async def test_smoke_says_what_is_wrong(server: Server) -> None:
    with pytest.raises(smoke.Unreachable, match="--insecure"):
        await smoke.run(smoke.Target(server.secure))
    with pytest.raises(smoke.Unreachable, match="404"):
        await smoke.run(smoke.Target(server.plain, shop="none"))


def _token(server: Server) -> str:
    token: str = server.ask("POST", "/v1/visitor/session", {"shop": "demo"})[2]["token"]
    return token


async def _listen(session: Session, server: Server, seen: list[Any]) -> None:
    """Take frames to the end; asked to move, look whether the server says so to others too."""
    while True:
        seen.append(await session.receive())
        if isinstance(seen[-1], Drain):
            status, _, body = await asyncio.to_thread(server.ask, "GET", "/readyz")
            assert (status, body["code"]) == (503, "draining")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_leaving(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path, TRADEWIND_DRAIN_SECONDS="1") as server:
        token = await asyncio.to_thread(_token, server)
        url = f"ws://localhost:{server.plain_port}/v1/live"
        async with dial(url, TransportKind.WEBSOCKET_H1) as session:
            session.send(Hello(VERSION, token))
            while not isinstance(await session.receive(), Welcome):
                pass
            began = time.monotonic()
            server.process.send_signal(how)
            seen: list[Any] = []
            with pytest.raises(SessionClosed) as end:
                await _listen(session, server, seen)
            assert end.value.code == CloseCode.GOING_AWAY
            drains = [frame.deadline for frame in seen if isinstance(frame, Drain)]
            assert len(drains) == (how is signal.SIGTERM)
            assert all(0 < deadline <= 1_000 for deadline in drains)
        code = await asyncio.to_thread(server.process.wait, 10)
        assert code == 0
        assert time.monotonic() - began < 8


async def test_killed_and_started_again(tmp_path: Path) -> None:
    """What was accepted before a kill is there after it, once and in order."""
    chat, accepted = uuid7(), []
    with started(tmp_path) as server:
        token = await asyncio.to_thread(_token, server)
        url = f"ws://localhost:{server.plain_port}/v1/live"
        async with dial(url, TransportKind.WEBSOCKET_H1) as session:
            session.send(Hello(VERSION, token))
            for n in range(20):
                session.send(Send(uuid7(), chat, "message", pack({"text": f"{n}"})))
            while len(accepted) < 8:
                if isinstance(frame := await session.receive(), Accepted):
                    accepted.append((frame.seq, frame.client_id))
            server.process.kill()
    with started(tmp_path) as server:
        url = f"https://localhost:{server.port}/v1/live"
        trust = Trust(insecure=True)
        async with dial(url, TransportKind.WEBTRANSPORT, trust=trust) as session:
            session.send(Hello(VERSION, token, (Position(chat, 0, 0),)))
            while not isinstance(welcome := await session.receive(), Welcome):
                pass
            [resumed] = welcome.resumed
            assert resumed.recovered
            replay: list[Deliver] = []
            while len(replay) < resumed.head:
                if isinstance(frame := await session.receive(), Deliver):
                    replay.append(frame)
    assert [entry.seq for entry in replay] == list(range(1, resumed.head + 1))
    assert [(entry.seq, entry.client_id) for entry in replay][: len(accepted)] == accepted


def test_a_taken_port_is_said_in_a_sentence(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAIN, "serve", "--data-dir", str(tmp_path)]
    command += ["--port", str(server.port), "--no-http", "--log-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
