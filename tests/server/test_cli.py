import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli import cli, options
from storage.migrations import HEAD

PASSWORD = {"TRADEWIND_AGENT_PASSWORD": "correct horse"}
WIDE = {"COLUMNS": "400", "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def _on_a_wide_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the screen was when the consoles were made: no line is broken."""
    for console in (options.out, options.err):
        monkeypatch.setattr(console, "width", 400)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def run(*words: str, input: str = "", **env: str) -> Any:
        where = [] if {"--help", "settings"} & {*words} else ["--data-dir", str(tmp_path)]
        return CliRunner().invoke(cli, [*words, *where], input=input, env={**WIDE, **env})

    return run


def add_shop(run: Any, *more: str) -> Any:
    return run(
        "shop", "add", "boots", "--name", "Boots", "--origin", "https://boots.example", *more
    )


@pytest.mark.parametrize(
    "verb",
    ["", "serve", "settings", "migrate", "doctor", "smoke", "shop add", "shop list", "agent add",
     "agent list", "agent password", "agent capacity"],
)  # fmt: skip
def test_every_verb_explains_itself(run: Any, verb: str) -> None:
    done = run(*verb.split(), "--help")
    assert done.exit_code == 0
    assert len(done.output) > 200


def test_shops_are_added_and_listed(run: Any) -> None:
    done = add_shop(run)
    assert done.exit_code == 0, done.output
    assert (
        '<script async src="https://YOUR-SERVER:8443/widget.js" data-shop="boots">' in done.output
    )
    listed = run("shop", "list").output
    assert "https://boots.example" in listed
    again = add_shop(run, "--origin", "http://localhost:3000/", "--identity-key")
    assert "Identity key" in again.output
    listed = run("shop", "list").output
    assert "http://localhost:3000" in listed
    assert "yes" in listed


@pytest.mark.parametrize(
    ("id", "origin"),
    [("Bad Id", "https://x.example"), ("x", "x.example"), ("x", "https://x.example/path")],
)
def test_shops_that_make_no_sense(run: Any, id: str, origin: str) -> None:
    done = run("shop", "add", id, "--name", "X", "--origin", origin)
    assert done.exit_code == 2
    assert "tradewind:" in done.output


def test_agents_are_added_listed_and_given_passwords(run: Any) -> None:
    add_shop(run)
    words = ("agent", "add", "ann@boots.example", "--shop", "boots", "--name", "Ann")
    done = run(*words, input="correct horse\ncorrect horse\n")
    assert done.exit_code == 0, done.output
    assert "correct horse" not in done.output
    again = run(*words, **PASSWORD)
    assert (again.exit_code, "already" in again.output) == (2, True)
    assert "ann@boots.example" in run("agent", "list", "--shop", "boots").output
    done = run("agent", "password", "ann@boots.example", **PASSWORD)
    assert done.exit_code == 0


def test_agents_have_a_capacity(run: Any) -> None:
    add_shop(run)
    run("agent", "add", "ann@b", "--shop", "boots", "--name", "Ann", **PASSWORD)
    assert "no limit" in run("agent", "list", "--shop", "boots").output
    assert "at most 3 open" in run("agent", "capacity", "ann@b", "3").output
    listed = run("agent", "list", "--shop", "boots").output
    assert ("no limit" in listed, " 3 " in listed) == (False, True)
    assert "any number of open" in run("agent", "capacity", "ann@b").output
    assert "no limit" in run("agent", "list", "--shop", "boots").output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("agent", "add", "a@b", "--shop", "none", "--name", "A"), "no shop"),
        (("agent", "add", "ab", "--shop", "boots", "--name", "A"), "no e-mail"),
        (("agent", "add", "a@b", "--shop", "boots", "--name", "A", "--role", "king"), "no role"),
        (("agent", "password", "nobody@b"), "no agent"),
        (("agent", "list", "--shop", "none"), "no shop"),
        (("agent", "capacity", "nobody@b", "3"), "no agent"),
        (("agent", "capacity", "nobody@b", "1001"), "between 0 and 1000"),
    ],
)
def test_mistakes_end_with_a_sentence(run: Any, words: tuple[str, ...], says: str) -> None:
    add_shop(run)
    done = run(*words, **PASSWORD)
    assert done.exit_code == 2
    assert says in done.output


def test_a_short_password_is_refused(run: Any) -> None:
    add_shop(run)
    words = ("agent", "add", "a@b", "--shop", "boots", "--name", "A")
    done = run(*words, TRADEWIND_AGENT_PASSWORD="short")
    assert (done.exit_code, "10 to 1024" in done.output) == (2, True)


def test_migrate_says_what_it_did(run: Any) -> None:
    assert "it was empty" in run("migrate").output
    assert f"it was {HEAD}" in run("migrate").output
    wrong = run("migrate", "--database", "mysql://x")
    assert (wrong.exit_code, "sqlite:///" in wrong.output) == (2, True)


def test_settings_are_listed_and_secrets_are_not(run: Any) -> None:
    redis = "redis://:hidden@cache.example:6379/0"
    done = run(
        "settings",
        TRADEWIND_PORT="9999",
        TRADEWIND_SECRET="s" * 40,
        TRADEWIND_REDIS=redis,
        TRADEWIND_DATABASE="postgresql://tradewind:hidden@db.example/tradewind",
    )
    assert done.exit_code == 0
    for says in ("TRADEWIND_PORT", "9999", "(set)", "TRADEWIND_DRAIN_SECONDS", "cache.example"):
        assert says in done.output
    assert "sss" not in done.output
    assert "hidden" not in done.output


def test_the_doctor_finds_what_is_wrong(run: Any, tmp_path: Path) -> None:
    done = run("doctor")
    assert "data folder" in done.output
    assert not (tmp_path / "secret").exists()
    (tmp_path / "secret").write_text("x" * 64)
    (tmp_path / "secret").chmod(0o644)
    (tmp_path / "bad.pem").write_text("no certificate")
    bad = str(tmp_path / "bad.pem")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(
            "doctor",
            TRADEWIND_CERTIFICATE=bad,
            TRADEWIND_KEY=bad,
            TRADEWIND_HTTP_PORT=port,
            TRADEWIND_REDIS=f"unix://{tmp_path}/none.sock",
            TRADEWIND_DATABASE=f"postgresql:///none?host={tmp_path}",
        )
    assert done.exit_code == 1
    for says in (
        "chmod 600",
        "Cannot read certificates",
        f"{port}: Address already in use",
        "none.sock",
        "correct the setting redis",
    ):
        assert says in done.output


def test_smoke_without_a_server_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    done = CliRunner().invoke(cli, ["smoke", "--url", f"http://127.0.0.1:{port}"], env=WIDE)
    assert done.exit_code == 1
    assert "cannot use" in done.output
