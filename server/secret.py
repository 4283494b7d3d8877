"""The secret that signs tokens: from the settings, or made once and kept in the data folder.

What holds always: the file is readable by its owner only, from its first byte on; two processes
that start together end up with the same secret.
May import: config.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path

from server.config import ConfigError, Settings

NAME = "secret"
"""The file in the data folder."""


def load(settings: Settings) -> bytes:
    """The secret. Raises ConfigError when it cannot be read or made."""
    if settings.secret is not None:
        return settings.secret.encode()
    return keep(settings.data_dir / NAME, secrets.token_urlsafe(48)).encode()


def keep(path: Path, fresh: str) -> str:
    """What is in the file; `fresh`, written there, when there was none."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = path.read_text().strip() if path.exists() else _create(path, fresh)
    except OSError as error:
        raise ConfigError(f"cannot keep a secret in {path}: {error}") from None
    if len(kept) < 12:
        raise ConfigError(f"{path} is damaged: delete it (its tokens will have to be renewed)")
    return kept


def open_to_others(path: Path) -> bool:
    """Whether others than the owner may read the file."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _create(path: Path, fresh: str) -> str:
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # Mode 0600.
    draft = Path(name)
    with open(number, "w") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where the file exists: of two processes one wins, and both read its secret.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
