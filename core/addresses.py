"""The addresses of brokers, databases and web servers, read strictly.

A password that is not percent-encoded makes one program ask another host and the next one fail with a piece of the
password in its message. So whatever can be read in two ways is refused, and no message here quotes any of it.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

ENCODE: Final = "percent-encode the user and the password (# is %23, / is %2F, : is %3A, ? is %3F, @ is %40)"

_BROKER_SCHEMES = ("redis", "rediss", "redis+socket")
_WRITE_BROKER = "write it as redis://HOST:6379/0, rediss://HOST:6379/0 or redis+socket:///PATH"
_WRITE_DATABASE = "write it as sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
# Celery writes these names in capitals, redis-py does not.
_CERTIFICATE = {"cert_required": "required", "cert_optional": "optional", "cert_none": "none"}
_CERTIFICATE |= {short: short for short in _CERTIFICATE.values()}
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
# As SQLAlchemy reads one: a password may hold anything but @ there.
_POSTGRESQL = re.compile(
    r"postgresql(\+psycopg)?://((?P<user>[^:/@]*)(:[^@]*)?@)?(\[[0-9A-Fa-f:.%]+\]|[^/:?@]*)?(:(?P<port>[^/?]*))?"
    r"(/(?P<name>[^?]*))?(\?(?P<query>.*))?"
)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A Redis or Valkey server.

    `place` is HOST:PORT or the path of a unix socket. `credentials` stand before it in a URL, every special character
    percent-encoded: `USER:PASSWORD@`, or nothing. `tls` are redis-py's `ssl_` options, empty without TLS.
    """

    scheme: str
    place: str
    database: int
    credentials: str = field(repr=False)
    tls: Mapping[str, str | bool] = field(default_factory=dict)

    def __str__(self) -> str:
        """For people: without user and password."""
        return f"{self.scheme}://{self.place}" + (f" (database {self.database})" if self.database else "")


def read_broker(url: str) -> BrokerAddress:
    """The parts of a broker's address. Raises ValueError, with a sentence that quotes nothing of it."""
    scheme = url.partition("://")[0]
    if "://" not in url or scheme not in _BROKER_SCHEMES:
        raise ValueError(_WRITE_BROKER)
    parts = _split(url, _WRITE_BROKER)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if scheme == "redis+socket":
        place = unquote(parts.path)
        if parts.netloc.rpartition("@")[2] or not place:
            raise ValueError(f"the path of a socket begins with /; {_WRITE_BROKER}, or {ENCODE}")
        number = query.pop("virtual_host", query.pop("db", ""))
    else:
        if not parts.hostname:
            raise ValueError(f"it names no host; {_WRITE_BROKER}, or {ENCODE}")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        place = f"{host}:{parts.port or 6379}"
        number = parts.path.strip("/")
    if number and not number.isdecimal():
        raise ValueError(f"what follows the host is not the number of a database; {_WRITE_BROKER}, or {ENCODE}")
    tls = _read_tls(query) if scheme == "rediss" else {}
    if query:
        raise ValueError(f"it has a parameter after ? that is not known; {_WRITE_BROKER}, or {ENCODE}")
    return BrokerAddress(scheme, place, int(number or 0), _encoded_credentials(parts), tls)


def _encoded_credentials(parts: SplitResult) -> str:
    """All that is special is encoded, also what urllib takes as it is: kombu ends an address at a `;`."""
    user, password = quote(unquote(parts.username or ""), safe=""), quote(unquote(parts.password or ""), safe="")
    return f"{user}:{password}@" if user or password else ""


def _read_tls(query: dict[str, str]) -> dict[str, str | bool]:
    """Take redis-py's `ssl_` options out of `query`. Certificates are verified unless the address says otherwise."""
    demand = query.pop("ssl_cert_reqs", "required").lower()
    if demand not in _CERTIFICATE:
        raise ValueError("ssl_cert_reqs is required, optional or none (or CERT_REQUIRED, CERT_OPTIONAL, CERT_NONE)")
    check = query.pop("ssl_check_hostname", "true").lower()
    if check not in ("true", "false"):
        raise ValueError("ssl_check_hostname is true or false")
    verified = _CERTIFICATE[demand]
    options: dict[str, str | bool] = {"ssl_cert_reqs": verified}
    options["ssl_check_hostname"] = check == "true" and verified != "none"
    return options | {name: query.pop(name) for name in _TLS_FILES if name in query}


def check_database(url: str) -> None:
    """Raise ValueError unless SQLAlchemy reads a database's address as its writer meant it."""
    if url.startswith("sqlite:///") or url == "sqlite://":
        return
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise ValueError(_WRITE_DATABASE)
    parts = _POSTGRESQL.fullmatch(url)
    if parts is None or url.count("@") > 1 or "@" in (parts["name"] or ""):
        raise ValueError(f"it has an @ that is not the one before the host; {ENCODE}")
    if parts["port"] and not _is_port(parts["port"]):
        raise ValueError(f"what follows the host is not the number of a port; {ENCODE}")


def check_place(url: str) -> None:
    """Raise ValueError for a store's address with a user or a password in it."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError(
            "a store's address holds no user and no password; set them as WALKAROUND_S3_ACCESS_KEY_ID and "
            "WALKAROUND_S3_SECRET_ACCESS_KEY"
        )


def check_web(url: str) -> None:
    """Raise ValueError unless this is the address of a web server."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest:
        raise ValueError("it is no web address; write https://HOST/PATH")
    if not _split(url, "write https://HOST/PATH", fragment=True).hostname:
        raise ValueError("it is no web address; write https://HOST/PATH")


def _split(url: str, form: str, *, fragment: bool = False) -> SplitResult:
    """The parts of a URL that everybody reads in one way."""
    if url != "".join(url.split()) or not url.isprintable():
        raise ValueError(f"it has a space or a line end in it; {form}")
    if "#" in url and not fragment:
        raise ValueError(f"it has a # in it; {ENCODE}")
    parts = None
    with suppress(ValueError):  # its text quotes what urllib took for a port
        read = urlsplit(url)
        _ = read.port, read.hostname
        parts = read
    if parts is None:
        raise ValueError(f"it cannot be read; {ENCODE}, or {form}")
    if url.count("@") > 1 or ("@" in url and "@" not in parts.netloc):
        raise ValueError(f"it has an @ that is not the one before the host; {ENCODE}")
    return parts


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536
