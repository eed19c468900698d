"""What the policy sets and the gates judge beyond single numbers: rules for columns, for data and for drift."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

# What a column holds, by one name on every engine. `number` is an integer, a float or a decimal.
Kind = Literal["integer", "float", "number", "string", "boolean", "date", "datetime", "duration"]
NUMBERS = frozenset({"integer", "float", "number", "decimal"})  # a column may hold decimals, but none is declared so
TIMES = frozenset({"date", "datetime"})
DriftMethod = Literal["auto", "distance"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)  # of values that people write


def _iso(limit: Any) -> Any:
    """Return a date (as YAML reads one) as text, and refuse text that is no date."""
    if isinstance(limit, date):
        return limit.isoformat()
    if isinstance(limit, str):
        datetime.fromisoformat(limit)
    if isinstance(limit, bool):
        raise ValueError("is neither a number nor a date")
    return limit


Limit = Annotated[Annotated[float, Field(allow_inf_nan=False)] | str, BeforeValidator(_iso)]
Value = bool | Annotated[float, Field(allow_inf_nan=False)] | str


class ColumnRules(BaseModel):
    """What a declared column must be; None leaves a property open.

    ``min`` and ``max`` are numbers, or ISO dates for columns of dates; a limit without an offset is in UTC where the
    column has a time zone. ``allowed`` are the values that may occur, beside missing ones. A declared column is
    required unless ``required`` is false.
    """

    model_config = STRICT

    type: Kind | None = None
    required: bool | None = None
    max_missing_fraction: Share | None = None
    min: Limit | None = None
    max: Limit | None = None
    allowed: Annotated[list[Value], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self._families()) > 1:
            raise ValueError("type, min, max and allowed do not speak of one type of values")
        if self.min is not None and self.max is not None and _least(self.min) > _most(self.max):
            raise ValueError(f"min = {self.min} is above max = {self.max}, which no value can satisfy")
        return self

    def _families(self) -> set[str]:
        named = {_family(self.type)} if self.type else set()
        limits = {"date or datetime" if isinstance(x, str) else "number" for x in (self.min, self.max) if x is not None}
        return named | limits | {_family_of(value) for value in self.allowed or ()}

    @property
    def expected(self) -> str | None:
        """The declared type, or the one that limits and allowed values speak of; None where nothing does."""
        return self.type or next(iter(self._families()), None)

    def fits(self, kind: str) -> bool:
        """Tell whether a column of this kind is of the declared type, or else can be compared with what is declared."""
        if self.type and self.type != "number":
            return kind == self.type
        return self._families() <= {_family(kind)}

    def comparable(self, kind: str) -> bool:
        """Tell whether the values of a column of this kind can be compared with what is declared."""
        return self._families() <= {_family(kind)}

    def laxer_than(self, held: ColumnRules) -> Iterator[str]:
        """Yield each rule that lets through what ``held`` stops, with both values."""
        for name in self.model_fields_set:
            value, before = getattr(self, name), getattr(held, name)
            if name == "required":
                before = before is not False
            if value is not None and before is not None and _laxer(name, value, before):
                yield f"{name} = {value} is laxer than {before}"

    def unjudged_by(self, held: ColumnRules) -> Iterator[str]:
        """Yield each rule that is stricter than what ``held`` asks, so that data that passed it may break this one."""
        for name, value in self.model_dump().items():
            before = held.required is not False if name == "required" else getattr(held, name)
            if before is None or _laxer(name, before, value):
                yield f"{name} = {value}"

    def tightened(self, by: ColumnRules) -> ColumnRules:
        """Return these rules with those of ``by`` in place of what it sets.

        Raises:
            ValueError: if the two contradict each other.
        """
        return ColumnRules.model_validate(self.model_dump() | by.model_dump())

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class DataRules(BaseModel):
    """What a dataset must be. ``max_duplicates`` counts extra copies of a row; None: copies are not counted."""

    model_config = STRICT

    min_rows: int
    max_missing_fraction: float
    max_duplicates: int | None = None
    extra_columns: Literal["allow", "forbid"] = "allow"
    columns: dict[str, ColumnRules] = {}

    def unjudged_by(self, held: DataRules) -> Iterator[str]:
        """Yield each rule on columns that is stricter than what ``held`` asks, by its key below ``data``."""
        if self.extra_columns == "forbid" and held.extra_columns == "allow":
            yield "extra_columns = forbid"
        for name, rules in self.columns.items():
            if name not in held.columns:
                yield f"columns.{name}"
            else:
                yield from (f"columns.{name}.{rule}" for rule in rules.unjudged_by(held.columns[name]))


class DriftRules(BaseModel):
    """When data have drifted: the share of drifted columns above ``share``.

    A column has drifted where its distance from the reference is at least ``threshold``, or, of a reference of at most
    1000 values and by method ``auto``, where a test says so at the level 0.05; ``distance`` measures it there too.
    """

    model_config = STRICT

    share: float
    method: DriftMethod
    threshold: float
    on_drift: Literal["alert", "fail"]


def first_moment(text: str) -> datetime:
    """Return the moment that an ISO date or time names, in UTC; a day's first."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def last_moment(text: str) -> datetime:
    """Return the moment that an ISO date or time names, in UTC; a day's last, so that ``max: 2024-12-31`` holds it."""
    day = timedelta(days=1, microseconds=-1) if len(text) == len("2024-12-31") else timedelta()
    return first_moment(text) + day


def _laxer(name: str, value: Any, held: Any) -> bool:
    if name == "type":
        return bool(value != held and not (held == "number" and value in NUMBERS))
    if name == "required":
        return bool(held and not value)
    if name == "allowed":
        return not set(value) <= set(held)
    if name == "min":
        return _least(value) < _least(held)
    return _most(value) > _most(held)


def _least(limit: float | str) -> float:
    return first_moment(limit).timestamp() if isinstance(limit, str) else limit


def _most(limit: float | str) -> float:
    return last_moment(limit).timestamp() if isinstance(limit, str) else limit


def _family(kind: str) -> str:
    return "number" if kind in NUMBERS else "date or datetime" if kind in TIMES else kind


def _family_of(value: object) -> str:
    return {bool: "boolean", str: "string"}.get(type(value), "number")
