"""A frame comes back as it was stored, and nothing of it is shown that the project does not allow."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.scratch import Scratch

from governance_core.core import UsageError

pytestmark = pytest.mark.usefixtures("store")

DAY = dt.date(2026, 1, 31)
INDEXES = {
    "default": pd.RangeIndex(3),
    "range": pd.RangeIndex(5, 11, 2, name="row"),
    "text": pd.Index(["u", "v", "w"], name="id"),
    "dates": pd.date_range(DAY, periods=3, tz="Europe/Berlin"),
    "levels": pd.MultiIndex.from_tuples([(1, "x"), (2, "y"), (2, "z")], names=["k", None]),
}
PANDAS: dict[str, Any] = {
    "integer": [1, 2, 3],
    "small": np.array([1, 2, 3], dtype="uint8"),
    "real": [1.5, np.nan, np.inf],
    "boolean": [True, False, True],
    "text": ["a", None, "ü"],
    "nullable": pd.array([1, None, 3], dtype="Int64"),
    "truth": pd.array([True, None, False], dtype="boolean"),
    "string": pd.array(["a", None, "b"], dtype="string"),
    "arrow": pd.array([1, None, 2], dtype="int64[pyarrow]"),
    "category": pd.Categorical(["x", "y", "x"], categories=["z", "y", "x"], ordered=True),
    "seconds": pd.to_datetime([DAY] * 3).astype("datetime64[s]"),
    "zoned": pd.to_datetime([DAY] * 3).tz_localize("Europe/Berlin"),
    "duration": pd.to_timedelta([1, 2, 3], "s"),
    "month": pd.period_range("2026", periods=3, freq="M"),
    "objects": pd.Series([1, 2, 3], dtype=object),
    "gaps": pd.Series([1, None, 3], dtype=object),
    "dates": [DAY] * 3,
    "decimals": [Decimal("1.50"), None, Decimal("2.25")],
    "bytes": [b"a", None, b"c"],
    "lists": [[1, 2], [], None],
    "nothing": [None, None, None],
}


@pytest.fixture
def folder() -> Path:
    """Return an empty folder in the artifact store, which refuses paths elsewhere."""
    from zenml.client import Client

    folder = Path(Client().active_stack.artifact_store.path) / uuid4().hex
    folder.mkdir()
    return folder


@pytest.fixture
def materializer(folder: Path) -> Any:
    return at(folder)


def at(folder: Path) -> Any:
    from zenml.client import Client

    from governance_core.materializers import GovernedDataFrameMaterializer

    return GovernedDataFrameMaterializer(str(folder), Client().active_stack.artifact_store)


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_a_pandas_frame_comes_back_with_its_types_and_index(materializer: Any, index: pd.Index) -> None:
    frame = pd.DataFrame({name: pd.Series(values) for name, values in PANDAS.items()}).set_index(index)
    materializer.save(frame)
    pd.testing.assert_frame_equal(materializer.load(pd.DataFrame), frame, check_freq=False)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": pd.Series(dtype="int64"), "b": pd.Series(dtype=object)}),
        pd.DataFrame([[1, 2]], columns=[0, 1]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["l", None])),
        pd.DataFrame({"a": [1]}).rename_axis(columns="measures"),
    ],
    ids=["empty", "no rows", "numbered columns", "levels of columns", "named columns"],
)
def test_unusual_pandas_frames_come_back(materializer: Any, frame: pd.DataFrame) -> None:
    materializer.save(frame)
    pd.testing.assert_frame_equal(materializer.load(pd.DataFrame), frame)


@pytest.mark.parametrize("name", ["label", None, 7])
def test_a_pandas_series_comes_back_with_its_name(materializer: Any, name: Any) -> None:
    series = pd.Series([0, 1], index=["a", "b"], name=name)
    materializer.save(series)
    pd.testing.assert_series_equal(materializer.load(pd.Series), series)


def test_a_polars_frame_and_series_come_back_as_they_were(folder: Path) -> None:
    frame = pl.DataFrame(
        {
            "real": [1.0, float("nan"), None],
            "text": ["a", None, "b"],
            "time": [dt.time(1)] * 3,
            "duration": [dt.timedelta(1)] * 3,
            "lists": [[1], None, [2, 3]],
            "structs": [{"a": 1}, {"a": None}, {"a": 3}],
            "nothing": [None] * 3,
        }
    ).with_columns(
        pl.col("text").cast(pl.Categorical).alias("category"),
        pl.col("text").cast(pl.Enum(["b", "a", "z"])).alias("enum"),
        pl.lit(dt.datetime(2026, 1, 31)).dt.replace_time_zone("Europe/Berlin").alias("zoned"),
        pl.Series("array", [[1, 2]] * 3, dtype=pl.Array(pl.Int32, 2)),
    )
    at(folder).save(frame)
    loaded = at(folder).load(pl.DataFrame)
    assert loaded.schema == frame.schema
    assert loaded.equals(frame)
    at(folder).save(frame["real"])
    assert at(folder).load(pl.Series).equals(frame["real"], check_names=True)


def test_what_parquet_cannot_hold_is_refused_with_the_name_of_the_column(materializer: Any) -> None:
    mixed = pd.DataFrame({"mixed": [1, "Ann"]})
    with pytest.raises(UsageError, match=r"cannot hold this pandas\.DataFrame: .*mixed") as error:
        materializer.save(mixed)
    assert "Ann" not in "".join(traceback.format_exception(error.value))
    with pytest.raises(UsageError, match="too large"):
        materializer.save(pd.DataFrame({"large": [2**70]}))
    for columns in (["a", "a"], [1, "1"]):
        with pytest.raises(UsageError, match=r"parquet cannot hold this pandas\.DataFrame: .*(same name|Duplicate)"):
            materializer.save(pd.DataFrame([[1, 2]], columns=columns))


def test_a_broken_file_and_another_type_are_one_message_with_the_file(folder: Path) -> None:
    file = folder / "frame.parquet"
    with pytest.raises(UsageError, match=rf"{file} cannot be read"):
        at(folder).load(pd.DataFrame)
    at(folder).save(pd.DataFrame({"a": range(1000)}))
    with pytest.raises(UsageError, match=rf"{file} holds a pandas.DataFrame, and polars.DataFrame was asked for"):
        at(folder).load(pl.DataFrame)
    content = file.read_bytes()
    for broken in (content[: len(content) // 2], content[:1000] + bytes(1000) + content[2000:], b"x,y\n1,2\n", b""):
        file.write_bytes(broken)
        with pytest.raises(UsageError, match=rf"{file} cannot be read: .*; run the step that made it again"):
            at(folder).load(pd.DataFrame)


FRAME = pd.DataFrame(
    {
        "real": [1.5, None, -0.25],
        "text": ["a", "bc", None],
        "flag": [True, False, True],
        "kind": pd.Categorical(["x", None, "y"], categories=["y", "x"]),
        "when": pd.to_datetime(["2026-01-31", None, "2026-02-01"]),
    },
    index=pd.Index([3, 1, 2], name="id"),
)


def content(table: pa.Table) -> str:
    from governance_core.materializers.content import content_digest

    return content_digest(table)


def arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame)


def test_the_digest_of_a_content_is_the_same_on_every_day_and_machine() -> None:
    assert content(arrow(FRAME)) == "sha256:5a79c1868f5711dbdd429f88d4ce4629343be4c8f0855be53ab720d1d77ffb23"
    assert (
        content(pl.DataFrame({"a": [1.5, None], "b": ["x", "y"], "c": [[1], []]}).to_arrow())
        == "sha256:3ad35b0357212a8625440964b9ecffb90fb69c6df5d204056a8a7a78ba4b6998"
    )


def test_the_digest_does_not_depend_on_chunks_layouts_and_what_else_a_process_read() -> None:
    table = arrow(FRAME)
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1, 2)])
    text = table.schema.get_field_index("text")
    large = table.set_column(text, "text", table["text"].cast(pa.large_string()))
    views = table.set_column(text, "text", table["text"].cast(pa.string_view()))
    assert {content(each) for each in (table, pieces, large, views)} == {content(table)}
    other_nan = pa.table({"a": np.array([0x7FF8000000000001], dtype="uint64").view("float64")})
    assert content(other_nan) == content(pa.table({"a": [float("nan")]}))
    codes = [pa.DictionaryArray.from_arrays(*coded) for coded in (([0, 1], ["y", "x"]), ([2, 0], ["x", "z", "y"]))]
    assert content(pa.table({"a": codes[0]})) == content(pa.table({"a": codes[1]}))


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a value": lambda frame: frame.assign(real=[1.5, None, -0.5]),
    "another value missing": lambda frame: frame.assign(real=[1.5, -0.25, None]),
    "text split otherwise": lambda frame: frame.assign(text=["ab", "c", None]),
    "missing text": lambda frame: frame.assign(text=["a", "bc", ""]),
    "a type": lambda frame: frame.assign(flag=[1, 0, 1]),
    "objects": lambda frame: frame.assign(flag=frame.flag.astype(object)),
    "a name": lambda frame: frame.rename(columns={"text": "txt"}),
    "the order of columns": lambda frame: frame[frame.columns[::-1]],
    "the order of rows": lambda frame: frame[::-1],
    "a row": lambda frame: frame[:2],
    "a column": lambda frame: frame.drop(columns="when"),
    "the index": lambda frame: frame.set_axis([3, 1, 4]).rename_axis("id"),
    "the index's name": lambda frame: frame.rename_axis("key"),
    "no index": lambda frame: frame.reset_index(drop=True),
    "a category nobody has": lambda frame: frame.assign(kind=frame.kind.cat.add_categories("z")),
    "the order of categories": lambda frame: frame.assign(kind=frame.kind.cat.reorder_categories(["x", "y"])),
    "the name of the columns": lambda frame: frame.rename_axis(columns="measure"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_changes_with(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert content(arrow(change(FRAME.copy()))) != content(arrow(FRAME))


def test_what_differs_in_nothing_but_ends_or_types_is_told_apart() -> None:
    tables = [
        *(pa.table({"a": lists}) for lists in ([[1], [2, 3]], [[1, 2], [3]], [[1], [2, 3], []])),
        *(pa.table({"a": [struct]}) for struct in ({"x": 1, "y": None}, {"x": None, "y": 1})),
        *(pa.table({"a": pa.array([1], kind)}) for kind in (pa.int64(), pa.uint64(), pa.duration("s"))),
    ]
    tables += [arrow(pd.DataFrame({"a": [1]}, index=pd.RangeIndex(start, start + 1))) for start in (0, 5)]
    assert len({content(table) for table in tables}) == len(tables)


FRAMES = """
import polars as pl
from zenml.integrations.pandas.materializers import PandasMaterializer


