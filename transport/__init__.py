"""Tradewind transport: bytes, packets, sessions, frames. Knows nothing of shops or SQL."""
