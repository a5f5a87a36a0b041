"""What `TantivySearch` adds to the contract: many processes on one folder, deaths in the midst of writing, and damaged files."""

import fcntl
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from goalgraph.adapters.search import generation
from goalgraph.adapters.search.tantivy import TantivySearch
from goalgraph.ports.search import Document, SearchUnavailable
from tests.contracts.test_search import ANYBODY, document, found

WRITER = """
import sys
from goalgraph.adapters.search.tantivy import TantivySearch
from tests.contracts.test_search import document

index = TantivySearch(sys.argv[1], wait_seconds=60)
for number in range(int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])):
    index.put([document("shared", f"Yoga{number}", index_version=number), document(f"{sys.argv[2]}{number}", "Chess")])
    print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TantivySearch(tmp_path).fill(())
    return tmp_path


def writer(folder: Path, name: str, first: int, last: int, step: int = 1) -> "subprocess.Popen[str]":
    """Writes one document again and again, and others of its own, in another process."""
    arguments = [str(folder), name, str(first), str(last), str(step)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True)


def current(folder: Path) -> Path:
    return folder / json.loads((folder / "state.json").read_bytes())["current"]


def test_a_search_sees_at_once_what_another_process_wrote(folder):
    reader = TantivySearch(folder)
    assert found(reader, "chess") == []

    with writer(folder, "other", 1, 3) as process:
        assert process.wait(60) == 0
        process.stdout.close()

    assert found(reader, "chess") == ["other1", "other2"]


def test_processes_that_write_at_once_lose_nothing(folder):
    """One writes the odd versions of a document, the other the even ones, as they get their turns."""
    with writer(folder, "odd", 1, 40, 2) as odd, writer(folder, "even", 0, 40, 2) as even:
        assert [process.communicate(timeout=120) and process.returncode for process in (odd, even)] == [0, 0]

    index = TantivySearch(folder)
    assert found(index, "yoga39")[0:1] == ["shared"]
    assert [number for number in range(39) if found(index, f"yoga{number}x") or exact(index, f"yoga{number}")] == []
    assert set(found(index, "chess", limit=100)) == {f"odd{n}" for n in range(1, 40, 2)} | {f"even{n}" for n in range(0, 40, 2)}


def exact(index: TantivySearch, word: str) -> bool:
    """Whether a title is this very word: words with digits have no typos, and this one does not go on."""
    return bool(found(index, f"{word} the"))


def test_threads_that_write_at_once_lose_nothing(folder):
    index = TantivySearch(folder)
    threads = [
        threading.Thread(target=index.put, args=([document("shared", "Yoga", index_version=number), document(f"o{number}", "Chess")],))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found(index, "yoga") == ["shared"]
    assert len(found(index, "chess")) == 8


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_writer_that_is_killed_leaves_what_it_had_told(folder, after):
    with writer(folder, "own", 1, 10_000) as process:
        told = [int(process.stdout.readline()) for _ in range(after)]
        process.kill()
        process.wait()
        told += [int(line) for line in process.stdout if line.strip()]

    index = TantivySearch(folder)
    assert index.is_complete()
    assert {f"own{number}" for number in told} <= set(found(index, "chess", limit=10_000))
    index.put([document("shared", "Karate", index_version=20_000)])
    assert found(index, "karate") == ["shared"]
    assert found(index, f"yoga{told[-1]}") == []


def test_a_filling_that_is_killed_gives_way_to_the_next(folder):
    script = """
import sys, time
from goalgraph.adapters.search.tantivy import TantivySearch
from tests.contracts.test_search import document

def documents():
    yield from (document(f"o{number}", "Chess") for number in range(1_500))
    print("half", flush=True)
    time.sleep(600)

