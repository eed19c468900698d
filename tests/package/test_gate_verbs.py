"""The verbs that show the policy and judge a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.command_line import Governance
from support.rendering import render

from governance_core.cli.app import main
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
    for key, source in policy.sources.items():
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
    monkeypatch.setattr("sys.argv", ["governance", "--debug", "policy", "show"])
    with pytest.raises(type(error)):
        main()


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
