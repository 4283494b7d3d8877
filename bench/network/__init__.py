"""An emulated long network: two namespaces, "client" and "server", and a link between them.

    with Network(profile.up, profile.down, seed=1) as net:
        server = await net.server.spawn("tradewind", "serve", …)   # listens on net.server.address
        client = await net.client.spawn(sys.executable, "-m", "bench.…")
        net.link.blackhole(True)
        print(net.link.stats().up.lost)

What holds always: every IP packet between the two crosses the link, TCP and UDP alike; nothing of
it has a name on the machine, and the kernel takes it away when the processes are gone, however
they go.
May import: nothing of Tradewind.
"""

from bench.network.commands import Count, Stats
from bench.network.kernel import NetworkUnavailable, require
from bench.network.network import LinkLost, Network
from bench.network.place import CLIENT, SECOND_CLIENT, Place
from bench.network.shape import Shape

__all__ = [
    "CLIENT",
    "SECOND_CLIENT",
    "Count",
    "LinkLost",
    "Network",
    "NetworkUnavailable",
    "Place",
    "Shape",
    "Stats",
    "require",
]
