"""The due wheel: what is to happen at a minute stands in that minute's bucket, and sweeps turn it (docs/adr/0011-due-wheel.md)."""
