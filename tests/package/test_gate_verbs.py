"""The verbs that show the policy and judge a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.command_line import Governance
from support.rendering import render

from governance_core.core import Conflict, Refused, UsageError, Violation
from governance_core.policy import EffectivePolicy

GOOD = pl.DataFrame({"a": [float(i) for i in range(100)], "b": ["x"] * 100})
BAD = pl.DataFrame({"a": [1.0, float("nan"), None], "b": ["x", None, None], "hollow": [None] * 3})


def written(folder: Path, frame: pl.DataFrame, kind: str) -> Path:
    path = folder / f"dätä set.{kind}"
    frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_good_file_passes(tmp_path: Path, governance: Governance, kind: str) -> None:
    path = written(tmp_path, GOOD, kind)
    code, out, _ = governance("quality", path, "--min-rows", 3, "--max-duplicates", 0)
    assert code == 0
    assert "rows = 100 is at least 100 (baseline 1)" in out
    assert governance("quality", path, "--min-rows", 101, "--max-duplicates", 0)[0] == 3


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_each_violation_of_a_bad_file_is_listed(tmp_path: Path, governance: Governance, kind: str) -> None:
    path = written(tmp_path, BAD, kind)
    code, out, err = governance("quality", path)
    assert (code, out) == (3, "")
    assert f"{path} is refused" in err
    for said in (
        "column 'hollow' is missing",
        "rows = 3 must be at least 100",
        "missing_fraction = 0.7777777777777778",
    ):
        assert said in err
    assert governance("quality", path, "--min-rows", 3, "--max-missing-fraction", 1)[0] == 3


@pytest.mark.parametrize("frame", [GOOD, BAD])
def test_with_json_stdout_is_the_verdict_and_nothing_else(
    tmp_path: Path, governance: Governance, frame: pl.DataFrame
) -> None:
    code, out, _ = governance("quality", written(tmp_path, frame, "csv"), "--json")
    assert json.loads(out)["passed"] is (code == 0) is (frame is GOOD)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.csv", None),
        ("missing.parquet", None),
        ("empty.csv", b""),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n"),
        ("short.csv", b"a,b\n1,2\n1\n"),
        ("unclosed.csv", b'a,b\n"1,2\n3,4\n'),
        ("twice.csv", b"a,a\n1,2\n"),
        ("empty.parquet", b""),
        ("folder.parquet", "folder"),
        ("no-match-*.parquet", None),
        ("no-pattern-**/*.parquet", None),
        (f"{'too-long-' * 30}.parquet", None),
        ("binary.csv", b"a,b\n\xff\xfe,\x81\n"),
        ("broken.parquet", b"no parquet"),
        ("table.xlsx", b"PK"),
        ("folder.csv", "folder"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_usage(
    tmp_path: Path, governance: Governance, name: str, content: bytes | str | None
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    code, out, err = governance("quality", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path} ")


def test_a_csv_file_with_another_delimiter_is_told_as_such(tmp_path: Path, governance: Governance) -> None:
    for name, delimiter in (("semicolon", ";"), ("tab", "\t"), ("pipe", "|")):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"a{delimiter}b\n1{delimiter}2\n", encoding="utf-8")
        said = f"error: {path} cannot be read: its header has 1 cell separated by ',' and 2 by {delimiter!r}"
        assert governance("quality", path, "--min-rows", 1)[0::2] == (2, f"{said}; save it with commas\n")
    path.write_text("a,b; c\n1;2\n", encoding="utf-8")
    assert "1 rows do not have the 2 cells of the header, one has 1" in governance("quality", path)[2]


def test_a_file_that_breaks_only_where_it_is_read_is_wrong_usage(tmp_path: Path, governance: Governance) -> None:
    path = written(tmp_path, pl.DataFrame({"a": [float(i) for i in range(1000)]}), "parquet")
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(byte ^ 255 for byte in content[40:400]) + content[400:])
    code, out, err = governance("quality", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path} cannot be read: ")


def test_files_of_one_pattern_whose_columns_differ_are_wrong_usage(tmp_path: Path, governance: Governance) -> None:
    for name, frame in {"1": GOOD, "2": GOOD, "3": GOOD.with_columns(pl.lit(1).alias("a"))}.items():
        frame.write_parquet(tmp_path / f"part-{name}.parquet")
    assert governance("quality", tmp_path / "part-[12].parquet", "--min-rows", 200)[0] == 0
    code, out, err = governance("quality", tmp_path / "part-*.parquet")
    assert (code, out) == (2, "")
    assert err == (
        f"error: {tmp_path / 'part-3.parquet'} cannot be read: its columns differ from those of "
        f"{tmp_path / 'part-1.parquet'}: ['a']\n"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A render with columns of its own, and the working directory in it."""
    root = tmp_path / "project"
    shutil.copytree(render(), root)
    columns = "{a: {type: float, max: 99}, b: {allowed: [x]}}"
    text = f"policy: {{every: {{data: {{columns: {columns}}}}}, production: {{data: {{min_rows: 150}}}}}}\n"
    (root / "governance.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    ("frame", "code", "said"),
    [
        (GOOD, 0, ""),
        (GOOD.with_columns(pl.lit(100.0).alias("a")), 3, "column-range: 100 of 100 values of column 'a'"),
        (GOOD.drop("b"), 2, "column-absent: column 'b' is absent"),
        (GOOD.with_columns(pl.lit("y").alias("a")), 2, "column-type: column 'a' is of type string and must be float"),
        (GOOD.head(5).drop("b"), 2, "rows = 5 must be at least 100"),
    ],
)
def test_in_a_project_its_columns_are_judged_and_another_schema_is_wrong_usage(
    project: Path, governance: Governance, frame: pl.DataFrame, code: int, said: str
) -> None:
    path = written(project, frame, "parquet")
    found, _, err = governance("quality", path)
    assert found == code
    assert said in err
    found, out, _ = governance("quality", path, "--json")
    assert (found, json.loads(out)["passed"]) == (code, code == 0)


