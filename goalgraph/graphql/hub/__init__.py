"""The fan-out hub of one process: what happened, executed once for all who see the same, sent to each of them.

`relay` is the line to the channel layer, `topics` the order of events, `shares` the shared executions, `presence` who is here, and `hub`
holds all of it.
"""

from goalgraph.graphql.hub.hub import Hub
from goalgraph.graphql.hub.shares import Follower, Socket

__all__ = ["Follower", "Hub", "Socket"]
