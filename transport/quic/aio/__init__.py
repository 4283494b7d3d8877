"""aioquic with bounds: the only folder that touches its private names.

aioquic buffers without end, raises flow-control limits without a ceiling, and forgets nothing of a
handshake or of finished WebTransport streams. Each file here takes up one of these: a class that
changes one topic of QuicConnection and calls it for the rest, so that `connection.Connection` is
all of them together.

What holds always: a private name that is used here stands in `private.PRIVATE`, and a test looks
for each of them, so that an upgrade of aioquic fails loudly. Nobody outside uses one.
May import: quic.congestion, quic.insight.
"""
