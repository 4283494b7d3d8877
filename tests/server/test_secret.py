import threading
from pathlib import Path

import pytest

from server import secret
from server.config import ConfigError, Settings


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    first = secret.load(settings)
    assert len(first) >= 32
    assert secret.load(settings) == first
    assert (tmp_path / "new/secret").stat().st_mode & 0o777 == 0o600
    assert not secret.open_to_others(tmp_path / "new/secret")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]


def test_the_settings_come_first(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret="x" * 32)
    assert secret.load(settings) == b"x" * 32
    assert not (tmp_path / "secret").exists()


def test_who_starts_together_gets_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    together = threading.Barrier(4)

    def start(n: int) -> None:
        together.wait()
        found.append(secret.keep(tmp_path / "secret", f"{n}" * 40))

    threads = [threading.Thread(target=start, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    with pytest.raises(ConfigError, match="damaged"):
        secret.load(Settings(data_dir=tmp_path))
