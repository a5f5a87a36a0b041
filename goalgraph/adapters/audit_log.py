"""Adapters of the `audit_log` port: `S3AuditLog`, and `MemoryAuditLog` for tests."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from goalgraph.ports.audit_log import AuditLogUnavailable

CONTENT_TYPE = "application/jsonl"
_CONFIG = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
_HOME = "us-east-1"
"""The one region that CreateBucket must not be told: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""


class S3AuditLog:
    """Objects of `bucket` in `region`. It only ever adds: its role needs PutObject, GetObject and ListBucket. Safe across threads."""

    def __init__(self, bucket: str, region: str) -> None:
        self.bucket = bucket
        self._region = region

    @cached_property
    def _client(self) -> Any:
        return boto3.client("s3", region_name=self._region, config=_CONFIG)

    def append(self, key: str, body: bytes) -> None:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
        try:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=CONTENT_TYPE, IfNoneMatch="*")
        except (BotoCoreError, ClientError) as error:
            if _code(error) != "PreconditionFailed":
                raise AuditLogUnavailable(str(error)) from error

    def keys(self, prefix: str) -> Iterator[str]:
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                yield from (found["Key"] for found in page.get("Contents", []))
        except (BotoCoreError, ClientError) as error:
            raise AuditLogUnavailable(str(error)) from error

    def read(self, key: str) -> bytes | None:
        try:
            return bytes(self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "NoSuchKey":
                return None
            raise AuditLogUnavailable(str(error)) from error

    def ensure(self) -> Iterator[str]:
        try:
            if self._is_there():
                return
            elsewhere = {} if self._region == _HOME else {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
            self._client.create_bucket(Bucket=self.bucket, **elsewhere)
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "BucketAlreadyOwnedByYou":
                return
            raise AuditLogUnavailable(str(error)) from error
        yield f"created bucket {self.bucket}"

    def _is_there(self) -> bool:
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if _code(error) in ("404", "NoSuchBucket"):
                return False
            raise
        return True


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


class MemoryAuditLog:
    """Objects in this process."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def append(self, key: str, body: bytes) -> None:
        self.objects.setdefault(key, body)

    def keys(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in self.objects if key.startswith(prefix))

    def read(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def ensure(self) -> Iterator[str]:
        return iter(())
