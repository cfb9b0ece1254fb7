"""Object keys: which are valid, and which return an object belongs to. All pure."""

import hashlib
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from core.domain import SetRef
from core.errors import InvalidKey, SettingsInvalid
from core.object_kinds import ObjectKind, is_own_key, kind_of

WHOLE_STORE = "."
KEY_MAX_BYTES = 1024  # S3's own limit

# Unicode's categories Cc and Cs.
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_EMPTY_OR_DOTS = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")
_FIELDS = frozenset({"fleet", "vehicle", "return"})
_DEFAULT_FLEET = "default"
_DEFAULT_RETURN = "1"


def validate_key(key: str) -> None:
    """Raise `InvalidKey` unless `key` is a plain object name: no `..`, no control characters, at most 1,024 bytes."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidKey(f"object key {key!a} is not valid UTF-8; rename the object") from error
    if not key or length > KEY_MAX_BYTES:
        raise InvalidKey(f"object key of {length} bytes: keys have 1 to {KEY_MAX_BYTES} bytes; rename the object")
    if _CONTROL_CHARACTER.search(key):
        raise InvalidKey(f"object key {key!a} holds control characters; rename the object")
    if _EMPTY_OR_DOTS.search(key.removesuffix("/")):
        raise InvalidKey(f"object key {key!a} holds an empty, `.` or `..` part; rename the object")


def is_accepted(key: str) -> bool:
    """Whether the key passes `validate_key`."""
    try:
        validate_key(key)
    except InvalidKey:
        return False
    return True


def recorded_key(key: str, set_key: str) -> str:
    """The key under which an object of a set is written down: `key` itself, or where it is not accepted a form of it.

    That form can be printed and held by every database, and is not accepted either, so that nobody reads the object:
    its control characters are escaped, it is shortened to what an index takes, and then an empty folder comes first.
    """
    if is_accepted(key):
        return key
    in_set = key.removeprefix(set_key)
    name = _CONTROL_CHARACTER.sub(lambda character: ascii(character[0])[1:-1], in_set)
    if len(key.encode(errors="surrogatepass")) > KEY_MAX_BYTES:
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        name = f"{name.encode()[: KEY_MAX_BYTES // 2].decode(errors='ignore')}...{digest}"
    return key if name == in_set else f"{set_key}/{name}"


@dataclass(frozen=True)
class KeyLayout:
    """Where a return's photos lie: a template of `{fleet}`, `{vehicle}` and `{return}` folders, ending in `/`.

    A folder that the template does not name has a fixed value: fleet `default`, return `1`. The template `.` makes the
    whole store one set, of the vehicle `single_vehicle`. Raises `SettingsInvalid` for a template that cannot work.
    """

    template: str = "returns/{fleet}/{vehicle}/{return}/"
    single_vehicle: str = "vehicle"

    def __post_init__(self) -> None:
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
        except ValueError as error:
            raise SettingsInvalid(f"key template {self.template!r}: {error}") from error
        if self.template == WHOLE_STORE:
            return
        if not self.template.endswith("/"):
            raise SettingsInvalid(f"key template {self.template!r} must end in `/`")
        if set(names) - _FIELDS or len(names) != len(set(names)):
            raise SettingsInvalid(
                f"key template {self.template!r} may name {{fleet}}, {{vehicle}} and {{return}} once each"
            )
        if "vehicle" not in names:
            raise SettingsInvalid(f"key template {self.template!r} must name {{vehicle}}")

    @property
    def root(self) -> str:
        """The literal prefix before the first named folder: what a scan lists."""
        return "" if self.template == WHOLE_STORE else self.template.partition("{")[0]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        if self.template == WHOLE_STORE:
            return re.compile("")
        parts = []
        for literal, name, _, _ in string.Formatter().parse(self.template):
            parts.append(re.escape(literal))
            if name is not None:
                parts.append(f"(?P<{name}_>[^/]+)")
        return re.compile("".join(parts))

    def parse(self, key: str) -> SetRef | None:
        """The set that `key` lies in, or None where it lies in none."""
        match = self._pattern.match(key)
        if match is None or is_own_key(key) or any(part in (".", "..") for part in match[0].split("/")):
            return None
        named = match.groupdict()
        return SetRef(
            fleet=named.get("fleet_", _DEFAULT_FLEET),
            vehicle=named.get("vehicle_", self.single_vehicle),
            return_ref=named.get("return_", _DEFAULT_RETURN),
            set_key=match[0],
        )


def guess_layout(keys: Iterable[str]) -> KeyLayout:
    """The layout of a store nobody described, from some of its photo keys: the standard one, or a folder of folders.

    `<vehicle>/<photo>`, `<vehicle>/<return>/<photo>`, `<fleet>/<vehicle>/<return>/<photo>`, or photos side by side
    (the whole store is one set). The commonest depth decides.
    """
    depths: dict[int, int] = {}
    standard = KeyLayout()
    for key in keys:
        if standard.parse(key) is not None:
            return standard
        if kind_of(key, size=0) is ObjectKind.CONTENT:
            depth = min(key.count("/"), 3)
            depths[depth] = depths.get(depth, 0) + 1
    depth = max(depths, key=lambda level: (depths[level], level), default=1)
    templates = [WHOLE_STORE, "{vehicle}/", "{vehicle}/{return}/", "{fleet}/{vehicle}/{return}/"]
    return KeyLayout(templates[depth])
