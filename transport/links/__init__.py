"""Links: what one region is joined to another by.

    credentials = Credentials(Path("link"))              # region.pem and trusted.pem
    tasks.create_task(credentials.watch())               # takes new files for new links
    async with Listener(credentials, serve).listening(None, 7443) as port: …
    tasks.create_task(Dialler(Target("eu", "eu.example", 7443), credentials, serve).run())

    async def serve(link: Link) -> None:
        link.send(b"conversation", b"anything")
        message = await link.receive()

A link carries opaque messages, each with a key: those of one key arrive in order and each once,
those of others may overtake, so that a loss delays its own conversation only. It goes over QUIC
with the hedged lane, or over TCP where UDP is blocked; both ends show a certificate of the
deployment's own authority, which names their region.

What holds always: links know bytes and the names of regions, nothing of what is said. What was sent
and not answered by whom it was for may be lost with the link: who needs more numbers what they send
and says it again on the next one.
May import: transport.
"""
