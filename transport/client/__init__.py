"""The Python client: sessions over every transport, and a `Client` that outlives them."""
