"""The materializer of data frames, and where ZenML's own give way to it."""

from __future__ import annotations

import sys
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from zenml.constants import TEXT_FIELD_MAX_LENGTH
from zenml.enums import ArtifactType, VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.materializers.materializer_registry import materializer_registry
from zenml.steps.step_context import StepContext

from governance_core.core import UsageError
from governance_core.materializers.content import content_digest, describe, pandas_description

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "frame.parquet"
SAMPLE, SAMPLE_ROWS = "sample.csv", 10
PERSONAL_DATA = "personal_data"  # in the `governance` part of a run's extra settings
_KIND, _UNNAMED = b"governance.frame", b"governance.unnamed"
_ZENMLS_OWN = ("zenml.integrations.pandas.", "zenml.integrations.polars.")


class _FrameTypes:
    """The types of frames of the libraries that are imported: none is imported to ask whether something is one."""

    def __get__(self, instance: object, owner: type) -> tuple[type, ...]:
        libraries = [sys.modules[name] for name in ("pandas", "polars") if name in sys.modules]
        return tuple(getattr(library, name) for library in libraries for name in ("DataFrame", "Series"))


class GovernedDataFrameMaterializer(BaseMaterializer):
    """Stores frames and series of pandas, with their index, and of polars as parquet.

    Recorded with them are rows, columns, types, missing cells and a digest of the content. Values are shown, as a
    sample of rows and as least and largest of each column, only where the project says that its data are not personal.
    """

    ASSOCIATED_TYPES: ClassVar[Any] = _FrameTypes()
    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    SKIP_REGISTRATION = True  # importing it changes nothing for pipelines that are not governed

    _table: pa.Table | None = None  # of the frame that ZenML passes to each method in turn
    _digest: str | None = None

    def save(self, data: Any) -> None:
        """Write a frame.

        Raises:
            UsageError: if parquet cannot hold it; names the column where pyarrow does.
        """
        from pyarrow import parquet

        self._table, self._digest = _arrow(data), None
        with self.artifact_store.open(self._path(FILE), "wb") as file:
            parquet.write_table(self._table, file)

    def load(self, data_type: type[Any]) -> Any:
        """Read what was stored, as the library that it came from.

        Raises:
            UsageError: if it cannot be read, or if another type is asked for; names the file.
        """
        from pyarrow import parquet

        path = self._path(FILE)
        try:
            with self.artifact_store.open(path, "rb") as file:
                frame = _frame(parquet.read_table(file))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}; run the step that made it again") from error
        if data_type in self.ASSOCIATED_TYPES and not isinstance(frame, data_type):
            raise UsageError(
                f"{path} holds a {_kind(type(frame))}, and {_kind(data_type)} was asked for; annotate the step's input "
                "with what its upstream step returns"
            )
        return frame

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Write the first rows, if the data are not personal."""
        if not _may_show_values():
            return {}
        path = self._path(SAMPLE)
        with self.artifact_store.open(path, "w") as file:
            file.write(self._arrow(data).slice(0, SAMPLE_ROWS).to_pandas().to_csv())
        return {path: VisualizationType.CSV}

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return what is recorded with the frame."""
        described = describe(self._arrow(data), TEXT_FIELD_MAX_LENGTH, extremes=_may_show_values())
        return described | {"content_digest": self.compute_content_hash(data)}

    def compute_content_hash(self, data: Any) -> str:
        """Return the digest of the content."""
        if self._digest is None:
            self._digest = content_digest(self._arrow(data))
        return self._digest

    def _arrow(self, data: Any) -> pa.Table:
        if self._table is None:
            self._table = _arrow(data)
        return self._table

    def _path(self, name: str) -> str:
        return f"{self.uri}/{name}"


@contextmanager
def governed_frames() -> Iterator[None]:
    """Use the governed materializer where ZenML would choose one of its own for a frame of pandas or polars.

    What a step or the team chose otherwise stays.
    """
    before = materializer_registry.materializer_types
    governed = _Governed()
    governed.data = before  # what integrations register meanwhile is kept
    materializer_registry.materializer_types = governed  # type: ignore[assignment]  # a mapping is all it needs
    try:
        yield
    finally:
        materializer_registry.materializer_types = before


class _Governed(UserDict[type, type[BaseMaterializer]]):
    def get(self, key: type, default: Any = None) -> Any:
        found = self.data.get(key, default)
        return GovernedDataFrameMaterializer if found and found.__module__.startswith(_ZENMLS_OWN) else found


def _may_show_values() -> bool:
    context = StepContext.get()
    governance = context.pipeline_run.config.extra.get("governance", {}) if context else {}
    return governance.get(PERSONAL_DATA) is False


def _arrow(data: Any) -> pa.Table:
    try:
        table = _from_polars(data) if _kind(type(data)).startswith("polars") else _from_pandas(data)
    except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
        # pyarrow names the column last, and before it a value, which may be personal and would go into notices.
        raise UsageError(f"parquet cannot hold this {_kind(type(data))}: {error.args[-1]}") from None
    if len(set(table.column_names)) < table.num_columns:
        raise UsageError(f"parquet cannot hold this {_kind(type(data))}: two of its columns have the same name")
    return table


def _from_pandas(data: Any) -> pa.Table:
    import pyarrow as pa

    series = data.ndim == 1
    unnamed = series and data.name is None
    table = pa.Table.from_pandas(data.to_frame() if series else data)
    return _marked(table, f"pandas.{'Series' if series else 'DataFrame'}", unnamed=unnamed)


def _from_polars(data: Any) -> pa.Table:
    import polars

    series = isinstance(data, polars.Series)
    return _marked((data.to_frame() if series else data).to_arrow(), f"polars.{'Series' if series else 'DataFrame'}")


def _marked(table: pa.Table, kind: str, *, unnamed: bool = False) -> pa.Table:
    marks = {_KIND: kind.encode()} | ({_UNNAMED: b""} if unnamed else {})
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **marks})


def _frame(table: pa.Table) -> Any:
    marks = table.schema.metadata or {}
    library, _, kind = marks.get(_KIND, b"pandas.DataFrame").decode().partition(".")
    if library == "polars":
        import polars

        frame: Any = polars.from_arrow(table)
        return frame.to_series() if kind == "Series" else frame
    frame = _to_pandas(table)
    if kind == "DataFrame":
        return frame
    series = frame.iloc[:, 0]
    return series.rename(None) if _UNNAMED in marks else series


def _to_pandas(table: pa.Table) -> Any:
    """Return the frame with the types that it had, also those of which Arrow or parquet knows no like."""
    frame = table.to_pandas(integer_object_nulls=True)
    for position, column in enumerate(pandas_description(table).get("columns", [])[: frame.shape[1]]):
        dtype = column["numpy_type"]
        if dtype in ("object", "datetime64[s]") and frame.dtypes.iloc[position] != dtype:
            frame.isetitem(position, frame.iloc[:, position].astype(dtype))
    return frame


def _kind(data_type: type) -> str:
    return f"{data_type.__module__.partition('.')[0]}.{data_type.__name__}"