class Own(PandasMaterializer):
    pass


@step
def shown() -> Annotated[pd.DataFrame, "shown"]:
    return pd.DataFrame(
        {"amount": [1.5, None, float("inf"), 99.25], "count": [1, 2, 3, 4], "name": ["Ann", "Bo", None, ""],
         "born": pd.to_datetime(["2001-02-03", None, "1999-12-31", None])},
        index=pd.Index(list("abcd"), name="patient"),
    )

@step
def untyped(frame: pd.DataFrame):
    return frame.head(2)

@step
def other(frame: pd.DataFrame) -> Annotated[pl.DataFrame, "other"]:
    return pl.DataFrame({"amount": [float("nan"), None, 2.0]})

@step(output_materializers=Own)
def owned(frame: pd.DataFrame) -> Annotated[pd.DataFrame, "owned"]:
    return frame

@governed_pipeline
def showing():
    frame = shown()
    untyped(frame)
    other(frame)
    owned(frame)

@pipeline
def plainly():
    untyped(shown())

@governed_pipeline
def gated():
    validate_data_quality(load())
"""
GOVERNED = "governance_core.materializers.frames.GovernedDataFrameMaterializer"
ZENMLS = "zenml.integrations.pandas.materializers.pandas_materializer.PandasMaterializer"


@pytest.fixture(scope="module")
def runs(store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the outputs, by name, of a governed run, of a plain one after it, and of another governed one."""
    from support.scratch import scratch_project

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
        patch.setenv("GOVERNANCE_ENVIRONMENT", "staging")
        with scratch_project(tmp_path_factory.mktemp("frames") / "project") as scratch:
            module = scratch.add("showing", FRAMES)
            return [outputs(pipeline()) for pipeline in (module.showing, module.plainly, module.gated)]