TantivySearch(sys.argv[1]).fill(documents())
"""
    index = TantivySearch(folder)
    index.put([document("kept", "Yoga")])
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        with pytest.raises(SearchUnavailable):
            index.fill([document("new", "Yoga")])
        process.kill()
        process.wait()

    assert found(index, "yoga") == ["kept"]
    index.fill([document("new", "Yoga")])
    assert found(index, "yoga") == ["new"]
    assert [entry.name for entry in folder.iterdir() if entry.is_dir()] == [current(folder).name]


def test_who_waits_too_long_for_another_writer_comes_again(folder):
    index = TantivySearch(folder, wait_seconds=0.05)
    index.put([document("a", "Yoga")])

    with (folder / "lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SearchUnavailable):
            index.put([document("b", "Yoga")])
        assert found(index, "yoga") == ["a"]  # searching needs no lock

    index.put([document("b", "Yoga")])
    assert found(index, "yoga") == ["a", "b"]


@pytest.mark.parametrize("how", ["empty", "half", "garbage", "gone"])
@pytest.mark.parametrize("what", ["meta.json", "*.term", "*.idx", "*.store", "*.fast"])
def test_a_damaged_index_counts_as_none_until_it_is_filled_again(folder, what, how):
    TantivySearch(folder).put([document("a", "Yoga")])
    damage(next(current(folder).glob(what)), how)
    index = TantivySearch(folder)

    with pytest.raises(SearchUnavailable):
        index.search("yoga", ANYBODY)
    index.put([document("a", "Yoga", index_version=2)])  # nowhere: filling reads it
    assert not index.is_complete()
    with pytest.raises(SearchUnavailable):
        index.search("yoga", ANYBODY)

    index.fill([document("a", "Yoga")])
    assert index.is_complete()
    assert found(index, "yoga") == ["a"]
    assert found(TantivySearch(folder), "yoga") == ["a"]


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "half": content[: len(content) // 2], "garbage": random.Random(1).randbytes(len(content))}[how])


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff"])
def test_a_damaged_state_counts_as_none(folder, state):
    (folder / "state.json").write_bytes(state)
    index = TantivySearch(folder)

    assert not index.is_complete()
    index.put([document("a", "Yoga")])
    index.fill([document("b", "Yoga")])
    assert found(index, "yoga") == ["b"]


def test_an_index_of_an_older_schema_counts_as_none(folder, monkeypatch):
    old = TantivySearch(folder)
    old.put([document("a", "Yoga")])
    monkeypatch.setattr("goalgraph.adapters.search.tantivy.SCHEMA", generation.SCHEMA + 1)
    new = TantivySearch(folder)

    assert not new.is_complete()
    new.fill([document("b", "Yoga")])
    assert found(new, "yoga") == ["b"]


def test_what_is_being_filled_may_be_damaged_too(folder):
    index = TantivySearch(folder)

    def documents() -> Iterator[Document]:
        building = folder / json.loads((folder / "state.json").read_bytes())["building"]
        yield document("a", "Yoga")
        damage(building / "meta.json", "half")
        with pytest.raises(SearchUnavailable):
            index.put([document("b", "Yoga")])
        index.put([document("b", "Yoga")])

    with pytest.raises(SearchUnavailable):
        index.fill(documents())
    assert found(index, "yoga") == ["b"]
    index.fill([document("c", "Yoga")])
    assert found(index, "yoga") == ["c"]


def test_a_reader_of_the_old_generation_goes_on_with_the_new_one(folder):
    reader, filler = TantivySearch(folder), TantivySearch(folder)
    filler.put([document("old", "Yoga")])
    assert found(reader, "yoga") == ["old"]

    filler.fill([document("new", "Yoga")])

    assert found(reader, "yoga") == ["new"]


def test_a_disk_that_is_not_ours_is_a_refusal_of_its_own(tmp_path):
    (tmp_path / "file").write_text("no folder")
    index = TantivySearch(tmp_path / "file" / "search")

    with pytest.raises(SearchUnavailable):
        index.put([document("a", "Yoga")])
    with pytest.raises(SearchUnavailable):
        index.fill([document("a", "Yoga")])
    assert not index.is_complete()


def test_many_small_writes_do_not_leave_many_files(folder):
    """Segments are merged as they pile up."""
    index = TantivySearch(folder)
    for number in range(60):
        index.put([document(f"o{number}", "Yoga")])

    assert len(list(current(folder).glob("*.store"))) < 20
    assert len(found(index, "yoga", limit=100)) == 60
