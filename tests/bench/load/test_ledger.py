from __future__ import annotations

from uuid import UUID

import pytest

from bench.load.ledger import Heard, Ledger, Row, Verdict, heard

IDS = [UUID(int=number) for number in range(1, 6)]


def ledger() -> Ledger:
    """Five sent, all accepted and delivered in order."""
    made = Ledger()
    made.sent = list(IDS)
    made.accepted = {client_id: seq for seq, client_id in enumerate(IDS, 1)}
    made.delivered = log()
    return made


def log() -> list[Row]:
    return [Row(seq, client_id) for seq, client_id in enumerate(IDS, 1)]


def test_a_log_that_is_as_it_should_be_has_no_breach() -> None:
    verdict = ledger().verdict(log())
    assert verdict == Verdict(sent=5, accepted=5)
    assert verdict.breaches == 0


def test_an_accepted_message_that_is_not_in_the_log_is_lost() -> None:
    verdict = ledger().verdict(log()[:-1])
    assert (verdict.lost, verdict.breaches) == (1, 1)


def test_a_message_twice_in_the_log_is_doubled() -> None:
    verdict = ledger().verdict([*log(), Row(6, IDS[2])])
    assert verdict.doubled == 1


def test_an_entry_delivered_twice_is_doubled() -> None:
    faulty = ledger()
    faulty.delivered.append(faulty.delivered[-1])
    assert faulty.verdict(log()).doubled == 1


def test_messages_that_changed_places_are_disordered() -> None:
    faulty = ledger()
    swapped = [Row(1, IDS[1]), Row(2, IDS[0]), *log()[2:]]
    faulty.accepted |= {IDS[1]: 1, IDS[0]: 2}
    assert faulty.verdict(swapped).disordered == 1


def test_entries_delivered_out_of_order_are_disordered() -> None:
    faulty = ledger()
    faulty.delivered.reverse()
    assert faulty.verdict(log()).disordered == 4


@pytest.mark.parametrize(
    "entries",
    [
        [*log()[:4], Row(6, IDS[4])],  # a place of the log is empty, and `accepted` said another
        [*log(), Row(6, UUID(int=99))],  # nobody sent that
    ],
)
def test_what_is_in_the_log_and_should_not_be_is_strange(entries: list[Row]) -> None:
    assert ledger().verdict(entries).strange > 0


def test_what_was_refused_for_good_may_not_be_in_the_log() -> None:
    faulty = ledger()
    del faulty.accepted[IDS[4]]
    faulty.refused.add(IDS[4])
    assert faulty.verdict(log()).strange == 1
    assert faulty.verdict(log()[:4]) == Verdict(sent=5, accepted=4, refused_for_good=1)


def test_what_nobody_answered_is_counted_and_is_no_breach() -> None:
    made = ledger()
    del made.accepted[IDS[4]]
    verdict = made.verdict(log())
    assert (verdict.unanswered, verdict.breaches) == (1, 0)


def test_verdicts_add_up() -> None:
    one = ledger().verdict(log()[:-1])
    assert one + one == Verdict(sent=10, accepted=10, lost=2)


def test_a_listener_that_missed_doubled_and_confused_is_told_apart() -> None:
    rows = log()
    assert heard(IDS, rows) == Heard()
    assert heard(IDS, rows[1:]) == Heard(missed=1)
    assert heard(IDS, [*rows, rows[-1]]) == Heard(doubled=1)
    assert heard(IDS, [rows[1], rows[0], *rows[2:]]) == Heard(disordered=1)
