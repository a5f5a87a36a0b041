"""Settings of offers: where their pictures are, and what companies are told (docs/offers.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

from typing import Any
from urllib.parse import urlsplit

import environ

_env = environ.Env()

OFFER_MIN_COHORT = _env.int("OFFER_MIN_COHORT", 10)
"""Companies see no figures of a day on which fewer members than this saw the offer."""
OFFER_MEDIA_BUCKET = _env.str("OFFER_MEDIA_BUCKET", "goalgraph-media")
"""The bucket of S3 that holds what everybody may see: the pictures of offers. Names of buckets are the whole world's."""
OFFER_MEDIA_URL = _env.str("OFFER_MEDIA_URL", "").rstrip("/")
"""The https address of the CDN in front of that bucket; no slash at the end. Empty: pictures come from the bucket itself, which
`create_buckets` then opens to readers."""


def _media_url() -> str:
    """Scheme, host and path before the name of a picture."""
    if OFFER_MEDIA_URL:
        return OFFER_MEDIA_URL
    if endpoint := _env.str("AWS_ENDPOINT_URL", "").rstrip("/"):
        return f"{endpoint}/{OFFER_MEDIA_BUCKET}"
    return f"https://{OFFER_MEDIA_BUCKET}.s3.{_region()}.amazonaws.com"


def _region() -> str:
    return _env.str("AWS_REGION", _env.str("AWS_DEFAULT_REGION", "us-east-1"))


_media = urlsplit(_media_url())
OFFER_MEDIA_ORIGIN = f"{_media.scheme}://{_media.netloc}"
"""From where the back office's pages may show pictures."""

MEDIA_STORAGE: dict[str, Any] = {
    "BACKEND": "goalgraph.adapters.media.MediaStorage",
    "OPTIONS": {
        "bucket_name": OFFER_MEDIA_BUCKET,
        "region_name": _region(),
        "endpoint_url": _env.str("AWS_ENDPOINT_URL", "") or None,
        "custom_domain": f"{_media.netloc}{_media.path}",
        "url_protocol": f"{_media.scheme}:",
        "querystring_auth": False,
        "file_overwrite": False,
        # A picture's name is its own for ever: another picture has another name.
        "object_parameters": {"CacheControl": "public, max-age=31536000, immutable", "ContentType": "image/webp"},
        "signature_version": "s3v4",
        "addressing_style": "path" if _env.str("AWS_ENDPOINT_URL", "") else "auto",
    },
}
