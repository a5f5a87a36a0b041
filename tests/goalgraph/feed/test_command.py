"""`manage.py feed`: whom it reads for, and where it ends. (As a process: tests/e2e/test_feed.py.)"""

import signal
import threading
from collections.abc import Iterator

import pytest
import urllib3
from django.core.management import CommandError, call_command

from goalgraph.adapters.local.embedded import free_port
from goalgraph.feed import consumers
from goalgraph.feed.reader import Reader
from goalgraph.management.commands import feed
from tests.goalgraph.feed.world import Collector, Source


@pytest.fixture
def two(world, monkeypatch) -> Iterator[tuple[Collector, Collector]]:
    one, other = Collector("one"), Collector("other")
    monkeypatch.setattr(feed, "consumers", lambda: {each.name: each for each in (one, other)})
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGINT)}
    yield one, other
    for sign, handler in before.items():
        signal.signal(sign, handler)


def test_there_are_two_consumers():
    assert list(consumers.consumers()) == ["dispatch", "audit"]


def test_until_the_end_for_all_or_for_one(two, capsys):
    source = Source()
    source.write()
    call_command("feed", "--until-end", "--consumer", "one")
    assert [len(each.taken) for each in two] == [1, 0]
    assert capsys.readouterr().out.splitlines() == ["feed: reading for one", "feed: at the end"]
    source.write()
    call_command("feed", "--until-end")
    assert [len(each.taken) for each in two] == [2, 2]


def test_it_shows_prometheus_how_far_it_lags(two, settings):
    settings.FEED_METRICS = f"127.0.0.1:{free_port()}"
    call_command("feed", "--until-end", "--consumer", "one")
    shown = urllib3.request("GET", f"http://{settings.FEED_METRICS}/metrics", retries=False).data.decode()
    assert 'goalgraph_feed_lag_seconds{consumer="one"} 0.0' in shown


def test_a_name_that_no_consumer_has(two):
    with pytest.raises(CommandError, match="no consumer three; there are one, other"):
        call_command("feed", "--consumer", "three")


def test_where_one_breaks_down_the_whole_process_ends(two, monkeypatch):
    """Whoever watches over it starts it again. A process that lives on with half of its work undone, nobody would see."""

    def run(reader: Reader, stop: threading.Event, *, until_end: bool) -> None:
        if reader.consumer.name == "one":
            raise MemoryError
        assert stop.wait(60)

    monkeypatch.setattr(Reader, "run", run)
    with pytest.raises(MemoryError):
        call_command("feed")
