"""Shuts a worker down some time after its model version was retired."""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

import structlog

from core.domain import ModelIdentity
from core.errors import ModelUnusable, WalkaroundError
from db import queries
from db.session import Sessions

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 15.0
# A roll-back within this time finds the old model's workers still there.
GRACE_S = 600.0


class RetirementWatch:
    """Watches the model version of one worker; calls `end` once it has been retired for `GRACE_S` seconds."""

    def __init__(
        self, sessions: Sessions, model: ModelIdentity, end: Callable[[], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._sessions = sessions
        self._model = model
        self._end = end
        self._clock = clock
        self._retired_since: float | None = None
        self._ended = False

    def watch(self) -> None:
        """Look every `LOOK_EVERY_S` seconds from a thread of its own, until the worker was asked to end."""

        def look_repeatedly() -> None:
            while not self._ended:
                Event().wait(LOOK_EVERY_S)
                self.look()

        Thread(target=look_repeatedly, name="retirement", daemon=True).start()

    def look(self) -> None:
        """Ask the database once. While it is away nothing is known about the model, and nothing changes."""
        try:
            serving = any(version.identity.scores_as(self._model) for version in queries.serving_models(self._sessions))
        except WalkaroundError:
            return
        if serving:
            self._retired_since = None
        elif self._retired_since is None:
            self._retired_since = self._clock()
            log.warning("model_retired", model=self._model.name, ends_in_seconds=GRACE_S)
        elif not self._ended and self._clock() - self._retired_since >= GRACE_S:
            self._ended = True
            log.warning("worker_ends", model=self._model.name, reason="its model was retired")
            self._end()

    def check(self) -> None:
        """Raise `ModelUnusable` if the worker ended for this reason: the command prints it and exits with an error."""
        if self._ended:
            raise ModelUnusable(
                f"{self._model.name} was retired, and this worker ended; start it again with WALKAROUND_MODEL "
                "naming the model that is active"
            )
