"""Networks by name: what each one does to packets, and whose figures say so.

What holds always: a profile is a record of one-way figures for both directions; it never changes
under a name that was published, a better one gets a new name. Where a source gives a range, the
profile takes a point inside it and says which; where there is no source, `basis` says so.

Sources
- Zhu et al., "Characterizing Transnational Internet Performance and the Great Bottleneck of China",
  Proc. ACM Meas. Anal. Comput. Syst. 4(1), 2020, and its authors' summary on the NANOG list, March
  2020: into mainland China most paths fall under 1 Mbit/s for more than 5 hours a day; in those
  hours 15 % of the packets are lost on average and up to 40 %; the way out of China is fine.
- Opensignal, The State of Mobile Network Experience, 2019: Brazil has 71.5 ms of mean latency, 13
  Mbit/s down and 4.5 Mbit/s up over mobile networks.
- FCC, Measuring Broadband America, fixed broadband reports: fibre answers within 10 to 20 ms, and
  most panellists lose less than 0.4 % of their packets at peak hours.
- Borella, Swider, Uludag, Brewster, "Internet packet loss: measurement and implications for
  end-to-end QoS", 1998: most losses come in few bursts.
- 3GPP TR 36.881: an LTE handover interrupts for about 50 ms.
- Light in fibre takes 5 us a kilometre; long paths are 1.5 to 2 times the great circle.
May import: network's Shape.
"""

from __future__ import annotations

from msgspec import Struct

from bench.network.shape import Shape

MBIT = 1_000_000


class Profile(Struct, frozen=True, kw_only=True):
    """`up` is from the shopper's device to the server. `basis` says where the figures come from.

    `tunnel` is how many seconds of darkness a scenario that has one should take.
    """

    name: str
    about: str
    basis: str
    up: Shape
    down: Shape
    tunnel: float = 10.0


def _even(name: str, about: str, basis: str, shape: Shape) -> Profile:
    return Profile(name=name, about=about, basis=basis, up=shape, down=shape)


_ALL = (
    _even(
        "clean-200",
        "200 ms RTT and nothing else",
        "A yardstick: what a transport costs where nothing goes wrong.",
        Shape(delay=0.100),
    ),
    _even(
        "lossy-3",
        "200 ms RTT, up to 10 ms jitter each way, 3 % random loss each way",
        "A yardstick, the one that the project's promises name.",
        Shape(delay=0.100, jitter=0.010, loss=0.03),
    ),
    _even(
        "bursty-5",
        "200 ms RTT, up to 10 ms jitter each way, 5 % loss each way in bursts of 2.5 packets",
        "A yardstick, the one that the project's promises name.",
        Shape(delay=0.100, jitter=0.010, loss=0.05, burst=2.5),
    ),
    Profile(
        name="fibre",
        about="a shopper at home on fibre, in the server's country: 16 ms RTT",
        basis="FCC: 10 to 20 ms, loss far below 0.4 %.",
        up=Shape(delay=0.008, jitter=0.001, loss=0.0005, rate=100 * MBIT, queue=256_000),
        down=Shape(delay=0.008, jitter=0.001, loss=0.0005, rate=300 * MBIT, queue=512_000),
    ),
    Profile(
        name="cn-us",
        about="a shopper in China, a server in the western US, in good hours: 170 ms RTT",
        basis="Shanghai to Los Angeles: 10,400 km, 52 ms in straight fibre, taken 1.6 times. Loss "
        "into China after Zhu et al., well below that of the slow hours; bursts: Borella et al.",
        up=Shape(delay=0.085, jitter=0.010, loss=0.002, rate=10 * MBIT),
        down=Shape(delay=0.085, jitter=0.015, loss=0.03, burst=2.0, rate=4 * MBIT),
    ),
    Profile(
        name="cn-us-evening",
        about="the same in the slow hours: 15 % lost on the way into China, under 1 Mbit/s",
        basis="Zhu et al.: 15 % on average in those hours, bottleneck deep inside China.",
        up=Shape(delay=0.085, jitter=0.010, loss=0.005, rate=10 * MBIT),
        down=Shape(delay=0.105, jitter=0.040, loss=0.15, burst=2.0, rate=0.9 * MBIT),
    ),
    Profile(
        name="cn-br-mobile",
        about="a shopper in Brazil on a phone, a server in China: 370 ms RTT, bursty 2 % loss",
        basis="São Paulo to Shanghai: 18,500 km, 93 ms in straight fibre, taken 1.6 times; plus "
        "half of Opensignal's 71.5 ms, with its rates. Loss and jitter are a guess without a "
        "published figure; bursts: Borella et al.",
        up=Shape(delay=0.185, jitter=0.040, loss=0.02, burst=3.0, rate=4.5 * MBIT),
        down=Shape(delay=0.185, jitter=0.030, loss=0.02, burst=3.0, rate=13 * MBIT),
    ),
    Profile(
        name="metro-tunnel",
        about="a phone on a train: 80 ms RTT, jitter, short bursts, and tunnels without a signal",
        basis="LTE of Opensignal's middle countries; a handover of 50 ms (3GPP TR 36.881) takes a "
        "burst of packets; 10 s of tunnel is a choice, real ones are longer and shorter.",
        up=Shape(delay=0.040, jitter=0.030, loss=0.01, burst=4.0, rate=8 * MBIT),
        down=Shape(delay=0.040, jitter=0.020, loss=0.01, burst=4.0, rate=20 * MBIT),
    ),
    Profile(
        name="reordered",
        about="100 ms RTT, 2 % of the packets 20 ms late, nothing lost",
        basis="A yardstick for what takes lateness for loss.",
        up=Shape(delay=0.050, reorder=0.02),
        down=Shape(delay=0.050, reorder=0.02),
    ),
)
PROFILES = {profile.name: profile for profile in _ALL}


class UnknownProfile(Exception):
    """No profile has this name. The message lists those there are."""


def profile(name: str) -> Profile:
    """The profile of a name. Raises UnknownProfile."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UnknownProfile(f"no profile “{name}”: choose from {', '.join(PROFILES)}") from None
