"""Who is who: sessions of visitors, sign-in of agents, and the token in `hello`.

What holds always: a wrong e-mail and a wrong password look the same and take the same time;
attempts are limited by address and by e-mail, and only failures count; a visitor whom the shop has
named is only ever given back to somebody who brings the shop's word again.
May import: domain, service; storage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service import tokens
from server.service.guard import guarded
from server.service.passwords import Passwords
from server.service.ratelimit import Buckets, Rate
from server.service.tokens import BadToken, Token, Tokens
from storage.base import Agent, Directory, NotUnique, Shop, Visitor

VISITOR_LIFETIME = 30 * 86_400
"""Seconds a visitor's token is good for."""
VISITOR_GRACE = 365 * 86_400
"""Seconds past its end for which it still says who somebody was, to give them a new one."""
AGENT_LIFETIME = 12 * 3_600
"""Seconds an agent's token is good for; the console refreshes it while it is open."""
ATTEMPTS_BY_ADDRESS = Rate(per_second=1 / 6, burst=20)
ATTEMPTS_BY_EMAIL = Rate(per_second=1 / 30, burst=10)
NEW_VISITORS = Rate(per_second=1, burst=60)
"""Visitor sessions per address: many shoppers may share one behind a carrier's NAT."""
MAX_PAGE_URL = 1_000
"""Characters kept of the page that a visitor is on."""


class Unauthenticated(Exception):
    """The caller is not who they should be. `expired`: they were, a while ago."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class Granted(Struct, frozen=True):
    """A token, and until when it is good (Unix ms)."""

    token: str
    expires_at: int
    caller: Caller


class Arrival(Struct, frozen=True):
    """What a widget says when it asks for a visitor's session."""

    shop: str
    token: str | None = None
    identity: str | None = None
    language: str | None = None
    page: str | None = None


