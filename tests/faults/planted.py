"""Bugs to plant into processes under test: each proves that the checker would see it. The tree itself is not touched.

A bug is a change of the source of one module, made by an import hook before the module runs.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from PIL import ImageFile

from core.domain import LoadedPhoto, ViewPlan
from core.photos.decode import load_photo

# Bug: the module, what its source says, and what it says with the bug.
BUGS = {
    "no_fencing": ("db.transactions.queue", "Work.token == claim.token, Work.state == WorkState.LEASED", "True"),
    "no_generation_check": (
        "db.transactions.verdicts",
        "if photo_set.generation != claim.work.generation:",
        "if photo_set.generation < claim.work.generation:",
    ),
    "verdict_updated": (
        "db.transactions.verdicts",
        "    session.execute(insert_for(session, Verdict).on_conflict_do_nothing(), [row])",
        "    changed = session.execute(update(Verdict).where(Verdict.set_id == photo_set.id).values(row))\n"
        "    if not changed.rowcount:\n"
        "        session.execute(insert_for(session, Verdict), [row])",
    ),
    "event_deleted_first": (
        "workers.consumer",
        "        for ref, outcome in self._ingest_all(list(named)):",
        "        self._settle(messages, dict.fromkeys(outcomes, Outcome.INGESTED))\n"
        "        for ref, outcome in self._ingest_all(list(named)):",
    ),
    "reconciler_off": ("workers.backlog", "publish_all(context, due, queue)", "publish_all(context, due[:0], queue)"),
    "vanished_forgotten": (
        "db.photo_rows",
        ".where(Photo.set_id.in_(set_ids), ~Photo.superseded)",
        ".where(Photo.set_id.in_(set_ids), ~Photo.superseded, Photo.gone_reason.is_(None))",
    ),
    "size_not_compared": ("workers.scoring", "if len(blob.data) != photo.size:", "if len(blob.data) < 0:"),
}


def load_truncated_photo(data: bytes, plan: ViewPlan) -> LoadedPhoto:
    """`load_photo` with Pillow told to fill the missing rows of a truncated photo with grey."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    return load_photo(data, plan)


class _Planted(SourceFileLoader):
    """Loads a module with its bug, and no byte code from a cache."""

    bug: tuple[str, str, str]

    def get_code(self, fullname: str) -> CodeType:
        _, right, wrong = self.bug
        source = self.get_source(fullname) or ""
        if source.count(right) != 1:
            raise ImportError(f"the bug for {fullname} no longer fits its source: {right!r}")
        return compile(source.replace(right, wrong), self.path, "exec")


class _Planter(MetaPathFinder):
    def __init__(self, bug: tuple[str, str, str]) -> None:
        self._bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._bug[0]:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Planted(fullname, spec.origin)
            spec.loader.bug = self._bug
        return spec


def plant(name: str) -> None:
    """Have the module that the bug lies in loaded with it, from now on."""
    for module in [module for module in sys.modules if module.split(".")[0] in ("core", "db", "workers")]:
        del sys.modules[module]
    sys.meta_path.insert(0, _Planter(BUGS[name]))
