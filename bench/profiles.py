"""Networks by name: what each one does to packets, and whose figures say so.

What holds always: a profile is a record of one-way figures for both directions; it never changes
under a name that was published, a better one gets a new name.
May import: network's Shape.
"""

from __future__ import annotations

from msgspec import Struct

from bench.network.shape import Shape

MBIT = 1_000_000


class Profile(Struct, frozen=True, kw_only=True):
    """`up` is from the shopper's device to the server. `basis` says where the figures come from."""

    name: str
    about: str
    basis: str
    up: Shape
    down: Shape
    tunnel: float | None = None
    """Seconds of darkness in the scenarios that have one."""

    @property
    def propagation(self) -> float:
        """Seconds that the longer way takes when nothing goes wrong, without jitter."""
        return max(self.up.delay, self.down.delay)


def _even(name: str, about: str, basis: str, shape: Shape) -> Profile:
    return Profile(name=name, about=about, basis=basis, up=shape, down=shape)


_ALL = (
    _even(
        "lossy-3",
        "200 ms RTT, 10 ms jitter, 3 % random loss each way",
        "A yardstick, not a place.",
        Shape(delay=0.100, jitter=0.010, loss=0.03),
    ),
    _even(
        "bursty-5",
        "200 ms RTT, 10 ms jitter, 5 % loss each way in bursts of 2.5 packets",
        "A yardstick, not a place.",
        Shape(delay=0.100, jitter=0.010, loss=0.05, burst=2.5),
    ),
)
PROFILES = {profile.name: profile for profile in _ALL}


class UnknownProfile(Exception):
    """No profile has this name. The message lists those there are."""


def profile(name: str) -> Profile:
    """The profile of a name. Raises UnknownProfile."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UnknownProfile(f"no profile “{name}”: choose from {', '.join(PROFILES)}") from None
