"""Whether anyone still asks for the model that a worker holds; where nobody does, the worker ends by itself."""

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
        """Look every now and then, in a thread that lasts as long as the process or until the end was asked for."""

        def look_on() -> None:
            while not self._ended:
                Event().wait(LOOK_EVERY_S)
                self.look()

        Thread(target=look_on, name="retirement", daemon=True).start()

    def look(self) -> None:
        """Ask the database once. One that is away says nothing about the model."""
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
        """Raise `ModelUnusable` where the worker ended for this reason: so that it is told, and exits with an error."""
        if self._ended:
            raise ModelUnusable(
                f"{self._model.name} was retired, and this worker ended; start it again with WALKAROUND_MODEL "
                "naming the model that is active"
            )
