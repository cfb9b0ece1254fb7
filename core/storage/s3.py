"""Photos in S3, or in a server that speaks its protocol. The only door to boto3 for photos."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp

from core.domain import Blob, StoredObject
from core.errors import PhotoChanged, PhotoRefused, Refusal, StoreUnavailable
from core.keys import validate_key
from core.storage.options import S3Options
from core.storage.s3_errors import refusal_of, translate

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        GetObjectRequestTypeDef,
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestPaginateTypeDef,
        ListObjectsV2RequestTypeDef,
        ObjectTypeDef,
    )

_CHUNK = 1 << 20
_NOT_FOUND = ("404", "NoSuchKey")
_ALREADY_THERE = ("412", "PreconditionFailed")
_NOTHING_IN_RANGE = ("416", "InvalidRange")
_OTHERS = 5  # objects tried in each place, to see whether a store that refuses one gives others


class S3PhotoStore:
    """A `PhotoStore` over one bucket, or over one prefix of it: keys are then relative to that prefix.

    boto3's client is thread-safe and so is this. Etags are without their quotes.
    """

    def __init__(self, bucket: str, prefix: str, options: S3Options) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._page_size = options.page_size
        self._server_lists_in_order = not bucket.endswith("--x-s3")  # S3 Express One Zone does not
        with self._translated():
            self._client = _make_client(options)

    @property
    def name(self) -> str:
        """The bucket's name, with the prefix where the store has one: `bucket` or `bucket/prefix`."""
        return f"{self._bucket}/{self._prefix}".rstrip("/")

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose key starts with `prefix`, in key order, a page in memory at a time.

        Where the server was seen to list in another order, each folder is listed by itself and sorted: a folder's
        entries are then in memory at a time, and a request is made for each folder.
        """
        with self._translated():
            entries = self._pages(prefix) if self._server_lists_in_order else self._by_folder(prefix)
            before = b""
            for entry in entries:
                key = entry["Key"].encode(errors="surrogatepass")
                self._server_lists_in_order &= key >= before
                before = key
                yield _stored(
                    entry["Key"].removeprefix(self._prefix), entry["Size"], entry["ETag"], entry["LastModified"]
                )

    def _pages(self, prefix: str) -> Iterator["ObjectTypeDef"]:
        for page in self._paginate(prefix):
            yield from page.get("Contents", ())

    def _by_folder(self, prefix: str) -> Iterator["ObjectTypeDef"]:
        objects: dict[str, ObjectTypeDef | None] = {}  # a folder's key ends in `/`, which gives it its place
        for page in self._paginate(prefix, folder_alone=True):
            objects |= {entry["Key"]: entry for entry in page.get("Contents", ())}
            objects |= {folder["Prefix"]: None for folder in page.get("CommonPrefixes", ())}
        for key, entry in sorted(objects.items(), key=lambda item: item[0].encode(errors="surrogatepass")):
            if entry is not None:
                yield entry
            else:
                yield from self._by_folder(key.removeprefix(self._prefix))

    def _paginate(self, prefix: str, *, folder_alone: bool = False) -> Iterable["ListObjectsV2OutputTypeDef"]:
        request: ListObjectsV2RequestPaginateTypeDef = {
            "Bucket": self._bucket,
            "Prefix": self._prefix + prefix,
            "PaginationConfig": {"PageSize": self._page_size},
        }
        if folder_alone:
            request["Delimiter"] = "/"
        return self._client.get_paginator("list_objects_v2").paginate(**request)

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        """The content of one object, of exactly the version `etag` where one is given; see `PhotoStore.read`."""
        with self._translated(key):
            answer = self._get(key, etag)
            with closing(answer["Body"]) as body:
                size = answer.get("ContentLength")  # absent where a server sends chunks
                data, sha256 = self._read_body(body, key, size, max_bytes)
        return Blob(data, sha256, answer["ETag"].strip('"'))

    def read_start(self, key: str, size: int, *, etag: str | None = None) -> bytes:
        """The first bytes of one object; see `PhotoStore.read_start`."""
        with self._translated(key):
            try:
                answer = self._get(key, etag, first_bytes=size)
            except ClientError as error:
                if error.response["Error"]["Code"] in _NOTHING_IN_RANGE:  # an empty object has no first byte
                    return b""
                raise
            with closing(answer["Body"]) as body:
                return body.read(size)  # no more, from a server that does not know ranges

    def _get(self, key: str, etag: str | None, first_bytes: int | None = None) -> "GetObjectOutputTypeDef":
        """The answer to a GET of the object, of exactly the version `etag` where one is given. Close its body."""
        validate_key(key)
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._prefix + key}
        if etag is not None:
            request["IfMatch"] = f'"{etag}"'
        if first_bytes is not None:
            request["Range"] = f"bytes=0-{first_bytes - 1}"
        try:
            answer = self._client.get_object(**request)
        except ClientError as error:
            reason = refusal_of(error)
            if reason is Refusal.ARCHIVED or (reason is Refusal.ACCESS_DENIED and self._gives_others(key)):
                raise PhotoRefused(reason, f"{self._place(key)}: {error.response['Error'].get('Code')}") from error
            raise
        if etag is not None and answer["ETag"].strip('"') != etag:  # a server that does not know If-Match
            answer["Body"].close()
            raise PhotoChanged(f"{self._place(key)} was replaced since it was listed; it will be ingested again")
        return answer

    def _gives_others(self, key: str) -> bool:
        """Whether the store gives any of a few other objects: beside this one, after its folder, and at its start."""
        folder = self._prefix + key[: key.rfind("/") + 1]
        places: list[ListObjectsV2RequestTypeDef] = [
            {"Bucket": self._bucket, "Prefix": folder, "MaxKeys": _OTHERS},
            {"Bucket": self._bucket, "Prefix": self._prefix, "StartAfter": f"{folder}\U0010ffff", "MaxKeys": _OTHERS},
            {"Bucket": self._bucket, "Prefix": self._prefix, "MaxKeys": _OTHERS},
        ]
        keys = (entry["Key"] for place in places for entry in self._client.list_objects_v2(**place).get("Contents", ()))
        return any(self._gives(other) for other in keys if other != self._prefix + key)

    def _gives(self, key: str) -> bool:
        try:
            self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
        except ClientError as error:
            return error.response["Error"]["Code"] in _NOTHING_IN_RANGE
        return True

    def stat(self, key: str) -> StoredObject | None:
        """The object as it is now, or None where there is none (and the bucket is there)."""
        with self._translated(key):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_FOUND:
                    raise
                self._client.head_bucket(
                    Bucket=self._bucket
                )  # an answer to HEAD does not say which of the two is missing
                return None
        return _stored(key, head["ContentLength"], head["ETag"], head["LastModified"])

    def write(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> StoredObject:
        """Store `data` whole or not at all, replacing what was there."""
        validate_key(key)
        with self._translated(key):
            answer = self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=data, ContentType=content_type
            )
        return _stored(key, len(data), answer["ETag"], datetime.now(UTC))

    def create(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Store `data` whole where nothing lies under the key yet; False where something does."""
        validate_key(key)
        with self._translated(key):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + key, Body=data, ContentType=content_type, IfNoneMatch="*"
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in _ALREADY_THERE:
                    raise
                return False
        return True

    def _read_body(self, body: "StreamingBody", key: str, size: int | None, max_bytes: int) -> tuple[bytes, str]:
        if size is not None and size > max_bytes:
            raise PhotoRefused(Refusal.TOO_LARGE, f"{key} has {size:,} bytes")
        # What is announced comes in one piece: putting it together from smaller ones is a third of the CPU of a read.
        step = _CHUNK if size is None else size + 1
        chunks, length, digest = [], 0, hashlib.sha256()
        while chunk := body.read(step):
            chunks.append(chunk)
            length += len(chunk)
            digest.update(chunk)
            if length > max_bytes:  # more than was announced
                raise PhotoRefused(Refusal.TOO_LARGE, f"{key} has more than {max_bytes:,} bytes")
        if size is not None and length != size:
            raise StoreUnavailable(f"{self._place(key)} came as {length:,} of {size:,} bytes; it will be read again")
        return b"".join(chunks), digest.hexdigest()

    def _place(self, key: str | None) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key or ''}".rstrip("/")

    @contextmanager
    def _translated(self, key: str | None = None) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise translate(error, self._place(key)) from error


def _make_client(options: S3Options) -> "S3Client":
    config = Config(
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.read_timeout_s,
        max_pool_connections=options.connections,
        # "adaptive" also slows down all threads together where the server asks for it (SlowDown, 503)
        retries={"mode": "adaptive", "total_max_attempts": options.attempts},
        s3={"addressing_style": "path" if options.path_style else "auto"},
        # boto3's default adds checksums that S3-compatible servers often do not know
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    client: S3Client = boto3.session.Session(botocore_session=session).client(
        "s3",
        endpoint_url=options.endpoint_url,
        region_name=options.region,
        verify=str(options.ca_bundle) if options.ca_bundle else None,
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        config=config,
    )
    return client


def _timestamp(value: str) -> datetime:
    """A time in an answer; botocore's own reading of the ISO form is two thirds of what a listing costs (measured)."""
    try:
        parsed: datetime | None = datetime.fromisoformat(value)
    except ValueError:  # in a header it has another form
        parsed = None
    return parsed if parsed is not None and parsed.tzinfo else parse_timestamp(value)


def _stored(key: str, size: int, etag: str, modified_at: datetime) -> StoredObject:
    return StoredObject(key, size, etag.strip('"'), modified_at.astimezone(UTC))
