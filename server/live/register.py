"""Who is online, in Redis: each worker keeps the people of its own sessions there.

For each shop and worker there is a hash of people, a digest of it, and the worker's name in the
shop's set of workers. All of them live LAPSE seconds and are prolonged every REFRESH: so a hundred
thousand people who just stay cost a command for each shop, and those of a dead worker go by
themselves.

What holds always: `put` never waits; what was put is in Redis a moment later, while Redis answers;
whatever Redis loses (FLUSHALL, a crash, an eviction) is there again after the next refresh, because
every write names the one before it and is refused when that is not there; no fault of Redis comes
out of here: it is counted, and the next refresh makes up for it.
Bound: what waits to be written is at most the people of this worker; CHANGES of them go together.
May import: board; redis of storage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from redis.exceptions import NoScriptError

from server.live.board import NOBODY, Digest
from storage.redis import Redis, RedisError

CHANGES = 500
"""People written to one shop's hash at a time: some milliseconds of this loop."""
SHOPS = 100
"""Shops written to in one round trip."""
PAUSE = 0.02
"""Seconds in which changes gather before they are written."""

_WRITE = """
local people, digest, workers = KEYS[1], KEYS[2], KEYS[3]
local before, after, lapse = ARGV[1], ARGV[2], ARGV[3]
if before == '0' then
  redis.call('DEL', people)
elseif redis.call('HGET', people, '#') ~= before then
  return 0
end
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', people, ARGV[i])
  else
    redis.call('HSET', people, ARGV[i], ARGV[i + 1])
  end
end
if ARGV[4] == '0 0 0' then
  redis.call('DEL', people, digest)
  redis.call('SREM', workers, ARGV[5])
  return 1
end
redis.call('HSET', people, '#', after)
redis.call('PEXPIRE', people, lapse)
redis.call('SET', digest, ARGV[4], 'PX', lapse)
redis.call('SADD', workers, ARGV[5])
redis.call('PEXPIRE', workers, lapse)
return 1
"""
"""KEYS: people, digest, workers. ARGV: the write before this one (0: begin anew), this write,
lapse, digest, worker, (person, transport or '')… Returns 0 when the write before is not there."""

log = structlog.get_logger(__name__)


class _Own:
    """The people of this worker in one shop, and what of them is not in Redis yet."""

    def __init__(self) -> None:
        self.people: dict[str, str] = {}
        self.digest = NOBODY
        self.waiting: dict[str, str] = {}
        """The transport, or nothing for who has left."""
        self.writes = 0
        """The number of the last write that Redis confirmed."""
        self.anew = True
        """Whether the next write begins the hash."""

    def put(self, who: str, transport: str | None) -> None:
        old = self.people.pop(who, None)
        if transport is not None:
            self.people[who] = transport
        self.digest = self.digest.changed(who, old, transport)
        self.waiting[who] = transport or ""

    def again(self) -> None:
        """Redis has lost it."""
        self.anew = True
        self.waiting = dict(self.people)


