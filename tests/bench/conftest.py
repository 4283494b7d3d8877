"""What the tests of the bench share."""

from __future__ import annotations

import pytest

from bench.network import NetworkUnavailable, require


@pytest.fixture
def linux_root() -> None:
    """Network namespaces and TUN, or a skip that says what is missing."""
    try:
        require()
    except NetworkUnavailable as reason:
        pytest.skip(f"an emulated network cannot be made here: {reason}")
