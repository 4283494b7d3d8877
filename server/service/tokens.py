"""Tokens: who somebody is, signed by us; and the shop's word on who its visitor is.

Both are JWTs with HS256 (RFC 7519). Ours carry `sub` (text id), `shop`, `exp`, `iat`, and for
agents `pwd`, a mark of the password they signed in with, so that changing it ends the old tokens.

What holds always: only HS256 is taken, whatever the header says; a token is at most MAX_TOKEN
characters; a fault of a token is BadToken or ExpiredToken and nothing else.
May import: domain.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from server.domain import people
from server.domain.people import Caller

MAX_TOKEN = 4_096
"""Characters of a token. Over it, it is not looked at."""
MIN_KEY = 16
"""Bytes of a shop's identity key at least."""
_ALGORITHMS = ["HS256"]


class BadToken(Exception):
    """The token is not ours, not whole or not for this. The message may be shown."""


class ExpiredToken(BadToken):
    """The token was good once. `claims` are what it said."""

    def __init__(self, claims: dict[str, Any]) -> None:
        super().__init__("the token has expired")
        self.claims = claims


class Token(Struct, frozen=True):
    """What one of our tokens says. Times are Unix seconds."""

    caller: Caller
    issued_at: int
    password_mark: str = ""


class Identity(Struct, frozen=True):
    """What a shop says of its visitor."""

    external_id: str
    name: str | None
    email: str | None
    language: str | None


class Tokens:
    """Signs and reads our own tokens with the server's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = OctKey.import_key(secret)

    def sign(self, caller: Caller, now: int, lifetime: int, password_mark: str = "") -> str:
        """A token for `caller`, good for `lifetime` seconds from `now`."""
        claims = {"sub": caller.who, "shop": caller.shop, "iat": now, "exp": now + lifetime}
        if password_mark:
            claims["pwd"] = password_mark
        return jwt.encode({"alg": "HS256"}, claims, self._key, algorithms=_ALGORITHMS)

    def read(self, token: str, now: int, *, grace: int = 0) -> Token:
        """Who the token names. `grace`: seconds past its end for which it is still taken."""
        claims = _claims(token, self._key, now - grace)
        person = people.parse(str(claims.get("sub", "")))
        shop, issued_at = claims.get("shop"), claims.get("iat")
        if person is None or not isinstance(shop, str) or not isinstance(issued_at, int):
            raise BadToken("the token is not one of ours")
        return Token(Caller(*person, shop), issued_at, str(claims.get("pwd", "")))


def identity(token: str, key: str, now: int) -> Identity:
    """What the shop's JWT says, checked with its identity key. Raises BadToken."""
    claims = _claims(token, OctKey.import_key(decode_key(key)), now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 200:
        raise BadToken("the identity needs a sub of 1 to 200 characters")
    return Identity(
        subject,
        _text(claims.get("name"), 200),
        _text(claims.get("email"), 254),
        _text(claims.get("language"), 35),
    )


def decode_key(key: str) -> bytes:
    """The bytes of a shop's identity key. Raises BadToken when it is none."""
    try:
        data = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    except (binascii.Error, ValueError):
        raise BadToken("the shop's identity key is not base64url") from None
    if len(data) < MIN_KEY:
        raise BadToken(f"the shop's identity key is shorter than {MIN_KEY} bytes")
    return data


def mark(password_hash: str) -> str:
    """What a token says of the password: enough to see that it changed, and no more."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


def _claims(token: str, key: OctKey, now: int) -> dict[str, Any]:
    if len(token) > MAX_TOKEN:
        raise BadToken("the token is too long")
    try:
        claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError):
        raise BadToken("the token is not signed by whom it should be") from None
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise BadToken("the token needs an exp")
    if expires <= now:
        raise ExpiredToken(claims)
    if isinstance(begins := claims.get("nbf"), int | float) and begins > now + 60:
        raise BadToken("the token is not valid yet")
    return claims


def _text(value: object, limit: int) -> str | None:
    return value[:limit] if isinstance(value, str) and value else None