class Register:
    """This worker's part of the register, and a view of all of it."""

    def __init__(self, redis: Redis, prefix: str, source: UUID, lapse: float) -> None:
        self._redis = redis
        self._prefix = prefix
        self._source = source
        self._lapse = round(lapse * 1000)
        self._shops: dict[str, _Own] = {}
        self._changed: dict[str, None] = {}
        """Shops with something to write, in the order in which that came about."""
        self._wake = asyncio.Event()
        self._sha = ""
        self.errors = 0

    def put(self, shop: str, who: str, transport: str | None) -> None:
        """Somebody is online here over this transport now, or not any more."""
        self._shops.setdefault(shop, _Own()).put(who, transport)
        self._changed[shop] = None
        self._wake.set()

    def mine(self, shop: str) -> tuple[Digest, dict[str, str]]:
        """The people of this worker."""
        own = self._shops.get(shop)
        return (NOBODY, {}) if own is None else (own.digest, own.people)

    async def run(self, refresh: float) -> None:
        """Write what changes, and prolong everything every `refresh` seconds, for ever."""
        due = asyncio.get_running_loop().time() + refresh
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
                    await asyncio.sleep(PAUSE)
            except TimeoutError:
                due = asyncio.get_running_loop().time() + refresh
                self._changed = dict.fromkeys(self._shops)
            self._wake.clear()
            await self._write_all()

    async def digests(self, shops: Sequence[str]) -> dict[str, dict[UUID, Digest]] | None:
        """What each worker says in digest, by shop; None when Redis does not answer."""
        try:
            names = await self._pipe(("SMEMBERS", self._key(shop)) for shop in shops)
            pairs = [
                (shop, name) for shop, found in zip(shops, names, strict=True) for name in found
            ]
            texts = await self._pipe(
                ("GET", self._key(shop, UUID(bytes=name), "digest")) for shop, name in pairs
            )
            # A name outlives its worker. One that lives comes back with its next refresh.
            await self._pipe(
                ("SREM", self._key(shop), name)
                for (shop, name), text in zip(pairs, texts, strict=True)
                if text is None
            )
        except (RedisError, OSError) as error:
            self._failed(error)
            return None
        told: dict[str, dict[UUID, Digest]] = {shop: {} for shop in shops}
        for (shop, name), text in zip(pairs, texts, strict=True):
            if text is not None:
                told[shop][UUID(bytes=name)] = Digest(*map(int, text.split()))
        return told

    async def people(self, shop: str, source: UUID) -> dict[str, str] | None:
        """The people of one worker, with their transports; None when Redis does not answer."""
        found: dict[str, str] = {}
        try:
            pages = self._redis.hscan_iter(self._key(shop, source, "people"), count=CHANGES)
            async for who, transport in pages:
                found[who.decode()] = transport.decode()
        except (RedisError, OSError) as error:
            self._failed(error)
            return None
        found.pop("#", None)
        return found

    async def _write_all(self) -> None:
        while self._changed:
            shops = tuple(islice(self._changed, SHOPS))
            for shop in shops:
                del self._changed[shop]
            try:
                await self._write([(s, self._shops[s]) for s in shops if s in self._shops])
            except (RedisError, OSError) as error:
                self._failed(error)  # The next refresh finds out what was written, and goes on.
                return

    async def _write(self, shops: list[tuple[str, _Own]]) -> None:
        """A piece for each shop. Those that are not done are put behind the others."""
        if not self._sha:
            self._sha = str(await self._redis.script_load(_WRITE))
        pieces = [dict(islice(own.waiting.items(), CHANGES)) for _, own in shops]
        commands = [
            self._command(shop, own, piece)
            for (shop, own), piece in zip(shops, pieces, strict=True)
        ]
        answers = await self._pipe(commands, forgiving=True)
        for (shop, own), piece, answer in zip(shops, pieces, answers, strict=True):
            if isinstance(answer, NoScriptError):
                self._sha = ""
            elif isinstance(answer, Exception):
                raise answer
            elif answer == 1:
                own.writes += 1
                own.anew = False
                for who, transport in piece.items():
                    if own.waiting[who] == transport:  # Else it has changed again meanwhile.
                        del own.waiting[who]
            else:
                own.again()
            if own.waiting or answer != 1:
                self._changed[shop] = None
            elif not own.people:
                del self._shops[shop]

    def _command(self, shop: str, own: _Own, piece: dict[str, str]) -> tuple[Any, ...]:
        digest = own.digest
        return (
            "EVALSHA",
            self._sha,
            3,
            self._key(shop, self._source, "people"),
            self._key(shop, self._source, "digest"),
            self._key(shop),
            0 if own.anew else own.writes,
            own.writes + 1,
            self._lapse,
            f"{digest.visitors} {digest.agents} {digest.sum}",
            self._source.bytes,
            *(text for pair in piece.items() for text in pair),
        )

    async def _pipe(
        self, commands: Iterable[tuple[Any, ...]], forgiving: bool = False
    ) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return await pipe.execute(raise_on_error=not forgiving)

    def _key(self, shop: str, source: UUID | None = None, what: str = "") -> str:
        return (
            f"{self._prefix}{shop}" if source is None else f"{self._prefix}{shop}/{source}/{what}"
        )

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        log.warning("live state is not in Redis for now", reason=str(error))
