"""The gate: MLflow's registry store, with every write that matters asked of the desk.

Loaded by MLflow for the scheme ``governed``: ``mlflow server --registry-store-uri governed:sqlite:///mlflow.db``. REST,
UI, Java and in-process clients all end here. A model with no policy is MLflow's own; the methods below then do what
``SqlAlchemyStore`` does, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from mlflow.entities.model_registry.model_version_stages import STAGE_PRODUCTION, STAGE_STAGING, get_canonical_stage
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.protos import databricks_pb2
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.validation import _validate_model_renaming
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from registry_hooks.desk import Desk
from registry_hooks.errors import Invalid, RegistryError
from registry_hooks.mlflow_surface.releases import version_number
from registry_hooks.mlflow_surface.store_methods import check_closure
from registry_hooks.rules.governing.names import is_role
from registry_hooks.rules.telling.tags import is_ours
from registry_hooks.storage.databases import DATABASES, SCHEME
from registry_hooks.storage.retry import again_if_undone, lost_connection, says_nothing
from registry_hooks.storage.schema import migrate

# What MLflow's store and its client give as the source of a prompt's version, which has no files. MLflow has names for
# them from 3.17.
PROMPT_SOURCES = ("prompt-template", "dummy-source")

R = TypeVar("R")

# For every engine of the process: runs are read through MLflow's tracking store, which has its own.
event.listen(Engine, "handle_error", lost_connection)


def as_mlflow_exception(error: RegistryError) -> MlflowException:
    """The refusal as MLflow's clients know it: the integer code makes it a 4xx, which they do not retry."""
    return MlflowException(
        str(error), error_code=getattr(databricks_pb2, error.code), reasons=error.as_json()["reasons"]
    )


def _refuse_unlockable(store_uri: str) -> None:
    dialect = store_uri.removeprefix(SCHEME).split(":", 1)[0].split("+", 1)[0]
    if dialect not in DATABASES:
        raise RegistryError(
            f"a governed registry needs a database of {', '.join(DATABASES)}, found {dialect!r}. "
            "Rows must be locked while a decision is made, which is not done on other databases"
        )


@contextmanager
def _told_to_mlflow() -> Iterator[None]:
    try:
        yield
    except RegistryError as error:
        raise as_mlflow_exception(error) from error
    except MlflowException as error:
        # MLflow's store says 500 of a source that is not there, which its client repeats for minutes.
        cause = error.__cause__
        if isinstance(cause, MlflowException) and says_nothing(error) and not says_nothing(cause):
            raise cause from None  # not from ``error``, of which it is the cause
        raise


