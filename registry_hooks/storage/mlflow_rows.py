"""MLflow's registry rows: the only SQL on its tables.

Rows are read and written by statements that are made once, when this module is loaded: as MLflow's objects the same
takes twice as long, and as statements made for each call three times.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from mlflow.entities.model_registry.model_version_stages import (
    STAGE_ARCHIVED,
    STAGE_DELETED_INTERNAL,
    STAGE_PRODUCTION,
    STAGE_STAGING,
)
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.store.model_registry.dbmodels.models import (
    SqlModelVersion,
    SqlModelVersionTag,
    SqlRegisteredModel,
    SqlRegisteredModelAlias,
    SqlRegisteredModelTag,
)
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun
from sqlalchemy.orm import Session

from registry_hooks.errors import NotFound
from registry_hooks.records import ROLES, Pair
from registry_hooks.rules.stages import STAGE_OF, staged
from registry_hooks.rules.telling.tags import PREFIX

_ALIASES, _VERSIONS, _MODELS, _MODEL_TAGS, _VERSION_TAGS = (
    cast(sa.Table, each.__table__)
    for each in (
        SqlRegisteredModelAlias, SqlModelVersion, SqlRegisteredModel, SqlRegisteredModelTag, SqlModelVersionTag,
    )
)  # fmt: skip
_RUNS, _LOGGED = cast(sa.Table, SqlRun.__table__), cast(sa.Table, SqlLoggedModel.__table__)
_LOGGED_MODEL = re.compile(r"(?<=/)m-[0-9a-f]{32}(?=/|$)")
_LARGEST_VERSION = 2**31 - 1  # what the column holds; SQLite's driver fails on a number beyond its own


def _here(table: sa.Table) -> sa.ColumnElement[bool]:
    """The rows of one model, which is given as ``of_model`` and ``in_workspace``."""
    return sa.and_(table.c.workspace == sa.bindparam("in_workspace"), table.c.name == sa.bindparam("of_model"))


_a, _v = _ALIASES.c, _VERSIONS.c
_there = sa.and_(_here(_VERSIONS), _v.current_stage != STAGE_DELETED_INTERNAL)
_this_version = _v.version == sa.bindparam("of_version")
_this_role = sa.and_(_here(_ALIASES), _a.alias == sa.bindparam("of_role"))
_SPELT = sa.select(_MODELS.c.name).where(_here(_MODELS))
_LOCK = _SPELT.with_for_update()
_LOCK_ALL = (
    sa.select(_MODELS.c.name)
    .where(_MODELS.c.workspace == sa.bindparam("in_workspace"))
    .order_by(_MODELS.c.name)
    .with_for_update()
)
_MODEL_TAG, _VERSION_TAG = (
    sa.select(tags.c.value).where(_here(tags), tags.c.key == IS_PROMPT_TAG_KEY) for tags in (_MODEL_TAGS, _VERSION_TAGS)
)
_VERSION = sa.select(_v.version, _v.run_id, _v.storage_location, _v.source, _v.current_stage).where(
    _there, _this_version
)
_NUMBERS = sa.select(_v.version).where(_there).order_by(_v.version)
# Roles and stages by one statement, so that they are of one moment on every database.
_HELD = sa.union_all(
    sa.select(_a.alias.label("held"), _a.version).where(_here(_ALIASES), _a.alias.in_(ROLES)),
    sa.select(_v.current_stage, _v.version).where(_here(_VERSIONS), _v.current_stage.in_(STAGE_OF.values())),
)
_ALIASES_OF = sa.select(_a.alias).where(_here(_ALIASES))
_GIVE_ROLE = sa.insert(_ALIASES)
_MOVE_ROLE = sa.update(_ALIASES).where(_this_role).values(version=sa.bindparam("to_version"))
_END_ROLE = sa.delete(_ALIASES).where(_this_role)
_PUT_STAGE = (
    sa.update(_VERSIONS)
    .where(_there, _this_version)
    .values(current_stage=sa.bindparam("to_stage"), last_updated_time=sa.bindparam("at_ms"))
)
_TOUCH = sa.update(_MODELS).where(_here(_MODELS)).values(last_updated_time=sa.bindparam("at_ms"))


@dataclass(frozen=True)
class VersionRow:
    """What the registry knows of one model version."""

    model: str
    version: int
    run_id: str | None
    location: str
    stage: str


class RolesAndStages(NamedTuple):
    """Roles and stages of one model; ``misspelt`` are aliases that the database takes for a role's in other letters."""

    pair: Pair
    stages: dict[str, list[int]]
    misspelt: tuple[str, ...]


