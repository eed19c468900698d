"""The data gate: a dataset of any engine, or files, against bounds and against the columns that are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from governance_core.core import Bound
from governance_core.gates.frames import open_frame
from governance_core.gates.metrics import check_numbers
from governance_core.gates.verdict import Check, Verdict

if TYPE_CHECKING:  # a promotion judges metrics only and need not wait for narwhals
    from governance_core.core.rules import ColumnRules
    from governance_core.gates.measure import Measured

DECLARED = "governance.yaml"
# What a failed check of these rules says is not that values are bad, but that this is another dataset.
SCHEMA_RULES = frozenset({"column-absent", "column-type", "column-extra"})


def judge_data(
    data: Any,
    bounds: Sequence[Bound],
    columns: Mapping[str, ColumnRules] | None = None,
    extra_columns: Literal["allow", "forbid"] = "allow",
) -> Verdict:
    """Judge a dataset: not empty, no column without any value, numbers within bounds, columns as they are declared.

    Every check is made and every failure is in the verdict. Its messages hold counts and no values of the data.

    Args:
        data: a frame (pandas, polars, pyarrow, DuckDB, Dask, PySpark ..., eager or lazy) or the path of a Parquet file,
            of a glob of Parquet files, or of a CSV file. NaN and null are missing values, counted once.
        bounds: on ``rows``, on ``missing_fraction``, the share of missing cells in the whole dataset, and on
            ``duplicates``, the number of extra copies of rows, which are only counted where a bound asks for it.
        columns: what the declared columns must be. A column without any value has no type to be judged.
        extra_columns: whether there may be others.

    Raises:
        UsageError: if it is not a data frame, or cannot be read; names the path and the reason.
    """
    from governance_core.gates.measure import measure

    columns = columns or {}
    measured = measure(open_frame(data), columns, any(bound.metric == "duplicates" for bound in bounds))
    return Verdict("data", (*_whole(measured, bounds), *_columns(measured, columns, extra_columns)))


def _whole(data: Measured, bounds: Sequence[Bound]) -> Iterator[Check]:
    shape = f"{data.rows} rows, {len(data.missing)} columns"
    filled = bool(data.rows and data.missing)
    message = f"the dataset has {shape}" if filled else f"the dataset is empty ({shape})"
    yield Check("data-empty", "dataset", shape, None, None, filled, message)
    hollow = [column for column, missing in data.missing.items() if missing == data.rows > 0]
    for column in hollow:
        message = f"every one of the {data.rows} values of column {column!r} is missing"
        yield Check("column-all-missing", column, data.rows, None, None, False, message)
    if not hollow:
        yield Check("column-all-missing", "columns", 0, None, None, True, "no column is missing all its values")
    numbers = {"rows": data.rows, "missing_fraction": data.missing_fraction}
    if data.duplicates is not None:
        numbers["duplicates"] = data.duplicates
    yield from check_numbers(numbers, bounds)


def _columns(data: Measured, columns: Mapping[str, ColumnRules], extra_columns: str) -> Iterator[Check]:
    found = {name: rules for name, rules in columns.items() if name in data.kinds}
    required = [name for name, rules in columns.items() if rules.required is not False]
    yield from _together("are there", (_absent(name, name in data.kinds) for name in required))
    if extra_columns == "forbid":
        yield from _together("are declared", (_extra(name, name in columns) for name in data.kinds))
    filled = {name: rules for name, rules in found.items() if rules.expected and data.missing[name] < data.rows}
    yield from _together("have the declared type", (_type(name, data, rules) for name, rules in filled.items()))
    limited = {name: rules for name, rules in found.items() if rules.max_missing_fraction is not None and data.rows}
    yield from _together("miss few enough values", (_missing(name, data, rules) for name, rules in limited.items()))
    yield from _together("are in range", (_range(name, data, columns[name]) for name in data.outside))
    yield from _together("hold allowed values only", (_values(name, data, columns[name]) for name in data.unlisted))


def _together(holds: str, checks: Iterable[Check]) -> Iterator[Check]:
    """Yield the failed checks of a rule, else one for all: a verdict on many columns must stay short to be recorded."""
    made = list(checks)
    failed = [check for check in made if not check.passed]
    yield from failed
    if made and not failed:
        yield Check(made[0].rule, "columns", len(made), None, DECLARED, True, f"{len(made)} columns {holds}")


def _absent(name: str, there: bool) -> Check:
    return Check("column-absent", name, None, None, DECLARED, there, f"column {name!r} is absent ({DECLARED} asks it)")


def _extra(name: str, declared: bool) -> Check:
    message = f"column {name!r} is not declared in {DECLARED}, which forbids others"
    return Check("column-extra", name, None, None, DECLARED, declared, message)


def _type(name: str, data: Measured, rules: ColumnRules) -> Check:
    kind = data.kinds[name]
    message = f"column {name!r} is of type {kind} and must be {rules.expected} ({DECLARED})"
    return Check("column-type", name, kind, rules.expected, DECLARED, rules.fits(kind), message)


def _missing(name: str, data: Measured, rules: ColumnRules) -> Check:
    fraction, limit = data.missing[name] / data.rows, rules.max_missing_fraction or 0.0
    message = f"{fraction:.4g} of column {name!r} is missing; at most {limit} may be ({DECLARED})"
    return Check("column-missing-fraction", name, fraction, limit, DECLARED, fraction <= limit, message)


def _range(name: str, data: Measured, rules: ColumnRules) -> Check:
    outside, present = data.outside[name], data.rows - data.missing[name]
    ends = {"at least": rules.min, "at most": rules.max}
    limit = " and ".join(f"{end} {value}" for end, value in ends.items() if value is not None)
    finite = "" if isinstance(rules.min, str) or isinstance(rules.max, str) else "finite, "
    message = f"{outside} of {present} values of column {name!r} are not {finite}{limit} ({DECLARED})"
    return Check("column-range", name, outside, limit, DECLARED, outside == 0, message)


def _values(name: str, data: Measured, rules: ColumnRules) -> Check:
    unlisted, present = data.unlisted[name], data.rows - data.missing[name]
    limit = f"{len(rules.allowed or ())} allowed values"
    message = f"{unlisted} of {present} values of column {name!r} are none of the {limit} ({DECLARED})"
    return Check("column-values", name, unlisted, limit, DECLARED, unlisted == 0, message)
