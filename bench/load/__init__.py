"""A lean load generator: many sessions in few processes, with the wire's own state machine.

May import: transport's client, wire, session and errors; never the server.
"""