def outputs(run: Any) -> dict[str, Any]:
    return {name: version for step in run.steps.values() for name, (version,) in step.outputs.items()}


def test_metadata_are_what_the_store_gives_back_and_show_no_values(runs: list[dict[str, Any]]) -> None:
    stored = runs[0]
    metadata = dict(stored["shown"].run_metadata)
    assert metadata.pop("storage_size") > 0
    assert metadata.pop("content_digest") == stored["shown"].content_hash
    assert metadata == {
        "rows": 4,
        "columns": 4,
        "missing": 4,
        "types": {"amount": "double", "count": "int64", "name": "string", "born": "timestamp[ns]"},
        "missing_by_column": {"amount": 1, "count": 0, "name": 1, "born": 2},
    }
    assert stored["other"].run_metadata["missing_by_column"] == {"amount": 2}
    assert stored["output"].run_metadata["rows"] == 2
    assert not stored["shown"].visualizations
    assert not stored["output"].visualizations
    assert stored["shown"].load().index.name == "patient"


def test_a_teams_own_materializer_and_plain_pipelines_are_left_alone(runs: list[dict[str, Any]]) -> None:
    used = [
        {name: version.materializer.import_path for name, version in run.items() if name != "evidence"} for run in runs
    ]
    assert used[0].pop("owned").endswith(".showing.Own")
    assert [set(each.values()) for each in used] == [{GOVERNED}, {ZENMLS}, {GOVERNED}]


