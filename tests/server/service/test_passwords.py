import asyncio
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from server.domain.refusal import Code, Refusal
from server.service import passwords as module
from server.service.passwords import Passwords


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield passwords
    passwords.close()


async def test_a_password_fits_its_hash_only(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert await passwords.check(hashed, "correct horse")
    assert not await passwords.check(hashed, "correct house")
    assert not await passwords.check("no hash at all", "correct horse")


async def test_nobody_has_no_password(passwords: Passwords) -> None:
    assert not await passwords.check(None, "anything")
    assert not await passwords.check(None, "nobody's password")


@pytest.mark.parametrize("password", ["", "short", "x" * 1_025])
async def test_new_passwords_have_a_length(passwords: Passwords, password: str) -> None:
    with pytest.raises(Refusal) as caught:
        await passwords.hash(password)
    assert caught.value.code is Code.INVALID


async def test_checks_that_wait_are_bounded(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 2)
    results = await asyncio.gather(
        *(passwords.check(None, "x") for _ in range(3)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Refusal)]
    assert [refusal.code for refusal in refused] == [Code.BUSY]


def test_the_default_is_strong() -> None:
    passwords = Passwords()
    assert passwords._hasher.memory_cost >= 65_536
    passwords.close()
