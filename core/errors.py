"""Every error of the system. Its class says who can help; its message is for a person.

`Transient`: time helps. `NeedsOperator`: whoever runs Walkaround must mend something first; until then the work waits.
`Permanent`: this photo, event or command is refused, and only another one can succeed. Every other exception is a bug.
"""

from enum import StrEnum


class WalkaroundError(Exception):
    """Base of all errors we raise on purpose: the message names the object and the remedy."""


class Transient(WalkaroundError):
    """Trying again later can succeed: the work goes back with a delay."""


class NeedsOperator(WalkaroundError):
    """The installation must be mended by whoever runs it: credentials, a full disk, a version, a model.

    The work waits, with growing pauses and any number of tries, and goes on by itself once the cause is mended.
    """


class Permanent(WalkaroundError):
    """Refused for what it is: trying the same again cannot succeed."""


class StoreUnavailable(Transient):
    """The photo store did not answer, answered with a server error, or cut a body short."""


class StoreRefused(NeedsOperator):
    """The photo store refused: wrong bucket, missing permission, expired credentials, full disk."""


class ListingOutOfOrder(NeedsOperator):
    """The photo store listed an object after one that it should have come before."""


class PhotoMissing(Permanent):
    """There is no object under this key."""


class PhotoChanged(Transient):
    """The object is no longer the version that was asked for; the set must be ingested again."""


class InvalidKey(Permanent):
    """An object key that is not accepted: `..`, control characters, not UTF-8, too long."""


class InvalidManifest(Permanent):
    """A manifest that is not JSON, has the wrong shape, or is too large."""


class InvalidEvent(Permanent):
    """A message or event that is not one of ours, or not well formed."""


class DecoderUnavailable(Transient):
    """No process to decode photos in could be started, or it was ended from outside."""


class SettingsInvalid(Permanent):
    """A setting is missing or wrong; the message names its environment variable."""


class DatabaseUnusable(NeedsOperator):
    """The database is of another version, read-only, full or not there."""


class DatabaseUnavailable(Transient):
    """The database did not answer or broke the connection."""


class BrokerUnavailable(Transient):
    """The broker did not answer, or refused: it is full, read-only or cannot save."""


class ReviewRefused(Permanent):
    """A review of something that does not exist, or under a key that another decision already has."""


class ModelUnusable(NeedsOperator):
    """A model artefact that is missing, incomplete, or does not match its card."""


class ModelFailed(Transient):
    """The device failed while it scored photos, not through any one of them; another attempt or worker can succeed."""


class DeviceBroken(ModelFailed):
    """The device of this process fails again and again; only another worker can succeed, and this one must end."""


class PromotionRefused(Permanent):
    """A model that may not become the promoted one: it would find less damage, or there is nothing to go back to."""


class PolicyInvalid(Permanent):
    """A policy file that is missing, is not JSON, or says something that makes no sense."""


class DatasetInvalid(Permanent):
    """Training data that cannot be used: a wrong manifest, missing photos, copies across splits."""


class Refusal(StrEnum):
    """Why a photo is refused. Stored with the photo; `explanation` is what a person reads.

    COMPANION is no complaint: the file is no photo and stands beside photos (`core.object_kinds.companions`). It is
    left out of the verdict and of every count of photos.
    """

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_A_PHOTO = "not_a_photo"
    FORMAT_NOT_ACCEPTED = "format_not_accepted"
    ANIMATED = "animated"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_TIMEOUT = "decoder_timeout"
    DECODER_MEMORY = "decoder_memory"
    CLASSIFIER_FAILED = "classifier_failed"
    INVALID_KEY = "invalid_key"
    MANIFEST_MISMATCH = "manifest_mismatch"
    ARCHIVED = "archived"
    ACCESS_DENIED = "access_denied"
    COMPANION = "companion"

    @property
    def explanation(self) -> str:
        """What happened, and what to do, for a person."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Refusal.EMPTY: "the file is empty; upload it again",
    Refusal.TOO_LARGE: "the file is larger than 40 MB; upload a smaller photo",
    Refusal.TOO_MANY_PIXELS: "the photo has more than 110 megapixels; upload a smaller one",
    Refusal.NOT_A_PHOTO: "the file is not a photo; upload JPEG, PNG, WEBP or HEIC",
    Refusal.FORMAT_NOT_ACCEPTED: "the format is not accepted; upload JPEG, PNG, WEBP or HEIC",
    Refusal.ANIMATED: "the file holds several pictures; upload a single photo",
    Refusal.TRUNCATED: "a part of the file is missing; upload it again",
    Refusal.CORRUPT: "the file is damaged and cannot be read; upload it again",
    Refusal.DECODER_CRASHED: "reading the file crashed the decoder, twice; upload the photo in another format",
    Refusal.DECODER_TIMEOUT: "reading the file took too long, twice; upload the photo in another format",
    Refusal.DECODER_MEMORY: "reading the file took too much memory; upload a smaller photo",
    Refusal.CLASSIFIER_FAILED: "the model could not score this photo; report it to whoever runs Walkaround",
    Refusal.INVALID_KEY: "the object's name is not accepted; upload it under a plain name",
    Refusal.MANIFEST_MISMATCH: "the file is not the one its manifest lists; upload it again",
    Refusal.ARCHIVED: "the store holds the photo in an archive; restore it there, and it is scored",
    Refusal.ACCESS_DENIED: "the store refuses this photo alone; allow Walkaround to read it, or upload it again",
    Refusal.COMPANION: "the file belongs to the photos beside it; nothing has to be done",
}


class PhotoRefused(Permanent):
    """A photo that cannot be scored, with the reason that is stored and shown."""

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(f"{reason.explanation}{f' ({detail})' if detail else ''}")
        self.reason = reason
        self.detail = detail