class Identity:
    """Knows people. Times are Unix ms (`now`) and monotonic seconds (`clock`)."""

    def __init__(
        self,
        directory: Directory,
        secret: Tokens,
        passwords: Passwords,
        *,
        now: Callable[[], int],
        clock: Callable[[], float],
        new_id: Callable[[], UUID],
    ) -> None:
        self._directory = directory
        self._tokens = secret
        self._passwords = passwords
        self._now = now
        self._clock = clock
        self._new_id = new_id
        self._by_address = Buckets(ATTEMPTS_BY_ADDRESS)
        self._by_email = Buckets(ATTEMPTS_BY_EMAIL)
        self._arrivals = Buckets(NEW_VISITORS)

    async def authenticate(self, token: str) -> Caller:
        """Who holds this token of ours. Raises Unauthenticated, or Refusal when storage fails."""
        try:
            read = self._tokens.read(token, self._seconds())
        except BadToken as error:
            expired = isinstance(error, tokens.ExpiredToken)
            raise Unauthenticated(str(error), expired=expired) from None
        with guarded():
            if read.caller.role is Role.AGENT:
                await self._check_agent(read)
            else:
                await self._check_visitor(read.caller)
        return read.caller

    async def _check_agent(self, read: Token) -> None:
        agent = await self._directory.get_agent(read.caller.id)
        if agent is None or not agent.active or agent.shop != read.caller.shop:
            raise Unauthenticated("this agent may not sign in any more")
        if read.password_mark != tokens.mark(agent.password_hash):
            raise Unauthenticated("the password was changed; sign in again")

    async def _check_visitor(self, caller: Caller) -> None:
        visitor = await self._directory.get_visitor(caller.id)
        if visitor is None or visitor.shop != caller.shop:
            raise Unauthenticated("this visitor is not known here; start a new session")

    async def sign_in(self, email: str, password: str, address: str) -> tuple[Agent, Granted]:
        """Sign an agent in. Raises Unauthenticated or Refusal (rate_limited, busy, …)."""
        # The e-mail is a stranger's text: its hash keeps what is remembered of it small.
        email_key = hashlib.sha256(email.strip().lower().encode()).hexdigest()
        limits = ((self._by_address, address), (self._by_email, email_key))
        for buckets, key in limits:
            if wait := buckets.take(key, self._clock()):
                raise Refusal(
                    Code.RATE_LIMITED,
                    "too many attempts to sign in; wait a while",
                    int(wait * 1000) + 1,
                )
        with guarded():
            agent = await self._directory.find_agent(email.strip())
        usable = agent if agent is not None and agent.active else None
        fits = await self._passwords.check(
            None if usable is None else usable.password_hash, password
        )
        if usable is None or not fits:
            raise Unauthenticated("the e-mail address or the password is wrong")
        for buckets, key in limits:
            buckets.give_back(key)
        return usable, self._grant_agent(usable)

    async def refresh(self, token: str) -> tuple[Agent, Granted]:
        """A new token for an agent who has a good one."""
        caller = await self.authenticate(token)
        with guarded():
            agent = await self._directory.get_agent(caller.id)
        if caller.role is not Role.AGENT or agent is None:
            raise Unauthenticated("this is not the token of an agent")
        return agent, self._grant_agent(agent)

    async def arrive(self, shop: Shop, arrival: Arrival, address: str) -> Granted:
        """A session for a visitor of `shop`. Raises Unauthenticated or Refusal."""
        if wait := self._arrivals.take(address, self._clock()):
            raise Refusal(
                Code.RATE_LIMITED, "too many new sessions from here", int(wait * 1000) + 1
            )
        said = self._said(shop, arrival.identity)
        with guarded():
            former = await self._former(shop, arrival.token)
            visitor = await self._recognise(shop, said, former)
            await self._directory.put_visitor(_updated(visitor, said, arrival, self._now()))
        return self._grant(Caller(Role.VISITOR, visitor.id, shop.id), VISITOR_LIFETIME)

    def _said(self, shop: Shop, identity: str | None) -> tokens.Identity | None:
        if identity is None:
            return None
        if shop.identity_key is None:
            raise Unauthenticated("this shop has no identity key; leave identity out")
        try:
            return tokens.identity(identity, shop.identity_key, self._seconds())
        except BadToken as error:
            raise Unauthenticated(f"identity: {error}") from None

    async def _former(self, shop: Shop, token: str | None) -> Visitor | None:
        """Whom an old token names. A bad one names nobody: the visitor just starts anew."""
        if token is None:
            return None
        try:
            caller = self._tokens.read(token, self._seconds(), grace=VISITOR_GRACE).caller
        except BadToken:
            return None
        if caller.role is not Role.VISITOR or caller.shop != shop.id:
            return None
        return await self._directory.get_visitor(caller.id)

    async def _recognise(
        self, shop: Shop, said: tokens.Identity | None, former: Visitor | None
    ) -> Visitor:
        fresh = Visitor(self._new_id(), shop.id, created_at=self._now())
        if said is None:
            return former if former is not None and former.external_id is None else fresh
        known = await self._directory.find_visitor(shop.id, said.external_id)
        if known is not None:
            return known
        named = replace(
            former if former is not None and former.external_id is None else fresh,
            external_id=said.external_id,
        )
        try:
            await self._directory.put_visitor(named)
        except NotUnique:
            # Two pages of one shopper asked in the same moment.
            known = await self._directory.find_visitor(shop.id, said.external_id)
            return named if known is None else known
        return named

    def _grant_agent(self, agent: Agent) -> Granted:
        caller = Caller(Role.AGENT, agent.id, agent.shop)
        return self._grant(caller, AGENT_LIFETIME, tokens.mark(agent.password_hash))

    def _grant(self, caller: Caller, lifetime: int, password_mark: str = "") -> Granted:
        now = self._seconds()
        token = self._tokens.sign(caller, now, lifetime, password_mark)
        return Granted(token, (now + lifetime) * 1000, caller)

    def _seconds(self) -> int:
        return self._now() // 1000


def _updated(visitor: Visitor, said: tokens.Identity | None, arrival: Arrival, now: int) -> Visitor:
    """The visitor with what was learned by this arrival."""
    language = (said and said.language) or (arrival.language or "")[:35]
    profile = visitor.profile
    # Agents click on it: a scheme that is no page's (javascript:, data:) is not kept.
    if arrival.page and arrival.page.startswith(("https://", "http://")):
        profile = msgspec.json.encode({"page": arrival.page[:MAX_PAGE_URL]}).decode()
    return replace(
        visitor,
        name=(said and said.name) or visitor.name,
        email=(said and said.email) or visitor.email,
        language=language or visitor.language,
        profile=profile,
        seen_at=now,
    )