def _gated(*, takes_away: bool = False) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A gate is asked by the model's own name, and again when the database undid it.

    What ``takes_away`` may be done to a model whose name only reads like one that a pattern governs, or it would stay.
    """

    def gated(method: Callable[..., R]) -> Callable[..., R]:
        @wraps(method)
        def gate(self: GovernedStore, name: str, *arguments: Any, **options: Any) -> R:
            if name is None:  # which no policy speaks of, and MLflow's own method refuses in its own words
                plain: R = getattr(SqlAlchemyStore, method.__name__)(self, name, *arguments, **options)
                return plain
            if self.compares_loosely:
                with _told_to_mlflow():
                    self.desk.native.refuse_lookalike(name, patterns=not takes_away)
            return method(self, name, *arguments, **options)

        return again_if_undone(gate)

    return gated


_gate, _gate_of_removal = _gated(), _gated(takes_away=True)


class GovernedStore(SqlAlchemyStore):
    """MLflow's SQL registry store under governance.

    Args:
        store_uri: ``governed:`` and a database URI that ``SqlAlchemyStore`` takes.

    Raises:
        MlflowException: when MLflow has registry methods that the closure table lacks, or the database holds tables of
            a newer version.
    """

    def __init__(self, store_uri: str) -> None:
        with _told_to_mlflow():
            check_closure(SqlAlchemyStore, GovernedStore)
            _refuse_unlockable(store_uri)
        super().__init__(store_uri.removeprefix(SCHEME))
        with _told_to_mlflow():
            migrate(self.engine)
        self._joined: ContextVar[Session | None] = ContextVar("registry_hooks_session", default=None)
        self._open_session: Callable[..., AbstractContextManager[Session]] = self.ManagedSessionMaker
        self.ManagedSessionMaker = self._join_or_open_session
        self.desk = Desk(self.unit_of_work)

    @contextmanager
    def unit_of_work(self, *, write: bool) -> Iterator[Session]:
        """The one transaction in which registry rows and ledger entry change together.

        Every method of this store that is called inside it joins it. A ``RegistryError`` rolls it back and goes on as
        it is; MLflow's own session would make an HTTP 500 of it.
        """
        refused: RegistryError | None = None
        with self._open_session(read_only=not write) as session:
            self._begin(session, write)
            token = self._joined.set(session)
            try:
                yield session
            except RegistryError as error:
                session.rollback()
                refused = error
            finally:
                self._joined.reset(token)
        if refused is not None:
            raise refused

    def join_reads_of(self, other: Any) -> None:
        """Have reads of another of MLflow's stores, on the same database, join the unit of work that they are made in.

        Whether somebody may see a run is asked of MLflow in the middle of a unit of work. On a connection of its own
        that question would wait, in SQLite, for a writer who waits for this unit of work to end.
        """
        if other.engine.url != self.engine.url:
            return
        open_session: Callable[..., AbstractContextManager[Session]] = other.ManagedSessionMaker

        @contextmanager
        def join_or_open(read_only: bool = True) -> Iterator[Session]:
            joined = self._joined.get() if read_only else None
            if joined is not None:
                yield joined
                return
            with open_session(read_only=read_only) as session:
                yield session

        other.ManagedSessionMaker = join_or_open

    def _begin(self, session: Session, write: bool) -> None:
        dialect = self.engine.dialect.name
        if dialect == "sqlite":
            # A writer takes the lock at once, or two could both read before either writes, and one of them fail late.
            session.connection().exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
        elif dialect == "postgresql" and not write:
            # One snapshot for all reads: the ledger, its head and the aliases must be of the same moment.
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        elif dialect in ("mysql", "mariadb"):
            # Here a writer's plain reads, too, would be of a snapshot: what is read under a lock must be what the
            # lock's last holder left, not what was there before the wait. A server may be set to either level.
            level = "READ COMMITTED" if write else "REPEATABLE READ"
            session.connection(execution_options={"isolation_level": level})

    @contextmanager
    def _join_or_open_session(self, read_only: bool = True) -> Iterator[Session]:
        session = self._joined.get()
        if session is None:
            with self._open_session(read_only=read_only) as session:
                yield session
        else:
            yield session
            session.flush()

    # Roles ---------------------------------------------------------------------------------------------------------

    @_gate
    def set_registered_model_alias(self, name: str, alias: str, version: Any) -> None:
        """Gate: a role's alias is a promotion, a rollback or a nomination."""
        with _told_to_mlflow():
            if not self._may_be_role(alias):
                super().set_registered_model_alias(name, alias, version)
            elif self.desk.native.governs(name):
                self.desk.native.refuse_misspelt(alias)
                self.desk.native.alias(name, alias, version_number(version))
            else:
                with self.desk.native.plainly(name):
                    super().set_registered_model_alias(name, alias, version)

    @_gate_of_removal
    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Gate: a role is never taken away."""
        with _told_to_mlflow():
            if not self._may_be_role(alias):
                super().delete_registered_model_alias(name, alias)
            elif self.desk.native.governs(name):
                with self.desk.native.misspelt_removal(name, alias):
                    super().delete_registered_model_alias(name, alias)
            else:
                with self.desk.native.plainly(name):
                    super().delete_registered_model_alias(name, alias)

    @_gate
    def transition_model_version_stage(
        self, name: str, version: Any, stage: str, archive_existing_versions: bool
    ) -> Any:
        """Gate: Production is the champion's stage and Staging the challenger's."""
        with _told_to_mlflow():
            if not self.desk.native.governs(name):
                with self.desk.native.plainly(name):
                    return super().transition_model_version_stage(name, version, stage, archive_existing_versions)
            number, wanted = version_number(version), get_canonical_stage(stage)
            if wanted == STAGE_PRODUCTION:
                self.desk.native.champion(name, number)
            elif wanted == STAGE_STAGING:
                self.desk.native.alias(name, "challenger", number)
            elif archive_existing_versions:  # MLflow refuses it as well, with a 500
                raise Invalid(f"archive_existing_versions goes with Production and Staging, not with {wanted}")
            else:
                with self.desk.native.unstage(name, number):
                    super().transition_model_version_stage(name, number, wanted, archive_existing_versions)
            return self.get_model_version(name, number)

    @property
    def compares_loosely(self) -> bool:
        """Whether the database may hold two texts for one that differ in letter case, accents or spaces at the end."""
        return self.engine.dialect.name not in ("sqlite", "postgresql")

    def _may_be_role(self, alias: str) -> bool:
        if not alias:  # no alias at all: MLflow says so
            return False
        return is_role(alias) or (self.compares_loosely and not alias.isascii())

    def _may_be_prompt_tag(self, key: str) -> bool:
        if not key or not self.compares_loosely:
            return key == IS_PROMPT_TAG_KEY
        return key.strip().casefold() == IS_PROMPT_TAG_KEY.casefold() or not key.isascii()

    # What a role points to -----------------------------------------------------------------------------------------

    @_gate
    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Any = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> Any:
        """Gate: whoever registers a version is its author, and never approves it."""
        # What the desk says of a version in its tags is not copied along with it.
        tags = [tag for tag in tags or () if not is_ours(tag.key)]
        rest = (run_id, tags, run_link, description, local_model_path, model_id)
        with _told_to_mlflow():
            if any(self._may_be_prompt_tag(tag.key) for tag in tags or ()):
                self.desk.native.refuse_governed(name, "a version that is marked as a prompt")
            if not self.desk.native.governs(name):
                with self.desk.native.plainly(name, though_prompt=source not in PROMPT_SOURCES):
                    return super().create_model_version(name, source, *rest)
            with self.desk.native.registration(name) as made:
                version = super().create_model_version(name, source, *rest)
                made.append(int(version.version))
            return version

    @_gate_of_removal
    def delete_model_version(self, name: str, version: Any) -> None:
        """Gate: a version in a role stays."""
        with _told_to_mlflow():
            governed = self.desk.native.governs(name)
            number = version_number(version)
            with self.desk.native.deletion(name, number) if governed else self.desk.native.plainly(name):
                super().delete_model_version(name, number)

    @_gate
    def create_registered_model(
        self, name: str, tags: Any = None, description: str | None = None, deployment_job_id: str | None = None
    ) -> Any:
        """Gate: a name that a policy governs is not given to a prompt."""
        tags = [tag for tag in tags or () if not is_ours(tag.key)]
        with _told_to_mlflow():
            if any(self._may_be_prompt_tag(tag.key) for tag in tags):
                self.desk.native.refuse_prompt_named(name)
            elif self.compares_loosely:
                self.desk.native.refuse_lookalike(name, new=True)
        return super().create_registered_model(name, tags, description, deployment_job_id)

    @_gate_of_removal
    def rename_registered_model(self, name: str, new_name: str) -> Any:
        """Gate: a governed model keeps its name, and no other takes it."""
        _validate_model_renaming(new_name)  # before a policy's pattern is held against what is no name
        with _told_to_mlflow():
            if self.compares_loosely:
                self.desk.native.refuse_lookalike(new_name, new=True)
            self.desk.native.refuse_governed(new_name, f"renaming {name!r} to it")
            self.desk.native.refuse_governed(name, "renaming")
            with self.desk.native.plainly(name, becoming=new_name):
                return super().rename_registered_model(name, new_name)

    @_gate_of_removal
    def delete_registered_model(self, name: str) -> None:
        """Gate: a governed model is not deleted."""
        with _told_to_mlflow():
            self.desk.native.refuse_governed(name, "deletion")
            with self.desk.native.plainly(name):
                super().delete_registered_model(name)

    # Who is told of it --------------------------------------------------------------------------------------------

    @again_if_undone
    @wraps(SqlAlchemyStore.create_webhook)
    def create_webhook(self, *arguments: Any, **options: Any) -> Any:
        """Gate: a webhook hears of every role that moves once it is there."""
        with _told_to_mlflow(), self.unit_of_work(write=True) as session:
            made = super().create_webhook(*arguments, **options)
            self.desk.notifying.hear_webhooks(session)
            return made

    # What hides a model from searches ------------------------------------------------------------------------------

    @_gate
    def set_registered_model_tag(self, name: str, tag: Any) -> None:
        """Gate: the tag that makes a prompt of a model would hide it from searches."""
        with _told_to_mlflow(), self._ungoverned_if_prompt(name, tag.key, f"tag {tag.key!r}", though_prompt=True):
            super().set_registered_model_tag(name, tag)

    @_gate_of_removal
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Gate, as for setting it."""
        with _told_to_mlflow(), self._ungoverned_if_prompt(name, key, f"removing tag {key!r}", though_prompt=True):
            super().delete_registered_model_tag(name, key)

    @_gate
    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """Gate: one version that is marked as a prompt hides every version of its model from searches."""
        with _told_to_mlflow(), self._ungoverned_if_prompt(name, tag.key, f"tag {tag.key!r} of version {version}"):
            super().set_model_version_tag(name, version, tag)

    @_gate_of_removal
    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """Gate: what the desk says in its own tags stays."""
        with _told_to_mlflow(), self._ungoverned_if_prompt(name, key, f"removing tag {key!r} of version {version}"):
            super().delete_model_version_tag(name, version, key)

    @contextmanager
    def _ungoverned_if_prompt(self, name: str, key: str, what: str, though_prompt: bool = False) -> Iterator[None]:
        if self._may_be_prompt_tag(key) or is_ours(key):
            if is_ours(key):
                self.desk.native.refuse_own_tag(name, key)
            self.desk.native.refuse_governed(name, what)
            with self.desk.native.plainly(name, though_prompt=though_prompt):
                yield
        else:
            yield
