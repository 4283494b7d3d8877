"""The numbers of a connection: what a peer may fill, and how long things take.

What holds always: each has a stated behaviour at the bound.
May import: nothing of Tradewind.
"""

from __future__ import annotations

PEER_BIDI = 64
"""Bidirectional streams a peer may have open at once. More: STREAM_LIMIT_ERROR, it is cut."""
PEER_UNI = 16
"""Unidirectional ones; HTTP/3 itself needs three."""
STREAM_WINDOW = 262_144
"""Bytes a peer may send on a stream before they are taken. More: FLOW_CONTROL_ERROR, it is cut."""
CONNECTION_WINDOW = 2_097_152
"""Bytes a peer may have in flight on all streams together. More: FLOW_CONTROL_ERROR."""
HIGH_WATER = 262_144
"""Bytes a stream of ours may have sent and not acknowledged before its writer waits."""
WRITE_STALL = 60.0
"""Seconds a server's writer waits without being let on before its stream is reset, or its session
cut where that is the same."""
QUEUED_DATAGRAMS = 256
"""Datagrams that wait for the congestion window. Over it the oldest is dropped."""
MAX_DATAGRAM = 1_169
"""Most bytes of a WebTransport datagram, whatever the peer would take."""
MAX_PARTIAL_FRAME = 16_384
"""Bytes of a frame that must be whole before it means anything. Over it: H3_EXCESSIVE_LOAD."""
MAX_FIELD_SECTION = 65_536
"""Decoded bytes of a header section that we accept (RFC 9114 section 4.2.2)."""
PROBE_PACKETS = 8
"""Packets whose content a probe of ours sends again, at most."""
ROOM_TO_ANSWER = 400
"""Bytes of a packet that asks whether the path still leads to us. A server that hears it from a new
address may answer three times as much there (RFC 9000 section 8.1): what somebody waits for."""
MAX_OVERTAKING = 4
"""Datagrams of a handshake that wait for their keys. Over it one is dropped: it is sent again."""
HASTE = 0.02
"""Seconds after which a client sends a flight of its handshake a second time, unless it was heard:
more than a burst of loss lasts, and much less than the path takes where it matters."""
SILENT = 2
"""Probe timeouts without an answer after which what waits is no longer the news."""
ECHO = 0.012
"""Seconds after which a packet is sent once more while we catch up: long enough that what took the
first may be over, short beside a round trip."""
ECHOES = 16
"""Packets in a round trip that are; a thin flow sends ten. Over it they are sent once."""
LATE = 1.125
"""Round trips after which an echo is taken for lost. QUIC itself finds that out by what was sent
later, and after the last packet of a burst nothing is."""
MAX_PTO = 3.0
"""Seconds after which a probe is sent, at most, while something is not acknowledged. RFC 9002
section 6.2.1 doubles the time without end, and then a phone that comes out of a long tunnel waits
as long again; this costs a packet every MAX_PTO until the idle timeout."""
IDLE_TIMEOUT = 60.0
"""Seconds without a packet after which a connection is forgotten."""
INITIAL_RTT = 0.333
"""RFC 9002 section 6.2.2. aioquic's 0.1 s sends everything twice on a 200 ms path."""
ACK_HOLD = 0.02
"""Seconds an acknowledgement waits for something to ride on: a reply after a commit, or the next
copy of a frame. Every second packet, and one that shows a gap, is acknowledged at once (RFC 9000
section 13.2); the 25 ms that aioquic promises to the peer are the limit."""
CONNECTION_ID_LENGTH = 8
