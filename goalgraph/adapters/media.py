"""What everybody may see, in S3: the storage of Django's `ImageField`s, and the bucket behind it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

_CONFIG = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
_HOME = "us-east-1"
"""The one region that CreateBucket must not be told: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""


class BucketUnavailable(Exception):
    """S3 refuses, or does not answer."""


class MediaStorage(S3Storage):
    """django-storages' own, with our time limits, which says as Django's storages do, by an OSError, that a file was not stored."""

    client_config: Config

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.client_config = self.client_config.merge(_CONFIG)

    def _save(self, name: str, content: Any) -> str:
        try:
            return str(super()._save(name, content))
        except (BotoCoreError, ClientError) as error:
            raise OSError(f"the file was not stored: {type(error).__name__}") from error


def ensure_bucket(name: str, region: str, *, public: bool) -> Iterator[str]:
    """Make the bucket where it is not there, and with `public` let everybody read its objects, but not list them.

    Yields what was done, in words. A new bucket is closed to the public until its block is lifted:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html. Raises BucketUnavailable.
    """
    client = boto3.client("s3", region_name=region, config=_CONFIG)
    try:
        if not _is_there(client, name):
            elsewhere: Any = {} if region == _HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client.create_bucket(Bucket=name, **elsewhere)
            yield f"created bucket {name}"
        if public and not _is_open(client, name):
            client.delete_public_access_block(Bucket=name)
            client.put_bucket_policy(Bucket=name, Policy=_readable(name))
            yield f"opened bucket {name} to readers"
    except (BotoCoreError, ClientError) as error:
        if _code(error) != "BucketAlreadyOwnedByYou":
            raise BucketUnavailable(str(error)) from error


def _readable(name: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _is_there(client: Any, name: str) -> bool:
    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        if _code(error) in ("404", "NoSuchBucket"):
            return False
        raise
    return True


def _is_open(client: Any, name: str) -> bool:
    try:
        return bool(json.loads(client.get_bucket_policy(Bucket=name)["Policy"]) == json.loads(_readable(name)))
    except ClientError as error:
        if _code(error) == "NoSuchBucketPolicy":
            return False
        raise


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""
