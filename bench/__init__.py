"""Tradewind bench: a client like any other, plus an emulated network."""
