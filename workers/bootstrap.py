"""How a worker process is put together from its settings: each part made by the process that needs it."""

from collections.abc import Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import Lock

import structlog

from core.domain import ModelIdentity, PhotoStore
from core.errors import ModelUnusable, SettingsInvalid, Transient, WalkaroundError
from core.keys import KeyLayout
from core.machine import available_cores, available_memory
from core.model.artefact import Artefact
from core.model.card import Card
from core.model.inference import BatchingClassifier
from core.model.precision import identity_in
from core.model.registry import open_model
from core.photos.sandbox.loader import make_loader
from core.policy import Policy, read_policy
from core.settings import Settings
from core.storage.address import open_own_place, open_store
from core.storage.options import S3Options
from db import queries, transactions
from db.queries import ModelRow
from db.session import Sessions, check_version, engine_of, make_engine, make_sessions
from workers.context import Context, Publisher, Scoring
from workers.health import Health, Progress, readiness
from workers.metrics import show_device
from workers.queues import INTAKE

log = structlog.get_logger(__name__)


def s3_options(settings: Settings) -> S3Options:
    """How to reach the S3 server that the settings name."""
    secret = settings.s3_secret_access_key
    return S3Options(
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        ca_bundle=settings.s3_ca_bundle,
        path_style=settings.s3_path_style,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
    )


def make_store(settings: Settings) -> PhotoStore:
    """The store that the settings name. Raises `SettingsInvalid`, `StoreRefused`."""
    if not settings.store:
        raise SettingsInvalid("WALKAROUND_STORE is missing; it names the bucket (s3://...) or folder of photos")
    return open_store(settings.store, s3_options(settings))


def own_place(context: Context, place: str) -> PhotoStore:
    """Where Walkaround's own objects go: `place`, or beside the photos where it is empty."""
    return open_own_place(place, s3_options(context.settings)) if place else context.store


def make_artefact(settings: Settings) -> Artefact:
    """The model that the settings name, verified. Loads no TensorFlow. Raises `ModelUnusable`."""
    return open_model(settings.model, s3_options(settings), settings.model_cache)


def policy_of(settings: Settings, card: Card) -> Policy:
    """The rule that this model's verdicts are made by: the settings' file, else the card's. Raises `PolicyInvalid`."""
    return read_policy(settings.policy) if settings.policy else card.policy


def make_context(settings: Settings, publish: Publisher) -> Context:
    """Connect to the store and the database.

    Raises `SettingsInvalid`, also where the database belongs to another store, `StoreRefused`, `DatabaseUnusable`.
    """
    store = make_store(settings)
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=settings.database_pool)
    check_version(engine)
    sessions = make_sessions(engine)
    transactions.claim_store(sessions, store.name)
    return Context(
        settings=settings,
        store=store,
        layout=KeyLayout(settings.key_template, single_vehicle=store.name.rstrip("/").rpartition("/")[2]),
        rules=settings.rules,
        sessions=sessions,
        publish=publish,
    )


def log_sizes(settings: Settings) -> None:
    """One line that says what this process was given, and what follows from it."""
    log.info(
        "worker_sizes",
        cores=available_cores(),
        memory_mb=available_memory() // 2**20,
        concurrency=settings.concurrency,
        decode_processes=settings.decode_processes,
        decode_memory_mb=settings.decode_memory_mb,
        fetchers=settings.fetchers,
        database_pool=settings.database_pool,
    )


def make_fetchers(settings: Settings) -> Executor:
    """The threads that read photos from the store and have them decoded, for all sets in flight.

    At most so many files are in memory; of decoded photos each set in flight holds `workers.scoring.CHUNK` at most.
    """
    return ThreadPoolExecutor(settings.fetchers, thread_name_prefix="fetch")


def make_scoring(settings: Settings, sessions: Sessions) -> Scoring:
    """Open the model's artefact and start the processes that decode. Loads no TensorFlow yet: the first photo does.

    The first model a database meets becomes the active one. Raises `ModelUnusable`, also where nobody asks for this
    model: a worker that holds it would wait for ever.
    """
    artefact = make_artefact(settings)
    serves = _version_served(settings, sessions, artefact)
    return Scoring(
        model_id=serves.id,
        classifier=BatchingClassifier(
            artefact,
            batch_size=settings.batch_size,
            precision=settings.precision,
            device=settings.device,
            on_device=show_device,
        ),
        policy=serves.policy,
        loader=make_loader(settings),
        fetchers=make_fetchers(settings),
    )


