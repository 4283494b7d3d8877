"""The private names of aioquic that this folder leans on, by whose they are.

What holds always: every one is used, and every one that is used is here (a test reads the sources).
May import: nothing of Tradewind.
"""

from __future__ import annotations

PRIVATE: dict[str, tuple[str, ...]] = {
    "connection": (
        "_ack_delay",
        "_alpn_handler",
        "_close_at",
        "_close_end",
        "_close_event",
        "_confirm_handshake",
        "_QuicConnection__frame_handlers",
        "_crypto_buffers",
        "_crypto_streams",
        "_cryptos",
        "_cryptos_initial",
        "_datagrams_pending",
        "_events",
        "_find_network_path",
        "_handle_session_ticket",
        "_handshake_complete",
        "_host_cids",
        "_local_initial_source_connection_id",
        "_local_max_data",
        "_local_max_streams_bidi",
        "_local_max_streams_uni",
        "_loss",
        "_network_paths",
        "_on_max_stream_data_delivery",
        "_peer_cid",
        "_quic_logger",
        "_remote_initial_source_connection_id",
        "_remote_max_datagram_frame_size",
        "_replenish_connection_ids",
        "_send_probe",
        "_serialize_transport_parameters",
        "_session_ticket_handler",
        "_spaces",
        "_streams",
        "_write_ack_frame",
        "_write_handshake_done_frame",
        "_write_new_connection_id_frame",
        "_write_ping_frame",
        "_write_stream_limits",
    ),
    "recovery": (
        "_cc",
        "_on_packets_lost",
        "_pacer",
        "_pto_count",
        "_rtt_initial",
        "_rtt_initialized",
        "_rtt_smoothed",
    ),
    "sender": ("_buffer_start", "_buffer_stop", "_buffer_fin", "_reset_error_code"),
    "h3": ("_get_local_settings", "_local_control_stream_id", "_stream"),
    "tls": ("_peer_certificate",),
}
