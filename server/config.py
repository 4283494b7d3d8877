"""The settings, where they come from, and what they mean.

From the weakest to the strongest: defaults, environment variables TRADEWIND_*, a TOML file, flags
of the command line.

What holds always: a setting that nobody knows is an error, not a typo that goes unnoticed.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_WORKERS = 64
"""What the steering of packets has room for."""

REDIS = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
"""How a URL of Redis may begin; storage/redis.py says how it goes on."""


class ConfigError(Exception):
    """The settings do not make sense. The message says which, and what would."""


class Settings(BaseSettings):
    """Everything that can be set. The description of each is what `--help` and the docs show."""

    model_config = SettingsConfigDict(
        env_prefix="TRADEWIND_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str | None = Field(
        None, description="Address to listen on. Left out: all, IPv6 and IPv4."
    )
    port: int = Field(8443, ge=0, le=65535, description="Port for UDP and TCP. 0 picks a free one.")
    http: bool = Field(True, description="Whether to listen for plain HTTP on loopback.")
    http_port: int = Field(
        8080, ge=0, le=65535, description="Port of the plain listener on loopback. 0 picks one."
    )
    public_url: str | None = Field(
        None,
        description="URL under which clients reach this server, for example "
        "https://chat.example. Left out: taken from each request's Host.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=MAX_WORKERS,
        description="Processes that serve sessions, one per core at most. More than one: a store "
        "process beside them owns the database. Limits on sessions count for each worker.",
    )
    data_dir: Path = Field(
        Path("var"), description="Folder for the database, the secret and certificates made here."
    )
    database: str | None = Field(
        None, description="Where messages are kept. Left out: a SQLite file in the data folder."
    )
    redis: str | None = Field(
        None,
        description="Where Redis is, for several hosts of one region: redis://, rediss://, "
        "unix:// or redis+sentinel://. Left out: this host works alone.",
    )
    redis_prefix: str = Field(
        "tw:",
        pattern=r"^[\x21-\x7e]{1,64}$",
        description="What all keys in Redis begin with. Servers of one site need the same, "
        "sites that share a Redis different ones.",
    )
    certificate: Path | None = Field(
        None, description="PEM file of the certificate chain. Left out: a development certificate."
    )
    key: Path | None = Field(None, description="PEM file of the certificate's key.")
    names: tuple[str, ...] = Field(
        (), description="Host names and addresses a development certificate is made for as well."
    )
    secret: str | None = Field(
        None,
        min_length=32,
        description="Secret that signs tokens, 32 characters at least. Left out: made once and "
        "kept in the data folder. Several servers of one site need the same.",
    )
    demo: bool = Field(False, description="Whether to set up the demo shop and its agent.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="How logs look. auto: for people on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important level that is logged."
    )
    metrics_token: str | None = Field(
        None,
        min_length=16,
        description="Bearer token for /metrics. Left out: only this machine may read them.",
    )
    qlog_dir: Path | None = Field(
        None, description="Folder for qlog traces of QUIC connections. Left out: none are made."
    )
    qlog_share: float = Field(
        0.0, ge=0, le=1, description="Share of the connections that are traced, from 0 to 1."
    )
    qlog_address: str | None = Field(
        None, description="Address all of whose connections are traced: one visitor's, say."
    )
    max_sessions: int = Field(50_000, ge=1, description="Live sessions at most.")
    max_sessions_per_address: int = Field(
        500, ge=1, description="Live sessions at most from one address (IPv6: from one /64)."
    )
    drain_seconds: float = Field(
        10.0, ge=0, le=600, description="How long clients have to move away on SIGTERM."
    )

    @field_validator("public_url")
    @classmethod
    def _https(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith("https://"):
            raise ValueError("it must begin with https://")
        return url

    @field_validator("redis")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(REDIS):
            raise ValueError(f"it must begin with one of {', '.join(REDIS)}")
        return url

    @model_validator(mode="after")
    def _pair(self) -> Settings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key must be set together")
        return self

    @model_validator(mode="after")
    def _site(self) -> Settings:
        if self.redis is not None and not (self.database or "").startswith("postgresql://"):
            raise ValueError(
                "redis is for several hosts, which share a database: set database to a "
                "postgresql:// URL, or leave redis out"
            )
        return self

    @property
    def database_url(self) -> str:
        """Where messages are kept."""
        return self.database or f"sqlite:///{self.data_dir / 'tradewind.db'}"


def load(config: Path | None = None, **flags: Any) -> Settings:
    """The settings from everywhere. A flag that is None was not given. Raises ConfigError."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**{**_read(config), **given})
    except ValidationError as error:
        raise ConfigError("; ".join(map(_explain, error.errors()))) from None


def _read(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {config}: {error}") from None


def _explain(error: Any) -> str:
    name = ".".join(map(str, error["loc"])) or "settings"
    if error["type"] == "extra_forbidden":
        return f"there is no setting called {name}"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"
