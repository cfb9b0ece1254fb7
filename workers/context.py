"""What a worker process holds, passed to the pipeline as arguments. `workers.bootstrap` builds it."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from core.completeness import CompletionRules
from core.domain import Classifier, PhotoLoader, PhotoStore
from core.errors import InvalidEvent
from core.keys import KeyLayout
from core.policy import Policy
from core.settings import Settings
from db.session import Sessions
from db.transactions import WorkKey


class Publisher(Protocol):
    """Sends messages that work is due. One that is lost costs time, never work."""

    def __call__(self, work: WorkKey, queue: str) -> bool:
        """Send a message; False where none was sent, for the queue is long enough or the broker away."""
        ...

    def room(self, queue: str) -> int:
        """How many messages more the queue should get; 0 while the broker is away."""
        ...

    def length(self, queue: str) -> int:
        """How many messages wait in the queue. Raises `BrokerUnavailable`."""
        ...


class NoPublisher:
    """The publisher of processes that only read: they make no work due, and need no broker."""

    def __call__(self, work: WorkKey, queue: str) -> bool:  # noqa: ARG002
        """Send nothing."""
        return False

    def room(self, queue: str) -> int:  # noqa: ARG002
        """There is none."""
        return 0

    def length(self, queue: str) -> int:  # noqa: ARG002
        """No message waits."""
        return 0


@dataclass(frozen=True, slots=True)
class Context:
    """What every step needs: where photos lie, where rows go, which rules hold, and how to publish."""

    settings: Settings
    store: PhotoStore
    layout: KeyLayout
    rules: CompletionRules
    sessions: Sessions
    publish: Publisher


@dataclass(frozen=True, slots=True)
class Scoring:
    """What classifying needs besides: one model, and the processes and threads that bring it photos."""

    model_id: int
    classifier: Classifier
    policy: Policy
    loader: PhotoLoader
    fetchers: Executor

    def close(self) -> None:
        """End the decoding processes and let the device go."""
        self.fetchers.shutdown(wait=True, cancel_futures=True)
        self.loader.close()
        self.classifier.close()


def work_key(*message: object) -> WorkKey:
    """The three ids of a message, trusting none of them. Raises `InvalidEvent`."""
    ids = [value for value in message if type(value) is int and 0 < value < 2**63]
    if len(ids) != 3 or len(message) != 3:
        raise InvalidEvent(f"message {message!r:.200} is not (set_id, model_id, generation); it is dropped")
    return WorkKey(*ids)
