"""Two use cases at once, step by step: every order in which their calls of the table can follow each other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from goalgraph.table.port import Adapter, Key, Operation, Raw, RawPage, Span

PATIENCE = 30.0
"""Seconds until a step that does not end fails the test."""


class SteppingTable:
    """The table behind `adapter`. Each call of a thread that belongs to a run waits until the run lets it go."""

    adapter: ClassVar[Adapter]
    run: ClassVar["Run | None"] = None

    def get(self, key: Key, *, consistent: bool) -> Raw | None:
        return self._step(lambda: self.adapter.get(key, consistent=consistent))

    def get_many(self, keys: Sequence[Key], *, consistent: bool) -> list[Raw]:
        return self._step(lambda: self.adapter.get_many(keys, consistent=consistent))

    def query(self, span: Span, *, limit: int | None, forward: bool, consistent: bool, start: Raw | None) -> RawPage:
        return self._step(lambda: self.adapter.query(span, limit=limit, forward=forward, consistent=consistent, start=start))

    def put(self, raw: Raw, condition: Any) -> None:
        self._step(lambda: self.adapter.put(raw, condition))

    def update(self, key: Key, actions: Sequence[Any], condition: Any) -> Raw:
        return self._step(lambda: self.adapter.update(key, actions, condition))

    def delete(self, key: Key, condition: Any) -> None:
        self._step(lambda: self.adapter.delete(key, condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        self._step(lambda: self.adapter.transact(operations, token), writes=True)

    def _step(self, call: Callable[[], Any], *, writes: bool = False) -> Any:
        run = type(self).run
        me = None if run is None else run.number_of_this_thread()
        if run is None or me is None:
            return call()
        run.wait_for_turn(me)
        result = call()
        if writes:
            run.written.append(me)
        return result


class Run:
    """One order. `schedule` says whose turn it is wherever several could go on; after its end the first one always goes."""

    def __init__(self, schedule: Sequence[int]) -> None:
        self._schedule = schedule
        self.taken: list[int] = []
        self.options: list[int] = []
        self.written: list[int] = []
        """The numbers of the use cases, in the order in which their transactions took effect."""
        self.errors: list[BaseException] = []
        self._numbers: dict[int, int] = {}
        self._waiting: dict[int, threading.Event] = {}
        self._running = 0
        self._changed = threading.Condition()

    def __call__(self, *use_cases: Callable[[], object]) -> None:
        threads = [threading.Thread(target=self._do, args=(number, use_case)) for number, use_case in enumerate(use_cases)]
        self._running = len(threads)
        for thread in threads:
            thread.start()
        while (turn := self._next()) is not None:
            turn.set()
        for thread in threads:
            thread.join(PATIENCE)
        if self.errors:
            raise self.errors[0]

    def number_of_this_thread(self) -> int | None:
        return self._numbers.get(threading.get_ident())

    def wait_for_turn(self, me: int) -> None:
        mine = threading.Event()
        with self._changed:
            self._waiting[me] = mine
            self._running -= 1
            self._changed.notify_all()
        if not mine.wait(PATIENCE):
            raise TimeoutError("nobody gave this step its turn")

    def _do(self, number: int, use_case: Callable[[], object]) -> None:
        self._numbers[threading.get_ident()] = number
        try:
            use_case()
        except BaseException as error:  # noqa: BLE001 - raised where the run was called
            self.errors.append(error)
        finally:
            with self._changed:
                self._numbers.pop(threading.get_ident())
                self._running -= 1
                self._changed.notify_all()

    def _next(self) -> threading.Event | None:
        """Of those that could go on once all wait, the one whose turn it is; None when all are done."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._running == 0, PATIENCE):
                raise TimeoutError("a step does not end")
            if not self._waiting:
                return None
            ready = sorted(self._waiting)
            choice = self._schedule[len(self.taken)] if len(self.taken) < len(self._schedule) else 0
            self.taken.append(choice)
            self.options.append(len(ready))
            self._running += 1
            return self._waiting.pop(ready[choice])


def orders() -> Iterator[Run]:
    """A run for each order, one after the other. The use cases must begin from the same state each time."""
    schedule: list[int] = []
    while True:
        SteppingTable.run = run = Run(schedule)
        try:
            yield run
        finally:
            SteppingTable.run = None
        taken, options = run.taken, run.options
        while taken and taken[-1] + 1 == options[-1]:
            taken.pop()
            options.pop()
        if not taken:
            return
        schedule = [*taken[:-1], taken[-1] + 1]
