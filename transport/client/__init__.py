"""The Python client: sessions over every transport, and a `Client` that outlives them.

May import: all of transport but accept and serve.
"""

from transport.client.client import Client
from transport.client.dial import KINDS, dial
from transport.client.entries import Entries
from transport.client.errors import (
    ClientStopped,
    DialError,
    DialRefused,
    EntriesLost,
    OutboxFull,
    Refusal,
)
from transport.client.settings import Connected, Settings, Token
from transport.client.trust import Trust

__all__ = [
    "KINDS",
    "Client",
    "ClientStopped",
    "Connected",
    "DialError",
    "DialRefused",
    "Entries",
    "EntriesLost",
    "OutboxFull",
    "Refusal",
    "Settings",
    "Token",
    "Trust",
    "dial",
]
