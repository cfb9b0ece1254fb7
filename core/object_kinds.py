"""What an object is, as far as its name and size tell: content of a return, or something beside it. All pure.

Nothing is guessed. What is left out of a return is left out by its whole name or by a rule of the tables below; every
other object is content: a photo, or a companion of photos, which only its bytes can show (`core.photos.formats`).
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import PurePosixPath

MANIFEST_NAME = "_manifest.json"
MARKER_NAME = "_COMPLETE"
REPORTS = "reports/"
REVIEWS = "reviews/"

_REVIEW_KEY = re.compile(rf"{REVIEWS}\d{{4}}-\d\d/[0-9a-f]{{64}}\.json")


class ObjectKind(StrEnum):
    """CONTENT of a return; a CONTROL file; OWN: written by Walkaround; LITTER of operating systems and tools."""

    CONTENT = "content"
    CONTROL = "control"
    OWN = "own"
    LITTER = "litter"


# Litter, by rule. All names are in lower case and are compared so.
_LITTER_FOLDERS = {
    "__macosx": "macOS",
    ".appledouble": "macOS",
    ".documentrevisions-v100": "macOS",
    ".fseventsd": "macOS",
    ".spotlight-v100": "macOS",
    ".temporaryitems": "macOS",
    ".trash": "macOS",
    ".trashes": "macOS",
    "$recycle.bin": "Windows",
    "system volume information": "Windows",
    "lost+found": "Linux",
    ".cache": "Linux",
    ".thumbnails": "Android",
    "@eadir": "network storage",
    "#recycle": "network storage",
    "@recycle": "network storage",
    ".@__thumb": "network storage",
    ".dropbox.cache": "file synchronisation",
    ".stfolder": "file synchronisation",
    ".stversions": "file synchronisation",
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
}
_LITTER_NAMES = {
    ".ds_store": "macOS",
    ".localized": "macOS",
    ".apdisk": "macOS",
    ".volumeicon.icns": "macOS",
    "icon\r": "macOS",
    "thumbs.db": "Windows",
    "ehthumbs.db": "Windows",
    "ehthumbs_vista.db": "Windows",
    "desktop.ini": "Windows",
    ".directory": "Linux",
    ".nomedia": "Android",
}
_LITTER_PATTERNS = (
    (re.compile(r"\._.+"), "macOS"),  # AppleDouble: what other file systems cannot keep beside a file's content
    (re.compile(r"\.trash-\d+"), "Linux"),
    (re.compile(r"\.fuse_hidden[0-9a-f]+|\.nfs[0-9a-f]{24}"), "Linux"),  # deleted while a program still had them open
    (re.compile(r"\.(trashed|pending)-\d+-.+"), "Android"),
    (re.compile(r"\.~lock\..+#|~\$.+\.(doc|xls|ppt|od)[a-z]*"), "office programs"),
    (re.compile(r"\..+\.(jpe?g|png|webp|hei[cf])\.[a-z0-9]{6}"), "unfinished transfer"),  # rsync
    (re.compile(r"\.(syncthing\..+\.tmp|.+\.(part|partial))"), "unfinished transfer"),
)
_EMPTY_LITTER = (
    (re.compile(r".*/"), "folder marker"),  # the S3 console's
    (re.compile(r".*_\$folder\$"), "Hadoop"),
    (re.compile(r"(.*/)?_success"), "Hadoop"),
)

_PICTURES = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif"),
        *(".avif", ".gif", ".bmp", ".tif", ".tiff", ".dng", ".jxl", ".jp2", ".svg"),
    ]
)
_VIDEOS = frozenset([".mov", ".mp4", ".m4v", ".3gp", ".mp"])
# No photo of a vehicle has such a name: edits and descriptions of photos, documents, spoken notes, routes, checksums.
_BESIDE_PHOTOS = frozenset(
    [
        *(".aae", ".xmp"),
        *(".txt", ".md", ".log", ".csv", ".json", ".xml", ".yaml", ".yml", ".htm", ".html"),
        *(".pdf", ".rtf", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".ods"),
        *(".m4a", ".mp3", ".wav", ".aac", ".amr", ".ogg", ".opus"),
        *(".gpx", ".kml", ".md5", ".sha1", ".sha256"),
    ]
)


def kind_of(key: str, size: int) -> ObjectKind:
    """What the object is. `size` in bytes: some rules are about empty objects only."""
    if is_own_key(key):
        return ObjectKind.OWN
    if key.rpartition("/")[2] in (MANIFEST_NAME, MARKER_NAME):
        return ObjectKind.CONTROL
    return ObjectKind.CONTENT if litter_rule(key, size) is None else ObjectKind.LITTER


def litter_rule(key: str, size: int) -> str | None:
    """The rule by which the object is litter, named after who leaves such objects; None where it is none."""
    *folders, name = (part.lower() for part in key.split("/"))
    for folder in folders:
        rule = _LITTER_FOLDERS.get(folder) or (_pattern_rule(folder) if folder[:1] == "." else None)
        if rule is not None:
            return rule
    if name in _LITTER_NAMES:
        return _LITTER_NAMES[name]
    if name[:1] in (".", "~") and (rule := _pattern_rule(name)) is not None:
        return rule
    if size == 0:
        return next((rule for pattern, rule in _EMPTY_LITTER if pattern.fullmatch(key.lower())), None)
    return None


def _pattern_rule(name: str) -> str | None:
    return next((rule for pattern, rule in _LITTER_PATTERNS if pattern.fullmatch(name)), None)


def companions(keys: Iterable[str]) -> frozenset[str]:
    """Of a return's content, the keys whose name is a companion's; whether it is one, its bytes must show too.

    These are edits, descriptions and documents beside the photos, hidden files that are not named as a picture or a
    video, and videos that have a picture of the same name beside them (Apple's Live Photos, Google's motion photos).
    A video alone is none: somebody filmed the vehicle, and a person must see it.
    """
    names = list(keys)
    stems = {stem for key in names if _suffix(key) in _PICTURES for stem in _picture_names(key)}
    return frozenset(key for key in names if _is_beside(key) or (_suffix(key) in _VIDEOS and _is_with(key, stems)))


def _is_beside(key: str) -> bool:
    suffix = _suffix(key)
    hidden = key.rpartition("/")[2].startswith(".")
    return suffix in _BESIDE_PHOTOS or (hidden and suffix not in _PICTURES | _VIDEOS)


def _is_with(video: str, stems: set[str]) -> bool:
    return bool(stems & {video.lower(), video.lower().removesuffix(_suffix(video))})


def _picture_names(key: str) -> tuple[str, str]:
    """`IMG_1` and `IMG_1.HEIC`: programs keep a picture's video under either, with `.MOV` added."""
    return key.lower().removesuffix(_suffix(key)), key.lower()


def _suffix(key: str) -> str:
    return PurePosixPath(key).suffix.lower()


def is_own_key(key: str) -> bool:
    """Whether Walkaround wrote the object: a report or a review. A vehicle may be called `reports` all the same."""
    return (key.startswith(REPORTS) and key.endswith((".html", ".json"))) or is_review_key(key)


def is_review_key(key: str) -> bool:
    """Whether the object is one recorded decision."""
    return _REVIEW_KEY.fullmatch(key) is not None
