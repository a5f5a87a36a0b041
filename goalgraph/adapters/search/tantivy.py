"""`TantivySearch`: the search engine Tantivy inside our processes, its files in a folder of this machine (docs/adr/0018-search.md)."""

import fcntl
import json
import os
import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from goalgraph.adapters.search.generation import SCHEMA, Damaged, Generation
from goalgraph.ports.search import Document, Filters, Hit, SearchUnavailable

CHUNK = 1_000
"""Documents that are filled in at once."""
WAIT_SECONDS = 10.0
"""How long a writer waits for its turn. Its task comes again."""
_STEP_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class State:
    """Which generation is searched, and which one is being filled, by the names of their folders."""

    current: str | None = None
    building: str | None = None


class TantivySearch:
    """Generations of the index, each in a folder of its own below `folder`; `state.json` there names the one that is searched.

    Filling makes a new one beside it and then replaces that file, so a search never sees an index that is half filled. What is `put`
    meanwhile goes into both. All that writes holds the lock on the file `lock`, across processes; the kernel takes it back from one that
    dies. Damaged files, and those of an older schema, are as good as none: `is_complete` is False until somebody fills it again.

    Without a `folder` it lives in a temporary one and is complete from the start: for tests.
    """

    def __init__(self, folder: str | Path | None = None, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._opened: Generation | None = None
        if folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="goalgraph-search-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self.fill(())
        else:
            self._folder = Path(folder)

    def put(self, documents: Sequence[Document]) -> None:
        with self._locked() as state:
            if state.building:
                self._write(state, state.building, documents)
            if state.current:
                self._write(state, state.current, documents)

    def search(self, query: str, filters: Filters, *, language: str | None = None, limit: int = 20) -> list[Hit]:
        while name := self._state().current:
            try:
                return self._generation(name).search(query, filters, language=language, limit=limit)
            except Damaged as error:
                if self._lose(name):
                    raise SearchUnavailable(f"the index is damaged: {error}") from error
        raise SearchUnavailable("the index is not filled")

    def is_complete(self) -> bool:
        name = self._state().current
        if name is None:
            return False
        try:
            self._generation(name).check()
        except (Damaged, SearchUnavailable):
            return False
        return True

    def fill(self, documents: Iterable[Document]) -> None:
        with self._locked("filling", "it is being filled already", wait_seconds=0):
            generation = self._begin()
            remaining = iter(documents)
            while chunk := list(islice(remaining, CHUNK)):
                with self._locked() as state:
                    self._go_on(state, generation)
                    self._write(state, generation.folder.name, chunk)
            with self._locked() as state:
                self._go_on(state, generation)
                self._save(State(current=generation.folder.name))
                self._sweep(generation.folder.name)

    # Generations -------------------------------------------------------------------------------------------------------------------

    def _begin(self) -> Generation:
        """A new one, in place of one whose filling broke off."""
        with self._locked() as state:
            try:
                self._sweep(state.current)
                generation = Generation(self._folder / uuid.uuid4().hex[:12], create=True)
            except Damaged as error:
                raise SearchUnavailable(str(error)) from error
            self._save(State(state.current, generation.folder.name))
            return generation

    @staticmethod
    def _go_on(state: State, generation: Generation) -> None:
        if state.building != generation.folder.name:
            raise SearchUnavailable("what was being filled is lost")

    def _generation(self, name: str) -> Generation:
        opened = self._opened
        if opened is None or opened.folder.name != name:
            opened = self._opened = Generation(self._folder / name)
        return opened

    def _write(self, state: State, name: str, documents: Sequence[Document]) -> None:
        """Whoever calls holds the lock."""
        try:
            generation = self._generation(name) if name == state.current else Generation(self._folder / name)
            generation.write(documents)
        except Damaged as error:
            self._save(_without(state, name))
            raise SearchUnavailable(f"the index is damaged: {error}") from error

    def _lose(self, name: str) -> bool:
        """Search the damaged generation no more. False where another one has taken its place already."""
        with self._locked() as state:
            if state.current != name:
                return False
            self._save(_without(state, name))
            return True

    def _sweep(self, keep: str | None) -> None:
        """Remove the other generations. A process that searches one keeps what it has opened."""
        with _disk():
            others = [entry for entry in self._folder.iterdir() if entry.is_dir() and entry.name != keep]
        for entry in others:
            shutil.rmtree(entry, ignore_errors=True)

    # Files -------------------------------------------------------------------------------------------------------------------------

    def _state(self) -> State:
        try:
            stored = json.loads((self._folder / "state.json").read_bytes())
            return State(stored["current"], stored["building"]) if stored["schema"] == SCHEMA else State()
        except (OSError, ValueError, KeyError, TypeError):
            return State()

    def _save(self, state: State) -> None:
        """By a rename, so that nobody reads half of it."""
        new = self._folder / "state.json.new"
        with _disk():
            new.write_text(json.dumps({"schema": SCHEMA, **asdict(state)}))
            os.replace(new, self._folder / "state.json")

    @contextmanager
    def _locked(self, name: str = "lock", busy: str = "another writer is at it", *, wait_seconds: float | None = None) -> Iterator[State]:
        """Hold one of our locks, and give the state as it then is. Raises SearchUnavailable where it is not free in time."""
        deadline = time.monotonic() + (self._wait_seconds if wait_seconds is None else wait_seconds)
        with _disk():
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / name).open("ab")
        with file:
            while not _taken(file.fileno()):
                if time.monotonic() >= deadline:
                    raise SearchUnavailable(busy)
                time.sleep(_STEP_SECONDS)
            yield self._state()


@contextmanager
def _disk() -> Iterator[None]:
    """A disk that is full, or not ours to write to."""
    try:
        yield
    except OSError as error:
        raise SearchUnavailable(type(error).__name__) from error


def _without(state: State, name: str) -> State:
    return State(*(None if kept == name else kept for kept in (state.current, state.building)))


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
