"""One effect for one key, over HTTP and in the table."""

import itertools
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Invalid
from goalgraph.graphql.context import Context
from goalgraph.graphql.idempotency import KEPT, LEASE, Answer, InProgress, check_key, once
from tests.fixtures import FakeClock, new_user
from tests.goalgraph.conftest import Edge, code_of
from tests.goalgraph.graphql.sample import effects

COUNT = "mutation($name:String!,$size:Int,$fail:String){count(name:$name,size:$size,fail:$fail){times filler}}"
pytestmark = pytest.mark.usefixtures("stored")


@pytest.fixture
def name() -> str:
    """Names a counter that nobody else counts with."""
    return uuid.uuid4().hex


def send(edge: Edge, key: str, name: str, **variables: Any) -> httpx.Response:
    return edge.post(COUNT, {"name": name} | variables, headers={"Idempotency-Key": key})


def test_fifty_at_once_take_effect_once_and_get_the_same_bytes(edge: Edge, name: str) -> None:
    with ThreadPoolExecutor(50) as clients:
        responses = list(clients.map(lambda _: send(edge, "k-1", name), range(50)))
    assert effects[name] == 1
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert responses[0].json()["data"] == {"count": {"times": 1, "filler": ""}}


def test_a_repeated_request_gets_the_first_answer(edge: Edge, name: str) -> None:
    first = send(edge, "k-1", name)
    assert send(edge, "k-1", name).content == first.content
    assert effects[name] == 1


def test_keys_belong_to_their_member(edge: Edge, name: str) -> None:
    send(edge, "k-1", name)
    edge.sign_in()
    assert send(edge, "k-1", name).json()["data"]["count"]["times"] == 2


def test_without_a_key_each_request_takes_effect(edge: Edge, name: str) -> None:
    for _ in range(2):
        edge.post(COUNT, {"name": name})
    assert effects[name] == 2


def test_the_same_key_with_another_body_is_a_conflict(edge: Edge, name: str) -> None:
    first = send(edge, "k-1", name)
    for other in (send(edge, "k-1", name, size=8), edge.post('mutation{count(name:"x"){times}}', headers={"Idempotency-Key": "k-1"})):
        assert code_of(other.json()) == "CONFLICT"
        assert other.json()["errors"][0]["extensions"]["field"] == "Idempotency-Key"
    assert effects[name] == 1
    assert send(edge, "k-1", name).content == first.content


def test_the_order_of_variables_does_not_matter(edge: Edge, name: str) -> None:
    first = edge.post(COUNT, {"name": name, "size": 8}, headers={"Idempotency-Key": "k-1"})
    assert edge.post(COUNT, {"size": 8, "name": name}, headers={"Idempotency-Key": "k-1"}).content == first.content


@pytest.mark.parametrize("code", ["NOT_FOUND", "FORBIDDEN", "QUOTA_EXCEEDED", "PREMIUM_REQUIRED", "INVALID"])
def test_a_refusal_is_an_answer_and_is_repeated(edge: Edge, name: str, code: str) -> None:
    first = send(edge, "k-1", name, fail=code)
    assert code_of(first.json()) == code
    assert send(edge, "k-1", name, fail=code).content == first.content
    assert effects[name] == 1


@pytest.mark.parametrize("code", ["INTERNAL", "RATE_LIMITED", "CONFLICT"])
def test_a_transient_failure_leaves_the_key_free(edge: Edge, name: str, code: str) -> None:
    for _ in range(2):
        assert code_of(send(edge, "k-1", name, fail=code).json()) == code
    assert effects[name] == 2


def test_a_transient_failure_beside_a_success_is_kept(edge: Edge, name: str) -> None:
    both = 'mutation($n:String!){a:count(name:$n){times} b:count(name:$n,fail:"INTERNAL"){times}}'
    first = edge.post(both, {"n": name}, headers={"Idempotency-Key": "k-1"})
    assert first.json()["data"] == {"a": {"times": 1}, "b": None}
    assert edge.post(both, {"n": name}, headers={"Idempotency-Key": "k-1"}).content == first.content
    assert effects[name] == 2


def test_an_invalid_document_does_not_use_the_key_up(edge: Edge, name: str) -> None:
    assert code_of(edge.post("mutation{nothing}", headers={"Idempotency-Key": "k-1"}).json()) == "INVALID"
    assert send(edge, "k-1", name).json()["data"]["count"]["times"] == 1


def test_an_answer_too_large_to_keep_is_a_conflict_when_asked_again(edge: Edge, name: str) -> None:
    first = send(edge, "k-1", name, size=60_000)
    assert len(first.content) > 60_000
    assert code_of(send(edge, "k-1", name, size=60_000).json()) == "CONFLICT"
    assert effects[name] == 1


def test_a_large_answer_that_compresses_is_kept(edge: Edge, name: str) -> None:
    first = send(edge, "k-1", name, size=8000)
    assert len(first.content) > 8000
    assert send(edge, "k-1", name, size=8000).content == first.content


