"""The change feed: reads what changed in the table, and lets each context do what follows from it (docs/adr/0010-change-feed.md)."""
