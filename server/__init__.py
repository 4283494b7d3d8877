"""Tradewind server: what a chat means, and the one place where the parts are put together."""
