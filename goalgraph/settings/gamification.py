"""Points and leaderboards. See `docs/gamification.md`.

Read by `settings/base.py`; needs nothing but the environment.
"""

import environ

_env = environ.Env()

GAME_RULES: dict[str, dict[str, int]] = _env.json("GAME_RULES", default={})
"""Overrides of `gamification.points.RULES`: `{"task": {"points": 10, "cap": 100}}`. A cap also holds for days that are over, as soon as
something changes on them."""
GAME_EVENT_DAYS = _env.int("GAME_EVENT_DAYS", 400)
"""How long it is known what each event gave. A task that is reopened later takes nothing back."""
LEADERBOARD_SHARDS = _env.int("LEADERBOARD_SHARDS", 8)
"""Over how many partitions of the index the aggregates of a season are spread."""