def test_the_policy_is_that_of_the_environment_and_options_only_tighten_it(
    project: Path, governance: Governance
) -> None:
    path = written(project, GOOD, "parquet")
    assert (
        "rows = 100 must be at least 150 (governance.yaml)"
        in governance("quality", path, "--environment", "production", "--min-rows", 1)[2]
    )
    assert "rows = 100 must be at least 101 (--min-rows)" in governance("quality", path, "--min-rows", 101)[2]
    assert governance("quality", path, "--environment", "prod")[0] == 2


@pytest.mark.parametrize("bound", [("--min-rows", -1), ("--max-missing-fraction", "nan")])
def test_an_impossible_threshold_is_refused(tmp_path: Path, governance: Governance, bound: tuple[str, object]) -> None:
    code, _, err = governance("quality", written(tmp_path, GOOD, "csv"), *bound)
    assert code == 3
    assert "threshold-impossible" in err


def test_the_policy_shows_each_value_its_source_and_the_hash(
    governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(render() / "src")
    code, out, _ = governance("policy", "show", "--environment", "production")
    shown = json.loads(governance("policy", "show", "--environment", "production", "--json")[1])
    policy = EffectivePolicy.from_dict({key: value for key, value in shown.items() if key != "hash"})
    assert code == 0
    assert out.splitlines()[-1] == f"hash {policy.hash}"
    assert shown["hash"] == policy.hash
    for key, (_, source) in policy.by_key().items():
        assert any(line.startswith(f"{key} ") and line.endswith(f"({source})") for line in out.splitlines()), key


def test_an_unknown_environment_is_wrong_usage(governance: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(render())
    code, out, err = governance("policy", "show", "--environment", "prod")
    assert (code, out) == (2, "")
    assert err == "error: unknown environment 'prod'; known: local, staging, production\n"


def test_outside_a_project_there_is_no_policy_to_show(
    governance: Governance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert governance("policy", "show")[0] == 2


ERRORS: dict[Exception, dict[str, Any]] = {
    UsageError("no such thing"): {"error": "no such thing", "exit_code": 2, "violations": []},
    Refused("It", [Violation("a-rule", "7")]): {
        "error": "It is refused:\n  - a-rule: 7",
        "exit_code": 3,
        "violations": [{"rule": "a-rule", "message": "7"}],
    },
    Conflict("try again"): {"error": "try again", "exit_code": 4, "violations": []},
    ZeroDivisionError("by zero"): {
        "error": "unexpected ZeroDivisionError: by zero; `governance --debug` shows where",
        "exit_code": 1,
        "violations": [],
    },
}


@pytest.mark.parametrize(("error", "answer"), ERRORS.items())
def test_an_error_is_one_message_and_with_json_one_document(
    governance: Governance, monkeypatch: pytest.MonkeyPatch, error: Exception, answer: dict[str, Any]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("governance_core.project.find_root", fails)
    said = f"error: {answer['error']}\n"
    assert governance("policy", "show") == (answer["exit_code"], "", said)
    code, out, err = governance("policy", "show", "--json")
    assert (code, err) == (answer["exit_code"], said)
    assert json.loads(out) == answer
    code, out, err = governance("--debug", "policy", "show")
    assert (code, out, err.endswith(f"\n{said}")) == (answer["exit_code"], "", True)
    assert err.startswith("Traceback (most recent call last):\n")
    assert "in fails\n" in err


def drifting(folder: Path, kind: str = "parquet") -> tuple[Path, Path]:
    """Write a reference, and current data of whose three columns one drifted."""
    reference = pl.DataFrame({"a": range(200), "b": ["x", "y"] * 100, "target": [0.5, 1.5] * 100})
    for name, frame in (("then", reference), ("now", reference.with_columns(pl.col("a") + 100))):
        path = folder / f"{name}.{kind}"
        frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    return folder / f"then.{kind}", folder / f"now.{kind}"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_share_of_drifted_columns_decides(tmp_path: Path, governance: Governance, kind: str) -> None:
    then, now = drifting(tmp_path, kind)
    code, out, _ = governance("drift", "--reference", then, "--current", then)
    assert (code, out.splitlines()[-1]) == (0, "drift_score = 0.0 is at most 0.3 (baseline 1)")
    code, out, err = governance("drift", "--reference", then, "--current", now)
    assert (code, out) == (3, "")
    assert f"{now} is refused" in err
    assert "drift_score = 0.3333333333333333 must be at most 0.3 (baseline 1); drifted: a" in err
    code, out, _ = governance("drift", "--reference", then, "--current", now, "--json")
    assert (code, json.loads(out)["drifted_columns"]) == (3, ["a"])
    assert governance("drift", "--reference", then, "--current", now, "--ignore", "a", "--ignore", "target")[0] == 0
    code, _, err = governance("drift", "--reference", then, "--current", now, "--threshold", 0.2)
    assert "must be at most 0.2 (--threshold)" in err


def test_a_saved_profile_stands_for_the_reference(tmp_path: Path, governance: Governance) -> None:
    then, now = drifting(tmp_path)
    profile = tmp_path / "profile.json"
    assert governance("drift", "--reference", then, "--save-profile", profile)[0] == 0
    by_profile = governance("drift", "--reference", profile, "--current", now, "--json")
    assert by_profile == governance("drift", "--reference", then, "--current", now, "--json")


def test_what_cannot_be_compared_is_wrong_usage_with_path_and_reason(tmp_path: Path, governance: Governance) -> None:
    then, now = drifting(tmp_path)
    other = tmp_path / "other.parquet"
    pl.DataFrame({"b": [True], "c": [1]}).write_parquet(other)
    code, out, err = governance("drift", "--reference", then, "--current", other)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {other} cannot be compared with the reference: column 'a' is missing; ")
    assert "column 'b' is of type boolean, in the reference string" in err
    assert governance("drift", "--reference", then)[0] == 2
    assert governance("drift", "--reference", then, "--save-profile", tmp_path / "no folder" / "p.json")[0] == 2
    for name, content in (
        ("broken.parquet", "no"),
        ("broken.json", "{}"),
        ("text.json", "no"),
        ("b.csv", "a;b\n1;2\n"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        for names in ((tmp_path / name, now), (then, tmp_path / name)):
            code, _, err = governance("drift", "--reference", names[0], "--current", names[1])
            assert code == 2
            assert err.startswith(f"error: {tmp_path / name} cannot be read: "), err
    (tmp_path / "cut.parquet").write_bytes(now.read_bytes()[:200] + now.read_bytes()[260:])
    assert governance("drift", "--reference", then, "--current", tmp_path / "cut.parquet")[0] == 2
