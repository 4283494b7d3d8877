from pathlib import Path

import pytest

from server.config import ConfigError, Settings, load


def test_everything_has_a_default() -> None:
    settings = load()
    assert (settings.port, settings.http_port, settings.host) == (8443, 8080, None)
    assert settings.database_url == "sqlite:///var/tradewind.db"


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_environment_then_the_file_then_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_PORT", "1")
    monkeypatch.setenv("TRADEWIND_HTTP_PORT", "1")
    monkeypatch.setenv("TRADEWIND_MAX_SESSIONS", "1")
    monkeypatch.setenv("TRADEWIND_PUBLIC_URL", "")
    file = tmp_path / "tradewind.toml"
    file.write_text('port = 2\nhttp_port = 2\nnames = ["chat.example"]\n')
    settings = load(file, port=3, host=None)
    assert (settings.port, settings.http_port, settings.max_sessions) == (3, 2, 1)
    assert settings.public_url is None
    assert settings.names == ("chat.example",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "no setting called prot"),
        ("port = 70000", "port:"),
        ("port = ", "cannot read"),
        ('certificate = "x.pem"', "certificate and key must be set together"),
        ('public_url = "http://x"', "https://"),
        ('secret = "short"', "secret:"),
        ('log_format = "xml"', "log_format:"),
        ('redis = "localhost:6379"', "redis: it must begin with one of redis://"),
        ('redis = "redis://cache.example"', "set database to a postgresql:// URL"),
        ('redis_prefix = "two words"', "redis_prefix:"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "tradewind.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "none.toml")
