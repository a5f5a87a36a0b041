"""Searching for offers. See `docs/search.md`.

Read by `settings/base.py`; needs nothing but the environment.
"""

from pathlib import Path
from typing import Any

import environ

_env = environ.Env()

SEARCH_URL = _env.str("SEARCH_URL", "")
"""The address of an OpenSearch domain, such as https://search-goalgraph.us-east-1.es.amazonaws.com; empty: an index in files of our own."""
SEARCH_SIGNED = _env.bool("SEARCH_SIGNED", True)
"""Whether requests to that domain are signed with the credentials of AWS."""
SEARCH_INDEX = _env.str("SEARCH_INDEX", "gg-offers")
"""The name of the index in that domain, so that several installations share one."""
SEARCH_FOLDER = _env.str("SEARCH_FOLDER", "") or str(Path(_env.str("GOALGRAPH_HOME", ".local")).resolve() / "search")
"""Where the files are without such a domain. All processes must see the same ones."""

_REGION = _env.str("AWS_REGION", _env.str("AWS_DEFAULT_REGION", "us-east-1")) if SEARCH_SIGNED else None
SEARCH_PORT: dict[str, Any] = (
    {
        "BACKEND": "goalgraph.adapters.search.opensearch.OpenSearch",
        "OPTIONS": {"url": SEARCH_URL, "name": SEARCH_INDEX, "region": _REGION},
    }
    if SEARCH_URL
    else {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch", "OPTIONS": {"folder": SEARCH_FOLDER}}
)