class Registry:
    """MLflow's registry rows within one unit of work."""

    def __init__(self, session: Session, workspace: str = "default") -> None:
        self._rows = session.connection()
        self._workspace = workspace

    def lock(self, model: str, *, missing_ok: bool = False) -> None:
        """Take the model's row for this unit of work, or no row where there is none and that is well.

        Raises:
            NotFound: when there is no such registered model.
        """
        found = self._execute(_LOCK, model).scalar_one_or_none()
        if found != model and not (found is None and missing_ok):
            raise NotFound(f"there is no registered model {model!r}")

    def lock_all(self) -> None:
        """Lock the rows of all models, in the order of their names, after every decision that is being made.

        For what many decisions rest on (a key, a lent role, a policy): whoever holds a model's row has read it already.
        """
        self._rows.execute(_LOCK_ALL, {"in_workspace": self._workspace}).all()

    def exists(self, model: str) -> bool:
        """Whether the model is registered."""
        return self.spelt(model) is not None

    def spelt(self, model: str) -> str | None:
        """The name that the database finds for ``model``, whose letter case may differ. None where there is none."""
        return cast("str | None", self._execute(_SPELT, model).scalar_one_or_none())

    def models(self) -> list[str]:
        """Names of all registered models, sorted; prompts, which MLflow keeps in the same tables, are none."""
        tag, model = _MODEL_TAGS.c, _MODELS.c
        prompt = sa.select(tag.name).where(
            tag.workspace == self._workspace, tag.key == IS_PROMPT_TAG_KEY, sa.func.lower(tag.value) == "true"
        )
        query = sa.select(model.name).where(model.workspace == self._workspace, model.name.not_in(prompt))
        return sorted(str(name) for name in self._rows.execute(query).scalars())

    def is_prompt(self, model: str) -> bool:
        """Whether the name is that of a prompt, which MLflow keeps in the same tables."""
        return self._marked(model, _MODEL_TAG)

    def passes_for_prompt(self, model: str) -> bool:
        """Whether MLflow's searches take it for a prompt: it, or a single version of it, is marked so."""
        return self.is_prompt(model) or self._marked(model, _VERSION_TAG)

    def _marked(self, model: str, tag: sa.Select[Any]) -> bool:
        return "true" in {str(value).lower() for value in self._execute(tag, model).scalars()}

    def version(self, model: str, version: int) -> VersionRow:
        """One version.

        Raises:
            NotFound: when there is no such model, or no such version, or it was deleted.
        """
        row = self._execute(_VERSION, model, of_version=version).one_or_none() if version <= _LARGEST_VERSION else None
        if row is None:
            known = f"; its versions are {self.versions(model)}" if self.exists(model) else ", nor such a model"
            raise NotFound(f"there is no version {version} of model {model!r}{known}")
        location = str(row.storage_location or row.source or "")
        return VersionRow(model, version, str(row.run_id) if row.run_id else None, location, str(row.current_stage))

    def versions(self, model: str) -> list[int]:
        """Numbers of the versions that are not deleted, ascending."""
        return [int(version) for version in self._execute(_NUMBERS, model).scalars()]

    def run_location(self, run_id: str) -> str | None:
        """Where a run keeps its files, if its row is in this database."""
        found = self._rows.execute(sa.select(_RUNS.c.artifact_uri).where(_RUNS.c.run_uuid == run_id))
        return cast("str | None", found.scalar_one_or_none())

    def deleted(self, runs: Collection[str], location: str = "") -> tuple[str, ...]:
        """Which of these runs, and of the logged models that a location names, are deleted; as far as they are here."""
        gone = sa.select(_RUNS.c.run_uuid).where(_RUNS.c.run_uuid.in_(runs), _RUNS.c.lifecycle_stage == "deleted")
        said = [f"run {run} is deleted" for run in sorted(self._rows.execute(gone).scalars())]
        models = _LOGGED_MODEL.findall(location)
        lost = sa.select(_LOGGED.c.model_id).where(
            _LOGGED.c.model_id.in_(models), _LOGGED.c.lifecycle_stage == "deleted"
        )
        said += [f"logged model {each} is deleted" for each in self._rows.execute(lost).scalars()] if models else []
        return tuple(f"{each}, and the next mlflow gc purges it with its files" for each in said)

    def pair(self, model: str) -> Pair:
        """The roles as MLflow's aliases have them."""
        return self._held(model).pair

    def stages(self, model: str) -> dict[str, list[int]]:
        """Versions in Production and Staging."""
        return self._held(model).stages

    def misspelt(self, model: str) -> tuple[str, ...]:
        """Aliases that are no role's name, but are one to a database that ignores letter case and accents."""
        return self._held(model).misspelt

    def lookalikes(self, model: str) -> tuple[str, ...]:
        """Aliases that are a role's name in other letter case, whatever the database takes them for."""
        every = map(str, self._execute(_ALIASES_OF, model).scalars())
        alike = {alias for alias in every if alias not in ROLES and alias.strip().casefold() in ROLES}
        return tuple(sorted(alike | set(self.misspelt(model))))

    def agrees(self, model: str, pair: Pair) -> bool:
        """Whether aliases and stages are those of ``pair``, and no alias passes for a role's."""
        return self._held(model) == (pair, staged(pair), ())

    def put_pair(self, model: str, pair: Pair, at_ms: int) -> None:
        """Make aliases and stages say what ``pair`` says; what leaves Production or Staging becomes Archived."""
        now, stages, _ = self._held(model)
        for role in ROLES:
            self._put_role(model, role, getattr(now, role), getattr(pair, role))
        wanted = {version: stage for stage, held in staged(pair).items() for version in held}
        stage_of = {version: stage for stage, held in stages.items() for version in held}
        moved = {v: s for v, s in {**dict.fromkeys(stage_of, STAGE_ARCHIVED), **wanted}.items() if stage_of.get(v) != s}
        of_model = {"in_workspace": self._workspace, "of_model": model, "at_ms": at_ms}
        if moved:
            self._rows.execute(_PUT_STAGE, [{**of_model, "of_version": v, "to_stage": s} for v, s in moved.items()])
        self._rows.execute(_TOUCH, of_model)

    def put_tags(self, model: str, tags: Mapping[int | None, Mapping[str, str]], *, anew: bool = False) -> None:
        """Make the desk's own tags of these versions, and under None of the model, say this and nothing else.

        With ``anew`` those of all other versions are taken away as well.
        """
        numbers = [version for version in tags if version is not None]
        ours = _VERSION_TAGS.c.key.startswith(PREFIX, autoescape=True)
        mine = sa.true() if anew else _VERSION_TAGS.c.version.in_(numbers)
        if numbers or anew:
            self._execute(sa.delete(_VERSION_TAGS).where(_here(_VERSION_TAGS), mine, ours), model)
            there = set(
                self._execute(sa.select(_v.version).where(_here(_VERSIONS), _v.version.in_(numbers)), model).scalars()
            )
            self._add_tags(_VERSION_TAGS, model, [({"version": v}, tags[v]) for v in numbers if v in there])
        if None in tags or anew:
            ours = _MODEL_TAGS.c.key.startswith(PREFIX, autoescape=True)
            self._execute(sa.delete(_MODEL_TAGS).where(_here(_MODEL_TAGS), ours), model)
            self._add_tags(_MODEL_TAGS, model, [({}, tags.get(None, {}))])

    def _add_tags(self, table: sa.Table, model: str, told: list[tuple[dict[str, int], Mapping[str, str]]]) -> None:
        of_model = {"workspace": self._workspace, "name": model}
        rows = [{**of_model, **of, "key": key, "value": value} for of, tags in told for key, value in tags.items()]
        if rows:
            self._rows.execute(sa.insert(table), rows)

    def _put_role(self, model: str, role: str, now: int | None, version: int | None) -> None:
        if version == now:
            return
        if now is None:
            row = {"workspace": self._workspace, "name": model, "alias": role, "version": version}
            self._rows.execute(_GIVE_ROLE, row)
        elif version is None:
            self._execute(_END_ROLE, model, of_role=role)
        else:
            self._execute(_MOVE_ROLE, model, of_role=role, to_version=version)

    def _held(self, model: str) -> RolesAndStages:
        aliases: dict[str, int] = {}
        stages: dict[str, list[int]] = {STAGE_PRODUCTION: [], STAGE_STAGING: []}
        for row in self._execute(_HELD, model):
            if row.held in stages:
                stages[row.held].append(int(row.version))
            else:
                aliases[row.held] = int(row.version)
        return _with_roles(aliases, stages)

    def _execute(self, statement: sa.Executable, model: str, **values: Any) -> sa.CursorResult[Any]:
        return self._rows.execute(statement, {"in_workspace": self._workspace, "of_model": model, **values})


