"""An S3 server that lists out of order: folder by folder, as some do, or in any order at all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 3


def folder_by_folder(key: str) -> list[str]:
    """As a server sorts that walks a file system: `HB-20/...` before `HB-20-1/...`."""
    return key.split("/")


@contextmanager
def serving_in_order(objects: dict[str, bytes], order: Callable[[str], Any]) -> Iterator[str]:
    """The address of a server with one bucket, `bucket`, that holds these objects; it lists `PAGE` a request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            key = unquote(address.path).removeprefix("/bucket").removeprefix("/")
            if not key:
                self._answer(_page(objects, order, parse_qs(address.query, keep_blank_values=True)))
            elif key in objects:
                self._answer(objects[key], f'"{_etag(objects[key])}"')
            else:
                self._answer(b"<Error><Code>NoSuchKey</Code></Error>", status=404)

        def _answer(self, body: bytes, etag: str = "", status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", etag)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _page(objects: dict[str, bytes], order: Callable[[str], Any], query: dict[str, list[str]]) -> bytes:
    """One page of ListObjectsV2, its keys in the server's order."""
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    start = int(query.get("continuation-token", ["0"])[0])
    names = dict.fromkeys(
        _rolled_up(key, prefix, delimiter) for key in sorted(objects, key=order) if key.startswith(prefix)
    )
    shown = list(names)[start : start + PAGE]
    parts = [_entry(name, objects) for name in shown]
    more = start + PAGE < len(names)
    token = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if more else ""
    body = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(parts)}<EncodingType>url</EncodingType>"
    return f"<ListBucketResult>{body}</ListBucketResult>".encode()


def _rolled_up(key: str, prefix: str, delimiter: str) -> str:
    folder, found, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
    return prefix + folder + found if found else key


def _entry(name: str, objects: dict[str, bytes]) -> str:
    shown = escape(quote(name))
    if name not in objects:
        return f"<CommonPrefixes><Prefix>{shown}</Prefix></CommonPrefixes>"
    stamp = "<LastModified>2026-11-01T00:00:00.000Z</LastModified>"
    size = f"<Size>{len(objects[name])}</Size>"
    return f"<Contents><Key>{shown}</Key>{stamp}<ETag>&quot;{_etag(objects[name])}&quot;</ETag>{size}</Contents>"


def _etag(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()
