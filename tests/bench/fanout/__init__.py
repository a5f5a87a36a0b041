"""One event to many sockets: three servers that do it, and a crowd of clients. See `tests/bench/bench_fanout.py`."""