class SweptRegistry(Registry):
    """The registry with the roles and stages of all models read at once, for questions about every model."""

    def __init__(self, session: Session, workspace: str = "default") -> None:
        super().__init__(session, workspace)
        self._aliases: dict[str, dict[str, int]] = {}
        roles = sa.select(_a.name, _a.alias, _a.version).where(_a.alias.in_(ROLES), _a.workspace == workspace)
        for name, role, version in self._rows.execute(roles):
            self._aliases.setdefault(str(name), {})[str(role)] = int(version)
        self._stages: dict[str, dict[str, list[int]]] = {}
        staged = sa.select(_v.name, _v.version, _v.current_stage).where(
            _v.current_stage.in_(STAGE_OF.values()), _v.workspace == workspace
        )
        for name, version, stage in self._rows.execute(staged):
            self._stages.setdefault(str(name), {}).setdefault(str(stage), []).append(int(version))

    def _held(self, model: str) -> RolesAndStages:
        stages = {stage: self._stages.get(model, {}).get(stage, []) for stage in (STAGE_PRODUCTION, STAGE_STAGING)}
        return _with_roles(self._aliases.get(model, {}), stages)


def _with_roles(aliases: dict[str, int], stages: dict[str, list[int]]) -> RolesAndStages:
    pair = Pair(**{role: aliases[role] for role in ROLES if role in aliases})
    return RolesAndStages(pair, stages, tuple(sorted(aliases.keys() - set(ROLES))))


