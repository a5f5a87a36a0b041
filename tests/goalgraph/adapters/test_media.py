"""The bucket of what everybody may see, in the emulator's S3."""

import io
import uuid
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError, call_command
from django.test import override_settings

from goalgraph.adapters import media


@pytest.fixture
def bucket() -> str:
    return f"media-{uuid.uuid4().hex}"


def storage_of(bucket: str, **options: Any) -> dict[str, Any]:
    """The storage of the settings, on a bucket of its own."""
    stored = settings.MEDIA_STORAGE["OPTIONS"]
    more = {"bucket_name": bucket, "custom_domain": f"{settings.AWS_ENDPOINT_URL.partition('//')[2]}/{bucket}"} | options
    return settings.STORAGES | {"default": {"BACKEND": settings.MEDIA_STORAGE["BACKEND"], "OPTIONS": stored | more}}


def ensured(bucket: str, *, public: bool) -> list[str]:
    return list(media.ensure_bucket(bucket, settings.AWS_REGION, public=public))


def test_a_picture_is_stored_and_anybody_reads_it_at_its_address(bucket: str):
    assert ensured(bucket, public=True) == [f"created bucket {bucket}", f"opened bucket {bucket} to readers"]
    assert ensured(bucket, public=True) == [], "it is safe to repeat"
    with override_settings(STORAGES=storage_of(bucket)):
        name = default_storage.save("offers/a.webp", ContentFile(b"pixels"))
        url = default_storage.url(name)
        assert url == f"{settings.AWS_ENDPOINT_URL}/{bucket}/offers/a.webp"
        assert url.startswith(settings.OFFER_MEDIA_ORIGIN), "where the back office's pages may show pictures from"
        with urlopen(url, timeout=10) as answer:
            assert answer.read() == b"pixels"
            assert answer.headers["Content-Type"] == "image/webp"
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert default_storage.save("offers/a.webp", ContentFile(b"others")) != name, "no picture replaces another"


def test_nobody_lists_or_writes_what_everybody_reads(bucket: str):
    ensured(bucket, public=True)
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{settings.AWS_ENDPOINT_URL}/{bucket}?list-type=2", timeout=10)
    assert refused.value.code == 403
    refused.value.close()


def test_behind_a_cdn_the_bucket_stays_closed(bucket: str):
    assert ensured(bucket, public=False) == [f"created bucket {bucket}"]
    with override_settings(STORAGES=storage_of(bucket, custom_domain="cdn.example.com/x", url_protocol="https:")):
        name = default_storage.save("offers/a.webp", ContentFile(b"pixels"))
        assert default_storage.url(name) == "https://cdn.example.com/x/offers/a.webp"
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{settings.AWS_ENDPOINT_URL}/{bucket}/offers/a.webp", timeout=10)
    assert refused.value.code == 403
    refused.value.close()


def test_a_store_that_refuses_is_an_error_of_djangos_storages(bucket: str):
    with override_settings(STORAGES=storage_of(bucket)), pytest.raises(OSError, match="was not stored"):
        storages["default"].save("offers/a.webp", ContentFile(b"pixels"))


def test_the_command_makes_the_bucket_of_the_settings(bucket: str):
    with override_settings(OFFER_MEDIA_BUCKET=bucket):
        said = io.StringIO()
        call_command("create_buckets", stdout=said)
        call_command("create_buckets", stdout=said)
    assert said.getvalue().split("\n") == [f"  created bucket {bucket}", f"  opened bucket {bucket} to readers", ""]
    assert bucket in [each["Name"] for each in boto3.client("s3", region_name=settings.AWS_REGION).list_buckets()["Buckets"]]


def test_the_command_says_when_s3_refuses():
    with override_settings(OFFER_MEDIA_BUCKET="Not_A_Name"), pytest.raises(CommandError, match="S3 refuses"):
        call_command("create_buckets")