def test_the_data_gate_stores_what_it_was_given_as_it_was_given(runs: list[dict[str, Any]]) -> None:
    given = runs[2]["dataset"]
    assert given.content_hash == runs[2]["raw"].content_hash
    sources = given.producer_step_run_id and given.step.config.outputs["dataset"].materializer_source
    assert [source.import_path for source in sources] == [GOVERNED]


def test_a_stored_frame_is_read_in_another_process_and_one_of_zenmls_too(
    runs: list[dict[str, Any]], store: Path, tmp_path: Path
) -> None:
    script = tmp_path / "read.py"
    script.write_text(
        "import sys\nfrom zenml.client import Client\nfor version in sys.argv[1:]:\n"
        "    print(Client().get_artifact_version(version).load().shape, 'polars' in sys.modules)\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(script), *(str(run["shown"].id) for run in runs[:2])]
    environment = os.environ | {"ZENML_CONFIG_PATH": str(store)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["(4, 4) False"] * 2, done.stderr


def test_many_columns_are_listed_as_far_as_they_fit() -> None:
    from governance_core.materializers.content import describe

    table = pa.table({f"a name of some length {i}": pa.array([i, None]) for i in range(50)})
    described = describe(table, limit=1000, extremes=True)
    listed = [len(described[key]) for key in ("types", "missing_by_column", "min", "max")]
    assert len(set(listed)) == 1
    assert 20 < listed[0] == 50 - described["columns_not_listed"]
    assert max(len(json.dumps(described[key])) for key in ("types", "missing_by_column", "min", "max")) <= 1000
    assert (described["rows"], described["columns"], described["missing"]) == (2, 50, 50)
    assert "columns_not_listed" not in describe(table, limit=65_535, extremes=True)


def test_values_are_shown_where_the_project_says_that_its_data_are_not_personal(scratch: Scratch) -> None:
    scratch.write("governance.yaml", "personal_data: false\n")
    stored = outputs(scratch.add("showing", FRAMES).showing())
    metadata = stored["shown"].run_metadata
    assert metadata["min"] == {"amount": 1.5, "count": 1, "born": "1999-12-31 00:00:00"}
    assert metadata["max"] == {"amount": 99.25, "count": 4, "born": "2001-02-03 00:00:00"}
    (sample,) = stored["shown"].visualizations
    assert "Ann" in Path(sample.uri).read_text(encoding="utf-8")


def test_outside_a_run_data_are_personal(materializer: Any) -> None:
    frame = pd.DataFrame({"amount": [1, 2]})
    materializer.save(frame)
    assert not materializer.save_visualizations(frame)
    assert "min" not in materializer.extract_metadata(frame)


def showing_is_off(pipeline: Any) -> list[str]:
    """Return the steps of a compiled pipeline that describe and draw nothing of what they return."""
    pipeline.prepare()
    steps = pipeline._compile()[0].step_configurations
    off = {
        name: {each.enable_artifact_metadata, each.enable_artifact_visualization} == {False}
        for name, step in steps.items()
        for each in (step.config, step.step_config_overrides)
    }
    return [name for name, is_off in off.items() if is_off and name != "record_evidence"]


def test_where_only_the_step_knows_the_type_another_machine_shows_nothing_of_it(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.client import Client
    from zenml.enums import StackComponentType

    showing = scratch.add("showing", FRAMES).showing
    assert showing_is_off(showing) == []
    docker = Client().create_stack_component(scratch.package, "local_docker", StackComponentType.ORCHESTRATOR, {})
    components = {StackComponentType.ORCHESTRATOR: docker.id, StackComponentType.ARTIFACT_STORE: "default"}
    stack = Client().create_stack(scratch.package, components)
    monkeypatch.setenv("ZENML_ACTIVE_STACK_ID", str(stack.id))
    assert showing_is_off(showing) == ["untyped"]
    scratch.write("governance.yaml", "personal_data: false\n")
    assert showing_is_off(showing) == []