def of_experiment(session: Session, experiment_id: str) -> tuple[list[str], list[str]]:
    """Ids of the runs of an experiment, and locations of its logged models, those that are deleted included.

    From the database that holds runs, which need not be the registry's.
    """
    runs = sa.select(_RUNS.c.run_uuid).where(_RUNS.c.experiment_id == int(experiment_id))
    models = sa.select(_LOGGED.c.artifact_location).where(_LOGGED.c.experiment_id == int(experiment_id))
    return list(map(str, session.execute(runs).scalars())), list(map(str, session.execute(models).scalars()))


def locations_of_experiments(session: Session, host: str) -> list[str]:
    """Where experiments keep their artifacts, those that are deleted included, as far as it has that host or bucket.

    From the database that holds runs, which need not be the registry's.
    """
    location = cast(sa.Table, SqlExperiment.__table__).c.artifact_location
    return _naming(session, host, location)


def locations_of_versions(session: Session, host: str) -> list[str]:
    """Where model versions have their files, as far as it has that host or bucket."""
    return [*_naming(session, host, _v.source), *_naming(session, host, _v.storage_location)]


def _naming(session: Session, host: str, location: sa.ColumnElement[Any]) -> list[str]:
    found = sa.select(location).where(location.contains(host, autoescape=True)).distinct()
    return list(map(str, session.execute(found).scalars()))
