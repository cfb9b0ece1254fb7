"""Which store an address names. boto3 is loaded only where it is an S3 one: it takes a third of a second."""

from pathlib import Path

from core.addresses import check_place
from core.domain import PhotoStore
from core.errors import SettingsInvalid, StoreRefused
from core.storage.folder import FolderPhotoStore
from core.storage.options import S3Options

_S3 = "s3://"


def open_store(url: str, options: S3Options) -> PhotoStore:
    """The store at `s3://bucket[/prefix]` or in a folder (absolute, relative, or `~`); keys are relative to it.

    In a prefix `#`, `?` and `%` mean themselves. Raises `SettingsInvalid` for an address of another
    kind, `StoreRefused` for a folder that is not there.
    """
    try:
        check_place(url)
    except ValueError as error:
        raise SettingsInvalid(str(error)) from None
    if url.startswith(_S3):
        bucket, _, prefix = url.removeprefix(_S3).partition("/")
        if not bucket:
            raise SettingsInvalid(f"{url} names no bucket; write it as s3://bucket or s3://bucket/prefix")
        from core.storage.s3 import S3PhotoStore  # noqa: PLC0415

        return S3PhotoStore(bucket, prefix.strip("/"), options)
    if "://" in url or not url:
        raise SettingsInvalid(f"{url!r} is not a place for photos; write s3://bucket, s3://bucket/prefix or a folder")
    return FolderPhotoStore(Path(url).expanduser())


def open_own_place(url: str, options: S3Options) -> PhotoStore:
    """`open_store` for what Walkaround itself writes: a folder that is not there is made. Raises the same."""
    if "://" not in url:
        try:
            Path(url).expanduser().mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"the folder {url} cannot be made: {error.strerror}; choose another") from error
    return open_store(url, options)
