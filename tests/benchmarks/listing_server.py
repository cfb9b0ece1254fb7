"""A bucket of any size that is not there: a server that answers S3's ListObjectsV2, page by page, from arithmetic.

Object n is photo n % 10 of set n // 10. It knows nothing but listings: it costs the reader what S3's answers cost to
read, and itself as little as can be.
"""

import argparse
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import overload
from urllib.parse import parse_qs, urlsplit

PHOTOS = 10  # of one set
_PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>bench</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{most}</MaxKeys>"
    "<EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{contents}{token}</ListBucketResult>"
)
_ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-11-20T09:00:00.000Z</LastModified>"
    "<ETag>&quot;{:032x}&quot;</ETag><Size>3145728</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


class Keys(Sequence[str]):
    """The keys of so many objects, in the order that S3 lists them in."""

    def __init__(self, objects: int) -> None:
        self._objects = objects

    def __len__(self) -> int:
        return self._objects

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._key(number) for number in range(*index.indices(self._objects))]
        if not 0 <= index < self._objects:
            raise IndexError(index)
        return self._key(index)

    def under(self, prefix: str) -> range:
        """The numbers of the objects whose keys start with `prefix`."""
        return range(bisect_left(self, prefix), bisect_right(self, prefix + "\x7f"))

    def _key(self, number: int) -> str:
        vehicle, rest = divmod(number, 5 * PHOTOS)
        day, photo = divmod(rest, PHOTOS)
        fleet = vehicle // 1000
        return f"returns/F{fleet:04d}/V{vehicle % 1000:04d}/2026-11-{day + 10}-0900/{photo:02d}.jpg"


def page(keys: Keys, prefix: str, after: int | None, most: int) -> bytes:
    """One answer to ListObjectsV2: `most` keys under `prefix`, from object number `after` on where one is given."""
    under = keys.under(prefix)
    first = under.start if after is None else max(under.start, after)
    last = min(first + most, under.stop)
    contents = "".join(_ENTRY.format(key, first + n) for n, key in enumerate(keys[first:last]))
    more = last < under.stop
    token = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
    text = _PAGE.format(
        prefix=prefix, count=last - first, most=most, more=str(more).lower(), contents=contents, token=token
    )
    return text.encode()


def make_server(objects: int, port: int = 0) -> ThreadingHTTPServer:
    """A server for a bucket of so many objects on a port of this machine."""
    keys = Keys(objects)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            token = asked.get("continuation-token")
            most = min(int(asked.get("max-keys", ["1000"])[0]), 1000)
            body = page(keys, asked.get("prefix", [""])[0], int(token[0]) if token else None, most)
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A line a page tells nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve, having said where."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--objects", type=int, required=True)
    server = make_server(arguments.parse_args().objects)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
