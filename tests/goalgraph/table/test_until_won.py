"""until_won: again while somebody else wrote in between, but not for ever, and for nothing else."""

import time
from collections.abc import Callable

import pytest

from goalgraph.table import until_won
from goalgraph.table.port import CONDITION_FAILED, ConditionFailed, Reason, TableUnavailable, TransactionCanceled

LOST: list[Exception] = [ConditionFailed(), TransactionCanceled([Reason(CONDITION_FAILED)])]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def attempts(*outcomes: object) -> Callable[[], object]:
    left = list(outcomes)

    def attempt() -> object:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return attempt


def test_what_wins_at_once_waits_for_nothing(pauses: list[float]) -> None:
    assert until_won(attempts("won")) == "won"
    assert pauses == []


def test_who_loses_tries_again(pauses: list[float]) -> None:
    assert until_won(attempts(*LOST, *LOST, "won")) == "won"
    assert len(pauses) == 4


def test_pauses_stay_short_however_long_it_takes(pauses: list[float]) -> None:
    assert until_won(attempts(*LOST * 500, "won"), tries=1_001) == "won"
    assert 0 <= min(pauses) <= max(pauses) <= 0.5


def test_the_last_refusal_is_told_when_tries_are_used_up(pauses: list[float]) -> None:
    last = ConditionFailed("the winner")
    with pytest.raises(ConditionFailed) as refusal:
        until_won(attempts(*LOST, last, "never asked"), tries=3)
    assert refusal.value is last
    assert len(pauses) == 2


@pytest.mark.parametrize("error", [TableUnavailable("no answer"), ValueError("a mistake")])
def test_what_is_no_lost_race_is_not_tried_again(pauses: list[float], error: Exception) -> None:
    with pytest.raises(type(error)):
        until_won(attempts(error, "never asked"))
    assert pauses == []
