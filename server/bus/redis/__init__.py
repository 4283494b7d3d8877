"""The bus of many workers on many hosts: one Redis Stream per topic.

Whoever publishes adds to the topic's stream, and everybody who listens reads it from a position of
their own, so all see one order. Redis is never the truth: what it loses is in the logs.

    publish ─▶ publisher ─▶ stream of the topic ─▶ reader ─▶ order ─▶ receivers
"""

from server.bus.redis.bus import RedisBus

__all__ = ["RedisBus"]
