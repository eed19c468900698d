"""Events, their one text form, and the check of a chain, without any store."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance_core.core import canonical_json, digest
from governance_core.ledger import Event, event_name, parse, production_history, seal, verify

CHAIN = "churn.stages"
Records = list[tuple[str, str]]


def chain_of(length: int) -> Records:
    records: Records = []
    event: Event | None = None
    for n in range(length):
        event = seal(CHAIN, "note", {"n": n}, event)
        records.append((event_name(event.seq), event.text))
    return records


def edited(text: str, **changes: object) -> str:
    """Return an event's text with other fields and a hash that fits them: what a careful forger writes."""
    fields = json.loads(text) | changes
    del fields["hash"]
    return canonical_json(fields | {"hash": digest(fields)}).decode()


def problems(records: Records) -> list[str]:
    return [str(found) for found in verify(CHAIN, records)]


def test_an_event_reads_back_as_it_was_sealed() -> None:
    first = seal(CHAIN, "note", {"text": "größer", "n": 0.5}, None)
    second = seal(CHAIN, "note", {}, first)
    assert parse(second.text) == second
    assert (first.seq, second.seq, second.prev) == (1, 2, first.hash)


def test_what_json_cannot_hold_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="canonical"):
        seal(CHAIN, "note", {"value": float("nan")}, None)


@pytest.mark.parametrize("text", ["", "[]", "{}", "7", '{"seq": 1}', edited(chain_of(1)[0][1], seq="1")])
def test_what_is_no_event_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match="not an event"):
        parse(text)


@given(st.integers(0, 12))
def test_an_untouched_chain_holds(length: int) -> None:
    assert problems(chain_of(length)) == []


@given(st.data())
def test_any_edit_before_the_last_event_is_found(data: st.DataObject) -> None:
    records = chain_of(data.draw(st.integers(2, 8)))
    at = data.draw(st.integers(0, len(records) - 2))
    field, value = data.draw(
        st.sampled_from([("body", {"n": 99}), ("at", "1999-01-01"), ("kind", "other"), ("prev", "sha256:0")])
    )
    name, text = records[at]
    rehashed = data.draw(st.booleans())
    forged = edited(text, **{field: value}) if rehashed else canonical_json(json.loads(text) | {field: value}).decode()
    records[at] = (name, forged)
    assert problems(records)


@given(st.data())
def test_any_deletion_before_the_last_event_is_found(data: st.DataObject) -> None:
    records = chain_of(data.draw(st.integers(2, 8)))
    del records[data.draw(st.integers(0, len(records) - 2))]
    assert problems(records)


@given(st.data())
def test_any_reordering_is_found_even_under_the_right_names(data: st.DataObject) -> None:
    records = chain_of(data.draw(st.integers(2, 8)))
    texts = [text for _, text in records]
    order = data.draw(st.permutations(texts).filter(lambda order: order != texts))
    assert problems([(name, text) for (name, _), text in zip(records, order, strict=True)])


@given(st.data())
def test_any_insertion_is_found(data: st.DataObject) -> None:
    records = chain_of(data.draw(st.integers(1, 8)))
    after = data.draw(st.integers(0, len(records) - 1))
    inserted = seal(CHAIN, "note", {"forged": True}, parse(records[after][1])).text
    if after < len(records) - 1:
        records.insert(after + 1, (event_name(after + 2), inserted))
    else:
        records.insert(after, records[after])
    assert problems(records)


def test_a_replaced_event_is_named() -> None:
    records = chain_of(3)
    records[1] = (records[1][0], edited(records[1][1], body={"n": 9}))
    assert problems(records) == [
        "churn.stages event 3: does not follow from the event before it: one of the two was replaced"
    ]


def test_an_edited_event_is_named() -> None:
    records = chain_of(3)
    records[1] = (records[1][0], records[1][1].replace('"n":1', '"n":2'))
    assert problems(records) == [
        "churn.stages event 2: e000002 is not intact: its content does not have its hash, so it was edited"
    ]


def test_whitespace_is_an_edit() -> None:
    records = chain_of(2)
    records[0] = (records[0][0], records[0][1].replace('"seq":1', '"seq": 1'))
    assert "canonical form" in problems(records)[0]


def test_a_gap_is_named() -> None:
    records = chain_of(5)
    del records[1:3]
    assert "churn.stages event 4: 2 event(s) before it are missing" in problems(records)


def test_a_doubled_event_is_named() -> None:
    records = chain_of(2)
    records.insert(1, records[0])
    assert "churn.stages event 1: stands where event 2 should: inserted, doubled or out of order" in problems(records)


def test_an_event_under_a_wrong_name_is_found() -> None:
    records = chain_of(2)
    assert problems([("other", records[0][1]), records[1]]) == ["churn.stages event 1: is stored as other"]


def test_a_chain_under_another_name_is_found() -> None:
    found = [str(found) for found in verify("other.stages", chain_of(2))]
    assert "other.stages event 1: belongs to the chain churn.stages" in found
    assert "other.stages event 1: does not follow from the event before it: one of the two was replaced" in found


def test_the_last_event_and_a_cut_off_end_take_a_signed_copy_to_notice() -> None:
    records = chain_of(4)
    assert problems(records[:3]) == []
    records[3] = (records[3][0], edited(records[3][1], body={"n": 9}))
    assert problems(records) == []


def test_a_version_that_was_rolled_back_from_is_marked_until_it_gets_there_again() -> None:
    events: list[Event] = []

    def outcome(action: str, number: int, production: int) -> None:
        holder = {"id": str(production), "number": production}
        body = {"action": action, "result": "done", "to": "production", "version": {"id": str(number)}}
        body["holders"] = {"staging": None, "production": holder}
        events.append(seal(CHAIN, "outcome", body, events[-1] if events else None))

    def history() -> list[tuple[str, bool]]:
        return [(served.version["id"], served.rolled_back_from) for served in production_history(events)]

    outcome("promote", 1, 1)
    outcome("promote", 2, 2)
    outcome("rollback", 1, 1)
    assert history() == [("1", False), ("2", True)]
    outcome("rollback", 2, 2)
    assert history() == [("1", True), ("2", False)]
    outcome("promote", 1, 1)
    assert history() == [("2", False), ("1", False)]
