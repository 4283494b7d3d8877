"""Tradewind storage: keeping and finding things durably. Knows nothing of sockets or frames."""