def test_queries_need_no_key(edge: Edge) -> None:
    answers = [edge.post(query, headers={"Idempotency-Key": "k-1"}).json() for query in ("{ok}", "{me{id}}")]
    assert all("errors" not in answer for answer in answers)


@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb", "é".encode("latin-1")])
def test_a_malformed_key_is_invalid(edge: Edge, name: str, key: str | bytes) -> None:
    response = edge.post(COUNT, {"name": name}, headers={"Idempotency-Key": key})  # type: ignore[dict-item]
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["field"] == "Idempotency-Key"
    assert effects[name] == 0


@given(st.text(max_size=140))
def test_a_key_is_printable_ascii(key: str) -> None:
    fine = 1 <= len(key) <= 128 and all(" " <= letter <= "~" for letter in key)
    if fine:
        assert check_key(key) == key
    else:
        with pytest.raises(Invalid):
            check_key(key)


def test_keys_that_no_id_may_be_are_kept_apart(edge: Edge, name: str) -> None:
    keys = ["IDEM#other#key", "a b", "a#b", '"quoted"', "../..", "~" * 128]
    assert [send(edge, key, name).json()["data"]["count"]["times"] for key in keys] == [1, 2, 3, 4, 5, 6]
    assert send(edge, "a b", name).json()["data"]["count"]["times"] == 2


# Crashes ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def memory(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def hung(memory: FakeClock) -> Iterator[Actor]:
    """A member whose first request with the key `k` was begun and does not end while the test runs."""
    actor, begun, end = new_user(), threading.Event(), threading.Event()

    def never_ends(_: str) -> Answer:
        begun.set()
        end.wait()
        return Answer(500, b"too late")

    thread = threading.Thread(target=once, args=(actor, "k", "same", never_ends))
    thread.start()
    begun.wait()
    yield actor
    end.set()
    thread.join()


def test_an_attempt_that_never_ends_blocks_its_key_only_for_the_lease(memory: FakeClock, hung: Actor) -> None:
    done = Answer(200, b"done")
    with pytest.raises(InProgress):
        once(hung, "k", "same", lambda _: done)
    with pytest.raises(Conflict):
        once(hung, "k", "other", lambda _: done)
    memory.advance(seconds=LEASE.total_seconds() + 1)
    assert once(hung, "k", "same", lambda _: done) == done
    assert once(hung, "k", "same", lambda _: Answer(200, b"again")) == done


def test_of_many_that_take_over_one_wins(memory: FakeClock, hung: Actor) -> None:
    turns = itertools.count()
    memory.advance(seconds=LEASE.total_seconds() + 1)

    def attempt(_: int) -> Answer | None:
        try:
            return once(hung, "k", "same", lambda _: Answer(200, str(next(turns)).encode()))
        except InProgress:
            return None

    with ThreadPoolExecutor(20) as threads:
        answers = set(threads.map(attempt, range(20)))
    assert answers - {None} == {Answer(200, b"0")}


def test_an_attempt_that_outlived_its_lease_does_not_overwrite_the_answer(memory: FakeClock) -> None:
    actor = new_user()

    def slow(_: str) -> Answer:
        memory.advance(seconds=LEASE.total_seconds() + 1)
        once(actor, "k", "same", lambda _: Answer(200, b"second"))
        return Answer(200, b"first")

    once(actor, "k", "same", slow)
    assert once(actor, "k", "same", lambda _: Answer(200, b"third")).body == b"second"


def test_a_failure_gives_the_key_back_at_once(memory: FakeClock) -> None:
    def fails(_: str) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(actor := new_user(), "k", "same", fails)
    assert once(actor, "k", "same", lambda _: Answer(200, b"done")).body == b"done"


def test_each_attempt_of_a_request_makes_the_same_ids(memory: FakeClock) -> None:
    actor, seeds = new_user(), []

    def dies_after_the_effect(seed: str) -> Answer:
        seeds.append(seed)
        raise ConnectionError

    for _ in range(3):
        with pytest.raises(ConnectionError):
            once(actor, "k", "same", dies_after_the_effect)
    with pytest.raises(ConnectionError):
        once(actor, "another", "same", dies_after_the_effect)
    contexts = [Context(actor, seed) for seed in seeds]
    made = [[context.new_id() for _ in range(3)] for context in contexts]
    assert made[0] == made[1] == made[2]
    assert len({*made[0], *made[3]}) == 6
    assert made[0] == sorted(made[0])


def test_answers_are_kept_for_a_day(memory: FakeClock) -> None:
    actor = new_user()
    once(actor, "k", "same", lambda _: Answer(201, b"old"))
    memory.advance(seconds=KEPT.total_seconds() - 1)
    assert once(actor, "k", "same", lambda _: Answer(200, b"new")) == Answer(201, b"old")
    memory.advance(seconds=2)
    assert once(actor, "k", "same", lambda _: Answer(200, b"new")) == Answer(200, b"new")
