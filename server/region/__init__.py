"""Several regions, each a whole site, that keep one set of conversations (docs/regions.md).

clock.py     versions of records that count on across regions whose clocks differ
messages.py  what regions tell each other
order.py     entries from elsewhere in order, and what to ask for when some are missing
"""
