"""What an Arrow table holds: one digest of all of it, and numbers about it that ZenML's store takes."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from governance_core.core import digest

if TYPE_CHECKING:
    import pyarrow as pa


def content_digest(table: pa.Table) -> str:
    """Return one digest of a table: column names, types, values and their order, and the index that pandas had.

    It covers values and not bytes in memory or in a file, so it is the same in every process and on every machine,
    whatever the chunks and row groups, and whichever release of pandas, polars or pyarrow was at work. A missing value
    differs from NaN where the library tells them apart.
    """
    pandas = pandas_description(table)
    dtypes = [column["numpy_type"] for column in pandas.get("columns", [])] or [None] * table.num_columns
    columns = []
    for name, column, dtype in zip(table.column_names, table.columns, dtypes, strict=True):
        kind = type_name(column.type)
        # How pandas holds text differs between its releases.
        columns.append([name, kind, None if kind == "string" else dtype, _hashes(column, from_pandas=bool(pandas))])
    labels = [[level["name"], level["pandas_type"]] for level in pandas.get("column_indexes", [])]
    return digest(
        {"rows": table.num_rows, "columns": columns, "index": pandas.get("index_columns", []), "labels": labels}
    )


def describe(table: pa.Table, limit: int, *, extremes: bool) -> dict[str, Any]:
    """Return rows, columns, missing cells, and by column the type, the missing cells and, if asked for, the extremes.

    NaN is missing. The index is not counted. Every value is one that JSON holds; `columns_not_listed` says how many
    columns are not in the mappings, because at most ``limit`` characters of JSON fit into each.
    """
    names = table.column_names[: table.num_columns - _index_levels(table)]
    columns = [table.column(name) for name in names]
    missing = [_missing(column) for column in columns]
    mappings: dict[str, dict[str, Any]] = {
        "types": dict(zip(names, (type_name(column.type) for column in columns), strict=True)),
        "missing_by_column": dict(zip(names, missing, strict=True)),
    }
    if extremes:
        found = {name: _extremes(column) for name, column in zip(names, columns, strict=True)}
        mappings["min"] = {name: both[0] for name, both in found.items() if both}
        mappings["max"] = {name: both[1] for name, both in found.items() if both}
    listed = _fitting(names, mappings, limit)
    left_out = {"columns_not_listed": len(names) - len(listed)} if len(listed) < len(names) else {}
    return {
        "rows": table.num_rows,
        "columns": len(names),
        "missing": sum(missing),
        **{key: {name: of[name] for name in listed if name in of} for key, of in mappings.items()},
        **left_out,
    }


def pandas_description(table: pa.Table) -> dict[str, Any]:
    """Return what pyarrow noted about the pandas frame that the table was made from; empty for another table."""
    described: dict[str, Any] = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    return described


def type_name(kind: pa.DataType) -> str:
    """Return one name for types that differ only in how Arrow lays them out."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return f"{'ordered ' if kind.ordered else ''}category of {type_name(kind.value_type)}"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if types.is_fixed_size_list(kind):
        return f"list of {kind.list_size} {type_name(kind.value_type)}"
    if types.is_struct(kind):
        return f"struct of {', '.join(f'{field.name}: {type_name(field.type)}' for field in kind)}"
    return str(kind).removeprefix("large_").removesuffix("_view")


def _index_levels(table: pa.Table) -> int:
    return sum(isinstance(level, str) for level in pandas_description(table).get("index_columns", []))


def _missing(column: pa.ChunkedArray) -> int:
    from pyarrow import compute, types

    if not types.is_floating(column.type):
        return int(column.null_count)
    return int(compute.sum(column.is_null(nan_is_null=True), min_count=0).as_py())


