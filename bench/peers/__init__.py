"""The systems that are measured, each behind a small adapter."""
