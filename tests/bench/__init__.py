"""The benchmarks: `make bench`, or `python -m tests.bench [name ...]`. What they measured is told in docs/performance.md.

A benchmark is a module `bench_<name>.py` here with one function `run(stage: Stage) -> list[Goal]`: it prints its figures and returns
what they have to reach. The first line of its docstring is what `--list` shows.
"""
