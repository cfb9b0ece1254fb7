"""A verdict's stored reasons, and a photo's, in plain words."""

from core.domain import ClosedBy, PhotoStatus
from core.errors import Refusal
from core.photos.usability import Unusable
from core.reasons import Rule
from reports.view import PhotoView, ReturnView, Standing

_CLOSED_BY = {
    ClosedBy.MANIFEST: "its manifest lists every photo",
    ClosedBy.MARKER: "its completion marker arrived",
    ClosedBy.COUNT: "the expected number of photos arrived",
    ClosedBy.QUIET: "no further photo came in for a while",
    ClosedBy.DEADLINE: "its deadline passed",
}


# The rules that say all there is to say.
_DOUBTS = {
    Rule.NO_VEHICLE: "No photo seems to show a vehicle; a person has to look.",
    Rule.TOO_FEW_PHOTOS: "There are too few different photos to call it clear; a person has to look.",
    Rule.PHOTO_REUSED: "A photo was used for an earlier return; a person has to look.",
    Rule.CLEAR_BUT_FOR_LOSS: "No photo shows damage, but some are gone from the store; a person has to look.",
    Rule.PHOTO_WITHOUT_VEHICLE: "A photo seems to show no vehicle; a person has to look.",
}


def percent(probability: float | None) -> str:
    """A probability for people: `97 %`, with spaces that do not break; never 0 % or 100 %, which no model can know."""
    if probability is None:
        return "–"
    if probability < 0.01:
        return "<\u00a01\u00a0%"
    if probability > 0.99:
        return ">\u00a099\u00a0%"
    return f"{probability:.0%}".replace("%", "\u00a0%")


def explain_photo(photo: PhotoView) -> str:
    """Why a photo was not scored, and what to do; empty for one that was."""
    if photo.gone:
        return "is gone from the store"
    if photo.status is PhotoStatus.SEEN:
        return "waits to be scored"
    if not photo.refused:
        return ""
    for known in (Refusal, Unusable):
        if photo.reason in {member.value for member in known}:
            return known(photo.reason).explanation
    return photo.reason or "it could not be scored"


def explain_verdict(found: ReturnView) -> str:
    """One or two sentences: why the return has its status, and what a person should do."""
    if found.decided_by == "person":
        return f"A person decided: {found.standing.value}."
    match found.standing:
        case Standing.DAMAGED:
            return f"{_damaged(found)}{_rarity(found)}{_remarks(found)}"
        case Standing.UNDECIDED:
            return f"{_undecided(found)}{_remarks(found)}"
        case Standing.CLEAR:
            return f"{_clear(found)}{_remarks(found)}"
        case Standing.FAILED:
            return f"It could not be scored: {found.note or 'the worker’s log says why'}."
        case Standing.PENDING:
            return f"{_photos(len(found.photos))} to be scored."
        case Standing.OPEN:
            return f"More photos are awaited; {_photos(len(found.photos))} so far."
        case Standing.EMPTY:
            return "It has no photos."


def explain_closing(found: ReturnView) -> str:
    """Which rule said that the return was complete; empty while it is not."""
    if found.closed_by is None:
        return ""
    return f"Taken as complete because {_CLOSED_BY[ClosedBy(found.closed_by)]}"


def _damaged(found: ReturnView) -> str:
    worst = found.worst
    if worst is None:
        return "A photo shows damage."
    limit = f"(damage from {percent(found.damaged_at)})"
    if len(found.photos) == 1:
        return f"The photo shows damage: {percent(worst.probability)} {limit}."
    showing = sum((photo.probability or 0) >= found.damaged_at for photo in found.photos)
    verb, clearest = ("shows", worst.name) if showing == 1 else ("show", f"most clearly {worst.name}")
    sentence = f"{showing} of {_photos(len(found.photos))} {verb} damage"
    return f"{sentence}: {clearest} at {percent(worst.probability)} {limit}.{_refused(found)}"


def _undecided(found: ReturnView) -> str:
    worst, missing = found.worst, found.reasons.get("missing", [])
    if worst is None:
        return f"No photo could be scored; a person has to look.{_refused(found)}"
    if any(photo.refused for photo in found.photos):
        return f"No scored photo shows damage, but not all could be scored; a person has to look.{_refused(found)}"
    if missing:
        named = ", ".join(key.rpartition("/")[2] for key in missing[:3]) + (" …" if len(missing) > 3 else "")
        verb = "is" if len(missing) == 1 else "are"
        return f"The set is incomplete: {_photos(len(missing))} of its manifest {verb} missing ({named})."
    if found.closed_by == ClosedBy.DEADLINE:
        return "The set is incomplete: its deadline passed before all photos came in."
    if any(photo.gone and photo.probability is None for photo in found.photos):
        return "A photo is gone from the store that nobody has scored; a person has to look."
    rule = found.reasons.get("rule")
    if rule in _DOUBTS:
        return _DOUBTS[rule]
    between = f"between clear (below {percent(found.clear_below)}) and damage (from {percent(found.damaged_at)})"
    return f"{worst.name} is at {percent(worst.probability)}, {between}; a person has to look."


def _clear(found: ReturnView) -> str:
    worst = found.worst
    if worst is None:
        return "No damage seen."
    limit, highest = percent(found.clear_below), percent(worst.probability)
    if len(found.photos) == 1:
        return f"The photo stays below {limit}: {highest}."
    return f"All {_photos(len(found.photos))} stay below {limit}; the highest is {worst.name} at {highest}."


def _rarity(found: ReturnView) -> str:
    """How often an intact return of as many photos looks so damaged, where the policy counts that."""
    share = found.reasons.get("thresholds", {}).get("intact_share")
    if share is None:
        return ""
    often = f"one in {round(1 / share):,}" if share > 1e-4 else "fewer than one in 10,000"
    return f" Of intact returns with as many photos {often} looks like this."


def _remarks(found: ReturnView) -> str:
    """What a person should know of single photos: used before, of something else, gone, or the same one twice."""
    photos = found.reasons.get("photos", [])
    reused = [photo for photo in photos if photo.get("reused_from")]
    others = [photo["key"].rpartition("/")[2] for photo in photos if photo.get("shows_vehicle") is False]
    beside = [photo["key"].rpartition("/")[2] for photo in photos if photo.get("reason") == Refusal.COMPANION]
    copies = sum("counted_as" in photo for photo in photos)
    gone = sum("absence" in photo for photo in photos)
    said = ""
    if reused:
        name, source = reused[0]["key"].rpartition("/")[2], reused[0]["reused_from"]
        more = f", and {len(reused) - 1} more were used before" if len(reused) > 1 else ""
        said += f" {name} was already used for the return {source}{more}."
    if others:
        said += f" Not taken for a vehicle: {', '.join(others[:3])}{' …' if len(others) > 3 else ''}."
    if gone:
        said += f" Gone from the store: {_photos(gone)}; what was seen there still counts."
    if copies:
        said += f" {_photos(copies)} counted as copies of others."
    if beside:
        said += f" Beside the photos: {', '.join(beside[:3])}{' …' if len(beside) > 3 else ''}."
    return said


def _refused(found: ReturnView) -> str:
    refused = [photo for photo in found.photos if photo.refused]
    if not refused:
        return ""
    first = f"{refused[0].name}: {explain_photo(refused[0])}"
    more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    return f" Not scored: {first}{more}."


def _photos(count: int) -> str:
    return f"{count} photo" if count == 1 else f"{count} photos"