def _extremes(column: pa.ChunkedArray) -> tuple[Any, Any] | None:
    """Return least and largest finite number, date or time; None for other types and where there is none."""
    from pyarrow import compute, types

    kind = column.type
    if types.is_floating(kind):
        column = column.filter(compute.is_finite(column))
    elif not (types.is_integer(kind) or types.is_decimal(kind) or types.is_date(kind) or types.is_timestamp(kind)):
        return None
    both = compute.min_max(column).as_py()
    least, largest = both["min"], both["max"]
    if least is None:
        return None
    plain = type(least) in (int, float)
    return (least, largest) if plain else (str(least), str(largest))


def _fitting(names: list[str], mappings: dict[str, dict[str, Any]], limit: int) -> list[str]:
    lengths = dict.fromkeys(mappings, 2)
    for position, name in enumerate(names):
        for key, of in mappings.items():
            if name in of:
                lengths[key] += len(json.dumps({name: of[name]}))
        if max(lengths.values()) > limit:
            return names[:position]
    return names


def _hashes(column: pa.ChunkedArray, *, from_pandas: bool) -> dict[str, str]:
    from pyarrow import types

    hashes: dict[str, Any] = defaultdict(hashlib.sha256)
    if types.is_dictionary(column.type):
        column = column.unify_dictionaries()
        # The codes of an unordered category of polars depend on what else its process has read; all others are data.
        if column.num_chunks and (from_pandas or column.type.ordered):
            _feed(hashes, "categories", column.chunk(0).dictionary)
    for chunk in column.chunks:
        _feed(hashes, "", chunk)
    return {path: sha256.hexdigest() for path, sha256 in hashes.items()}


def _feed(hashes: dict[str, Any], path: str, array: pa.Array) -> None:
    """Add an array to the hashes of its column: one for what is missing, one for lengths, one for values.

    Chunks that follow one another give the same hashes as one long chunk.
    """
    import pyarrow as pa
    from pyarrow import compute, types

    if text := type_name(array.type) in ("string", "binary"):
        array = array.cast(pa.large_binary())
    hashes[f"{path}?"].update(_bytes(array.is_valid().cast(pa.uint8())))
    array, kind = array.drop_null(), array.type
    if types.is_dictionary(kind):
        _feed(hashes, f"{path}.values", array.dictionary_decode())
    elif isinstance(kind, pa.ExtensionType):
        _feed(hashes, f"{path}.storage", array.storage)
    elif types.is_struct(kind):
        for position in range(kind.num_fields):
            _feed(hashes, f"{path}.{position}", compute.struct_field(array, [position]))
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        hashes[f"{path}#"].update(_bytes(compute.list_value_length(array).cast(pa.int64())))
        _feed(hashes, f"{path}[]", array.flatten())
    elif text:
        hashes[f"{path}#"].update(_bytes(compute.binary_length(array)))
        hashes[path].update(_text(array))
    elif types.is_boolean(kind):
        hashes[path].update(_bytes(array.cast(pa.uint8())))
    elif types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        hashes[path].update(_bytes(_one_nan(array)))
    else:  # nothing that pandas or polars makes of its own
        hashes[path].update(repr(array.to_pylist()).encode())


def _one_nan(array: pa.Array) -> pa.Array:
    """Replace every NaN by the same one: there are many, and no value tells which."""
    from pyarrow import compute, types

    if not types.is_floating(array.type) or not compute.any(nans := compute.is_nan(array)).as_py():
        return array
    return compute.if_else(nans, math.nan, array).cast(array.type)


def _bytes(array: pa.Array) -> Any:
    """Return the values of an array of fixed width without missing ones."""
    width = array.type.bit_width // 8
    return array.buffers()[1].slice(array.offset * width, len(array) * width) if len(array) else b""


def _text(array: pa.Array) -> Any:
    """Return the joined values of a large binary array without missing ones."""
    if not len(array):
        return b""
    _, offsets, values = array.buffers()
    ends = offsets.slice(array.offset * 8, (len(array) + 1) * 8)
    first, last = (int.from_bytes(memoryview(ends)[at : at + 8], "little") for at in (0, len(array) * 8))
    return values.slice(first, last - first) if values is not None else b""
