"""Searching 100,000 offers beside 10,000 in Tantivy's index: filling it, one change, and queries of one word to six."""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from goalgraph.adapters.search.tantivy import TantivySearch
from goalgraph.ports.search import Document, Filters
from tests.bench.report import Goal, heading, say, table
from tests.bench.stage import Stage

SMALL, LARGE = 10_000, 100_000
WORDS = 20_000
"""Different words in all texts, the frequent ones far more frequent than the others (Zipf)."""
QUERIES, CHANGES = 300, 50
LIMIT = 200
NOW = datetime(2027, 7, 1, 12, tzinfo=UTC)


def run(_stage: Stage) -> list[Goal]:
    heading(f"search: {LARGE:,} offers beside {SMALL:,}")
    with tempfile.TemporaryDirectory() as folder:
        small, large = filled(Path(folder) / "small", SMALL), filled(Path(folder) / "large", LARGE)
        kinds = {
            "one word": lambda pick: queries(pick, 1),
            "three words": lambda pick: queries(pick, 3),
            "three words, each with a letter wrong": lambda pick: [mistyped(query, pick) for query in queries(pick, 3)],
            "six words": lambda pick: queries(pick, 6),
        }
        measured = {name: [latencies(index, make(random.Random(3))) for index in (small, large)] for name, make in kinds.items()}
        rows = [(name, *(f"{percentile(each, at):.1f}" for each in both for at in (50, 99))) for name, both in measured.items()]
        table((f"ms to the best {LIMIT}", f"p50 of {SMALL:,}", "p99", f"p50 of {LARGE:,}", "p99"), rows)
        say(f"one change: {changes(small):.0f} ms at {SMALL:,}, {changes(large):.0f} ms at {LARGE:,} (median)")
    ratios = [percentile(large, 50) / percentile(small, 50) for small, large in measured.values()]
    return [Goal(f"{LARGE:,} offers beside {SMALL:,}: the query that grows most takes as many times as long", max(ratios), 12.0)]


def filled(folder: Path, count: int) -> TantivySearch:
    index = TantivySearch(folder)
    before = time.perf_counter()
    index.fill(documents(count, random.Random(7)))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    say(f"{count:,} filled in {time.perf_counter() - before:.1f} s, {size / 2**20:.0f} MiB")
    return index


def documents(count: int, pick: random.Random) -> Iterator[Document]:
    words = vocabulary(pick)
    for number in range(count):
        title, body = (" ".join(chosen(words, pick, length)) for length in (5, 60))
        language = pick.choice(("en", "pt-BR", "es"))
        yield document(number, title, body, language)


def document(number: int, title: str, body: str = "", language: str = "en", index_version: int = 1) -> Document:
    return Document(f"offer-{number}", index_version, f"company-{number % 500}", title, NOW, NOW, body=body, language=language)


def vocabulary(pick: random.Random) -> list[str]:
    syllables = [consonant + vowel for consonant in "bcdfglmnprst" for vowel in "aeiou"]
    return ["".join(pick.choices(syllables, k=pick.randint(2, 5))) for _ in range(WORDS)]


def chosen(words: list[str], pick: random.Random, count: int) -> list[str]:
    return [words[int(WORDS ** pick.random()) - 1] for _ in range(count)]


def queries(pick: random.Random, length: int) -> list[str]:
    words = vocabulary(random.Random(7))
    return [" ".join(chosen(words, pick, length)) for _ in range(QUERIES)]


def mistyped(query: str, pick: random.Random) -> str:
    return " ".join(word[:at] + "x" + word[at + 1 :] for word in query.split() for at in [pick.randrange(len(word))])


def latencies(index: TantivySearch, asked: list[str]) -> list[float]:
    """Milliseconds, one query after another."""
    taken = []
    for query in asked:
        before = time.perf_counter()
        index.search(query, Filters(NOW), language="en", limit=LIMIT)
        taken.append((time.perf_counter() - before) * 1e3)
    return taken


def changes(index: TantivySearch) -> float:
    taken = []
    for number in range(CHANGES):
        before = time.perf_counter()
        index.put([document(number, "Changed", index_version=2)])
        taken.append((time.perf_counter() - before) * 1e3)
    return statistics.median(taken)


def percentile(values: list[float], which: int) -> float:
    return statistics.quantiles(values, n=100)[which - 1]
