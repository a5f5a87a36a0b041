"""Instants as text: the order of the text is the order of time."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.table.attributes import InstantAttribute, instant_text
from tests.contracts.table_items import instants

INSTANTS = instants(st.timezones() | st.just(UTC))


@given(first=INSTANTS, second=INSTANTS)
def test_the_order_of_the_text_is_the_order_of_time(first: datetime, second: datetime) -> None:
    texts, times = (instant_text(first), instant_text(second)), (first.astimezone(UTC), second.astimezone(UTC))
    assert (texts[0] < texts[1], texts[0] == texts[1]) == (times[0] < times[1], times[0] == times[1])
    assert len(texts[0]) == len(texts[1]) == len("2027-07-01T12:00:00.000000Z")


@given(instant=INSTANTS)
def test_an_instant_comes_back(instant: datetime) -> None:
    attribute = InstantAttribute()
    back = attribute.deserialize(attribute.serialize(instant))
    assert back == instant.astimezone(UTC)
    assert back.utcoffset() == timedelta(0)


def test_the_spelling() -> None:
    assert instant_text(datetime(2027, 7, 1, 9, 30, 0, 5, tzinfo=timezone(timedelta(hours=-3)))) == "2027-07-01T12:30:00.000005Z"


class Nowhere(tzinfo):
    """A time zone that does not know its offset: such a datetime is naive, says Python's documentation."""

    def utcoffset(self, _: datetime | None) -> None:
        return None


@pytest.mark.parametrize("naive", [datetime(2027, 7, 1), datetime(2027, 7, 1, tzinfo=Nowhere())])  # noqa: DTZ001
def test_a_naive_datetime_is_refused(naive: datetime) -> None:
    with pytest.raises(ValueError, match="time zone"):
        instant_text(naive)


@pytest.mark.parametrize(
    "instant",
    [datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))],
)
def test_what_is_outside_the_calendar_in_utc_is_refused(instant: datetime) -> None:
    with pytest.raises(ValueError, match="calendar"):
        instant_text(instant)