def _version_served(settings: Settings, sessions: Sessions, artefact: Artefact) -> ModelRow:
    """The active version or the candidate that this model's scores are asked for by."""
    identity = identity_in(artefact, settings.precision)
    if queries.active_model(sessions) is None:
        model_id = transactions.register_model(sessions, identity, policy_of(settings, artefact.card))
        transactions.activate_first_model(sessions, model_id)
    serving = queries.serving_models(sessions)
    for version in serving:
        if version.identity.scores_as(identity):
            return version
    asked = serving[0].identity
    raise ModelUnusable(
        f"{settings.model} holds {_named(identity)}, but verdicts are given by {_named(asked)}: a worker here "
        "would wait for ever; name that model in WALKAROUND_MODEL (and WALKAROUND_PRECISION), or run "
        "`walkaround model activate`, or `walkaround model shadow` to have this one score beside it"
    )


def _named(model: ModelIdentity) -> str:
    return f"{model.name} (weights {model.weights_sha256[:12]})"


def activate_configured_model(settings: Settings, sessions: Sessions) -> int:
    """Make the settings' model the one that verdicts are given by; its id."""
    artefact = make_artefact(settings)
    identity = identity_in(artefact, settings.precision)
    model_id = transactions.register_model(sessions, identity, policy_of(settings, artefact.card))
    transactions.activate_model(sessions, model_id)
    return model_id


class WorkerResources:
    """What one worker process holds, each part made when first needed and by the process that needs it."""

    def __init__(self, settings: Settings, publish: Publisher) -> None:
        self._settings = settings
        self._publish = publish
        self._context_lock, self._scoring_lock = Lock(), Lock()  # who asks for the one shall not wait for the other
        self._context: Context | None = None
        self._scoring: Scoring | None = None
        self._queues: frozenset[str] = frozenset()
        self._takes_work = False
        self.ended_by: WalkaroundError | None = None
        self.progress = Progress(due=self._work_waits)

    @property
    def context(self) -> Context:
        """Store, database and rules, connected to when first needed."""
        with self._context_lock:
            if self._context is None:
                self._context = make_context(self._settings, self._publish)
            return self._context

    @property
    def scoring(self) -> Scoring:
        """Model, decoders and fetchers, the model loaded, made when first needed."""
        sessions = self.context.sessions
        with self._scoring_lock:
            if self._scoring is None:
                scoring = make_scoring(self._settings, sessions)
                scoring.classifier.warm_up()  # before anything is claimed: loading must not use up a lease
                self._scoring = scoring
            return self._scoring

    def serve(self, queues: Collection[str]) -> None:
        """Name the queues that this process takes work from: its health is judged by theirs."""
        self._queues = frozenset(queues)

    def start_taking_work(self) -> None:
        """All that this process needs is loaded: from now on it is ready while its servers answer."""
        self._takes_work = True

    def _work_waits(self) -> bool:
        """Whether this process could do something now. It must not wait for a lock: a model takes a minute to load."""
        context, scoring = self._context, self._scoring
        if context is None or not self._takes_work:
            return False
        if scoring is not None:
            mine = scoring.classifier.identity
            serving = queries.serving_models(context.sessions)
            model_ids = [version.id for version in serving if version.identity.scores_as(mine)]
            if queries.has_due_work(context.sessions, model_ids, self._queues):
                return True
        return INTAKE in self._queues and context.publish.length(INTAKE) > 0

    def readiness(self) -> Health:
        """Whether this process can take work now."""
        return readiness((self.check, self._check_started, self._check_servers))

    def _check_started(self) -> None:
        if not self._takes_work:
            raise Transient("it is starting")

    def _check_servers(self) -> None:
        assert self._context is not None
        check_version(engine_of(self._context.sessions))
        self._context.publish.length(INTAKE)

    def end(self, reason: WalkaroundError) -> None:
        """This process can do no more, for `reason`: it is unhealthy from now on, and `check` raises."""
        if self.ended_by is None:
            self.ended_by = reason
            self.progress.fail(str(reason))
            log.error("worker_ends", reason=str(reason))

    def check(self) -> None:
        """Raise the error that this process ended by, if there was one: its exit code shall say so."""
        if self.ended_by is not None:
            raise self.ended_by

    def close(self) -> None:
        """Let go of all of it."""
        with self._scoring_lock:
            if self._scoring is not None:
                self._scoring.close()
                self._scoring = None
