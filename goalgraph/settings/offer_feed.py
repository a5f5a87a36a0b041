"""Settings of offers as members meet them (docs/offers-feed.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

import environ

_env = environ.Env()

OFFER_EDGES_SECONDS = _env.float("OFFER_EDGES_SECONDS", 5.0)
"""For how long a process keeps which offers stand under a tag, so that a popular tag is not read by every request. 0: not at all."""
OFFER_PLACES = _env.int("OFFER_PLACES", 24)
"""Under how many tags and kinds of goals one member's feed looks, the strongest first: each is a round trip unless it is kept."""
OFFER_EDGES_PER_PLACE = _env.int("OFFER_EDGES_PER_PLACE", 200)
"""How many offers of a tag, the newest first, come into question for a feed."""
OFFER_VIEWS_PER_DAY = _env.int("OFFER_VIEWS_PER_DAY", 3)
"""How often a member is shown one offer on one of their days; so many views are counted at most."""
OFFER_CLICKS_PER_DAY = _env.int("OFFER_CLICKS_PER_DAY", 3)
"""How many clicks of a member on one offer are counted, and paid for, on one of their days."""
OFFER_LINK_HOURS = _env.float("OFFER_LINK_HOURS", 48.0)
"""How long the links of an offer work after they were served."""
OFFER_LINK_BURST = _env.int("OFFER_LINK_BURST", 300)
"""Links that one member may follow at once; 0 turns the limit off. From one address, which many may share, 10 times as many."""
OFFER_LINKS_PER_SECOND = _env.float("OFFER_LINKS_PER_SECOND", 5.0)
"""Links that come back each second."""
OFFER_TOUCH_DAYS = _env.int("OFFER_TOUCH_DAYS", 40)
"""How long it is kept that a member saw or followed an offer. What is summed up stays."""
