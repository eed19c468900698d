"""ZenML secrets from a declared list: what is missing, what is made, what is replaced, and that no value is told."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy import text
from support.command_line import Governance
from support.rendering import render
from support.scratch import Scratch, scratch_project
from zenml.client import Client
from zenml.exceptions import EntityExistsError, IllegalOperationError, SecretsStoreNotConfiguredError
from zenml.utils.secret_utils import is_secret_reference

from governance_core import checks
from governance_core.core import Conflict, GovernanceError, Refused, UsageError, read_yaml
from governance_core.lifecycle.history import summary
from governance_core.policy import effective, load_governance_file
from governance_core.project import render_governed
from governance_core.registry.chains import Chain
from governance_core.registry.chains import journal as journal_of
from governance_core.secrets import keeping
from governance_core.secrets.declared import SECRETS_FILE, declared_secrets, given_value, place
from governance_core.stacks.flavors import flavors

CANARY = "sésame-4711-ouvre-toi"
WAREHOUSE = "secrets:\n  warehouse:\n    keys: [user, password]\n    used_by: [src/steps/data.py, the nightly export]\n"


@pytest.fixture(scope="module")
def project(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:  # noqa: ARG001
    root = tmp_path_factory.mktemp("secrets") / "project"
    with scratch_project(root, alerter="slack", alert_channel="C0123ABCD") as scratch:
        yield scratch


@pytest.fixture
def team(project: Scratch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """Return a project that declares slack (the platform) and warehouse (the team), on a store without secrets."""
    monkeypatch.setenv("GOVERNANCE_ACTOR", "ada@example.com")
    monkeypatch.chdir(project.root)
    project.write("governance.yaml", WAREHOUSE)
    delete_secrets()
    yield project
    delete_secrets()


def delete_secrets() -> None:
    for secret in Client().list_secrets(size=100).items:
        Client().zen_store.delete_secret(secret.id)


@pytest.fixture
def given(team: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Give every value that the project declares in a variable."""
    for name in ("SLACK_TOKEN", "WAREHOUSE_USER", "WAREHOUSE_PASSWORD"):
        monkeypatch.setenv(f"SECRET_{name}", f"{name} {CANARY}")
    return team


def values(name: str) -> dict[str, str]:
    return Client().get_secret(name, private=False, allow_partial_name_match=False).secret_values


def names() -> list[str]:
    return sorted(secret.name for secret in Client().list_secrets(size=100).items)


def events(project: Scratch) -> list[dict[str, Any]]:
    found = journal_of(project.project.project_slug).events()
    return [dict(event.body) for event in found if event.kind == "secret"]


def forms(value: str) -> set[str]:
    """Return a value as texts may hold it: plain, escaped, or encoded as ZenML's database does."""
    inside = base64.b64encode(value.encode()).decode()[4:-4]
    return {
        value,
        json.dumps(value)[1:-1],
        repr(value.encode())[2:-1],
        inside,
        hashlib.sha256(value.encode()).hexdigest(),
    }


def assert_untold(*texts: str) -> None:
    for told in texts:
        assert not [form for form in forms(CANARY) if form in told]


@contextmanager
def refusing_database() -> Iterator[None]:
    """Let the database refuse every statement that writes values of a secret, and quote it, as databases do."""
    when = 'BEFORE UPDATE ON secret WHEN NEW."values" IS NOT NULL'
    engine = Client().zen_store.engine
    with engine.begin() as database:
        database.execute(text(f"CREATE TRIGGER refusing {when} BEGIN SELECT RAISE(ABORT, 'no'); END"))
    try:
        yield
    finally:
        with engine.begin() as database:
            database.execute(text("DROP TRIGGER refusing"))


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Return what is logged on every level, by ZenML too, whose loggers do not tell the root."""
    logger = logging.getLogger("zenml")
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "zenml"):
        yield caplog
    logger.removeHandler(caplog.handler)


# The declared list


@pytest.mark.parametrize(
    ("answers", "declared"),
    [
        ({}, {}),
        ({"alerter": "slack", "alert_channel": "C0123ABCD"}, {"slack": ["token"]}),
        ({"alerter": "discord", "alert_channel": "112233445566778899"}, {"discord": ["token"]}),
        ({"experiment_tracker": "mlflow", "cloud": "aws"}, {"mlflow": ["token"]}),
        ({"experiment_tracker": "mlflow"}, {}),  # in a local file
    ],
)
def test_the_platform_declares_what_its_components_use(answers: dict[str, str], declared: dict[str, list[str]]) -> None:
    found = declared_secrets(render(**answers))
    assert {name: list(secret.keys) for name, secret in found.items()} == declared
    assert {secret.source for secret in found.values()} <= {"governance/secrets.yaml"}


@pytest.mark.parametrize(("cloud", "orchestrator"), [("local", None), ("gcp", "vertex"), ("azure", "kubernetes")])
@pytest.mark.parametrize(
    ("chat", "channel"), [("none", None), ("slack", "C0123ABCD"), ("discord", "112233445566778899")]
)
@pytest.mark.parametrize("tracker", ["none", "mlflow"])
def test_the_platform_declares_exactly_what_its_stacks_refer_to(
    cloud: str, orchestrator: str | None, chat: str, channel: str | None, tracker: str
) -> None:
    where = {"cloud": cloud, "region": orchestrator and "here", "orchestrator": orchestrator}
    beside = {"alerter": chat, "alert_channel": channel, "experiment_tracker": tracker}
    project = Scratch(Path(), where | beside).project
    given = [value for flavor in flavors(project, "production") for value in flavor.given.values()]
    rendered = yaml.safe_load(render_governed(project)[SECRETS_FILE].content)["secrets"]
    declared = {f"{{{{{name}.{key}}}}}" for name, secret in rendered.items() for key in secret["keys"]}
    assert declared == {value for value in given if is_secret_reference(value)}
    for name, secret in rendered.items():
        assert secret["used_by"][0].endswith(f"{{{{{name}.{secret['keys'][0]}}}}}")


def test_the_team_declares_its_own_beside_them(team: Scratch) -> None:
    found = declared_secrets(team.root)
    assert list(found) == ["slack", "warehouse"]
    assert found["warehouse"].used_by == ("src/steps/data.py", "the nightly export")
    assert found["warehouse"].source == "governance.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{w: {keys: [a], used_by: [x], value: SECRET}}",
            "secrets.w.(not shown): unknown key; allowed here: keys, used_by",
        ),
        ("{w: {keys: {a: SECRET}, used_by: [x]}}", "secrets.w.keys: Input should be a valid list"),
        ("{w: {keys: [a: SECRET], used_by: [x]}}", "secrets.w.keys.0: Input should be a valid string"),
        ("{w: {keys: [a=SECRET], used_by: [x]}}", "secrets.w.keys.0: String should match pattern"),
        ("{w: SECRET}", "secrets.w: Input should be a valid dictionary"),
        ("SECRET", "secrets: Input should be a valid dictionary"),
        ("{w: {keys: [], used_by: [x]}}", "secrets.w.keys: List should have at least 1 item"),
        ("{w: {keys: [a], used_by: []}}", "secrets.w.used_by: List should have at least 1 item"),
        ("{w: {keys: [a], used_by: ['']}}", "secrets.w.used_by.0: String should match pattern"),
        ("{w: {keys: [a]}}", "secrets.w.used_by: Field required"),
        ("{w: {keys: [a b], used_by: [x]}}", "secrets.w.keys.0: String should match pattern"),
        ("{w: {keys: [hunter2, hunter2], used_by: [x]}}", "secrets.w.keys: a key is listed twice"),
        ("{w: {keys: [name], used_by: [x]}}", "secrets.w.keys.0: ZenML keeps `name` for itself"),
        ("{name: {keys: [a], used_by: [x]}}", "secrets.name.[key]: ZenML keeps `name` for itself"),
        ("{w.x: {keys: [a], used_by: [x]}}", "secrets.(not shown).[key]: String should match pattern"),
        ("{w x: {keys: [a], used_by: [x]}}", "secrets.(not shown).[key]: String should match pattern"),
        ("{SECRET: {keys: [a], used_by: [x]}}", "secrets.(not shown).[key]: String should match pattern"),
        ("{w: {keys: [a], used_by: [x], SECRET: a}}", "secrets.w.(not shown): unknown key; allowed here: keys"),
    ],
)
def test_a_declaration_holds_names_and_what_looks_like_a_value_is_refused_and_not_repeated(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "governance.yaml"
    path.write_text(f"secrets: {text.replace('SECRET', CANARY)}", encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_governance_file(path)
    assert said in str(error.value)
    traced = "".join(traceback.format_exception(error.value))
    assert_untold(traced)
    assert "hunter2" not in traced


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ('{w: {password: "SECRET}}', "found unexpected end of stream in line 1, column "),
        ("{w: *SECRET}", "found undefined alias ... in line 1, column 14"),
        ("{w: !SECRET x}", "could not determine a constructor for the tag ... in line 1, column 14"),
        ("\n  SECRET: {}\n  w: {}\n  'SECRET': {}", "found a key for the second time in line 4, column 3"),
        ("{w: SECRET: x}", "expected ',' or '}', but got ':' in line 1, column "),
        ("{w: 'SECRET\0'}", "it holds characters that are not allowed"),
    ],
)
def test_a_slip_in_yaml_is_placed_and_the_line_is_not_repeated(tmp_path: Path, slip: str, said: str) -> None:
    path = tmp_path / "governance.yaml"
    path.write_text(f"secrets: {slip.replace('SECRET', 'hunter2')}", encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_governance_file(path)
    assert f"governance.yaml is not valid YAML: {said}" in str(error.value)
    assert "hunter2" not in "".join(traceback.format_exception(error.value))


def test_a_mapping_may_override_what_it_merges_wherever_that_stands(tmp_path: Path) -> None:
    path = tmp_path / "configuration.yaml"
    path.write_text("a: {b: &b {x: 1, y: 2}, c: {d: &d {<<: *b, x: 3}}}\ne: {<<: *d, y: 4}\nx: 5", encoding="utf-8")
    merged = {"a": {"b": {"x": 1, "y": 2}, "c": {"d": {"x": 3, "y": 2}}}, "e": {"x": 3, "y": 4}, "x": 5}
    assert read_yaml(path) == merged


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("{slack: {keys: [token], used_by: [x]}}", "secrets.slack is the platform's"),
        (
            "{a-b: {keys: [c], used_by: [x]}, a_b: {keys: [c], used_by: [x]}}",
            "SECRET_A_B_C would give both a-b.c and a_b.c",
        ),
        ("{a: {keys: [b_c], used_by: [x]}, a_b: {keys: [c], used_by: [x]}}", "SECRET_A_B_C would give both a.b_c and"),
        ("{a: {keys: [b, B], used_by: [x]}}", "SECRET_A_B would give both a.b and a.B"),
    ],
)
def test_two_secrets_that_could_not_be_told_apart_are_refused(team: Scratch, declared: str, said: str) -> None:
    team.write("governance.yaml", f"secrets: {declared}")
    with pytest.raises(UsageError) as error:
        declared_secrets(team.root)
    assert said in str(error.value)
    (found,) = (finding for finding in checks.check(team.root).findings if finding.rule == "secrets-invalid")
    assert said in found.message


def test_the_file_that_has_to_change_is_named(tmp_path: Path) -> None:
    (tmp_path / "governance").mkdir()
    (tmp_path / "governance.yaml").write_text("{}", encoding="utf-8")
    (tmp_path / SECRETS_FILE).write_text("secrets: {a: {keys: [b, B], used_by: [x]}}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^governance/secrets\.yaml: SECRET_A_B would give both a\.b and a\.B"):
        declared_secrets(tmp_path)


# Where a value is given


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"plain", "plain"),
        (b"plain\n", "plain"),
        (b"plain\r\n", "plain"),
        (b"two\n\n", "two\n"),
        (b"-----BEGIN\nKEY-----\n", "-----BEGIN\nKEY-----"),
        (b" kept \n", " kept "),
        ("ключ".encode(), "ключ"),
        (b"", None),
        (b"\n", None),
        (b" \t\n\n", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("from_folder", [True, False])
def test_one_newline_at_the_end_is_cut_off_and_a_blank_is_no_value(
    tmp_path: Path, written: bytes | None, value: str | None, from_folder: bool
) -> None:
    variables = {}
    if written is not None:
        (tmp_path / "slack.token").write_bytes(written)
        variables = {"SECRET_SLACK_TOKEN": written.decode()}
    found = given_value("slack", "token", tmp_path if from_folder else None, {} if from_folder else variables)
    assert (found and found.get_secret_value()) == value


def test_a_name_with_hyphens_is_a_variable_with_underscores_and_a_file_as_zenml_refers_to_it(tmp_path: Path) -> None:
    assert place("my-store", "access_key", None) == "SECRET_MY_STORE_ACCESS_KEY"
    assert place("my-store", "access_key", tmp_path) == f"{tmp_path}/my-store.access_key"


def test_a_mounted_file_is_read_through_its_links_as_kubernetes_makes_them(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "slack.token").write_text("mounted\n", encoding="utf-8")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "slack.token").symlink_to("..data/slack.token")
    assert given_value("slack", "token", tmp_path, {}) == SecretStr("mounted")


@pytest.mark.parametrize("content", [None, CANARY.encode("latin-1")])
def test_a_file_that_is_no_text_is_named_and_not_shown(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "slack.token"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(UsageError, match=r"slack\.token cannot be read") as error:
        given_value("slack", "token", tmp_path, {})
    assert (error.value.__cause__, error.value.__context__) == (None, None)


def test_a_variable_that_is_no_text_stops_apply_and_is_named_and_not_shown(
    given: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_WAREHOUSE_USER", os.fsdecode(CANARY.encode("latin-1")))
    with pytest.raises(UsageError, match=r"^SECRET_WAREHOUSE_USER cannot be read: it is not text in UTF-8$") as error:
        keeping.apply(given.root, None)
    assert (error.value.__cause__, error.value.__context__) == (None, None)
    assert names() == []


# plan


def test_a_plan_says_what_is_missing_and_where_it_is_used(team: Scratch, governance: Governance) -> None:  # noqa: ARG001
    code, out, _ = governance("secrets", "plan")
    assert code == 3
    assert "missing  warehouse (user, password): used by src/steps/data.py; the nightly export" in out
    Client().create_secret("warehouse", {"user": "u"})
    assert "missing  warehouse lacks password: used by" in governance("secrets", "plan")[1]


def test_a_plan_that_holds_is_exit_code_0_and_leaves_alone_what_nobody_declares(
    given: Scratch,  # noqa: ARG001
    governance: Governance,
) -> None:
    Client().create_secret("of-others", {"key": "value"})
    assert governance("secrets", "apply")[0] == 0
    code, out, _ = governance("secrets", "plan", "--json")
    planned = json.loads(out)
    assert code == 0
    assert planned["undeclared"] == 1
    assert [(found["name"], found["exists"], found["missing_keys"]) for found in planned["secrets"]] == [
        ("slack", True, []),
        ("warehouse", True, []),
    ]
    out = governance("secrets", "plan")[1]
    assert "note: secrets that this project does not declare: 1\n" in out
    assert "of-others" not in out, "its name may be another project's matter"
    assert values("of-others") == {"key": "value"}


def test_a_secret_is_old_from_the_day_after_the_policys_on(
    given: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    governance("secrets", "apply")
    made = datetime.now(UTC)

    def plan_after(**later: int) -> tuple[int, str]:
        monkeypatch.setattr(keeping, "_now", lambda: made + timedelta(**later))
        return governance("secrets", "plan")[:2]

    code, out = plan_after(days=89)
    assert (code, "old " in out, "89 days old" in out or "88 days old" in out) == (0, False, True)
    code, out = plan_after(days=90, seconds=5)
    assert code == 0
    assert "old      slack (token): used by" in out
    assert "90 days old, and the policy allows 90: rotate it" in out
    given.write("governance.yaml", f"{WAREHOUSE}policy: {{every: {{secret_max_age_days: 30}}}}\n")
    assert "31 days old, and the policy allows 30" in plan_after(days=31, seconds=5)[1]


def test_a_value_grows_no_younger_by_another_key_of_its_secret(
    given: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client().create_secret("warehouse", {"password": "p"})
    long_ago = datetime.now(UTC) - timedelta(days=200, hours=1)
    with Client().zen_store.engine.begin() as database:
        database.execute(text(f"UPDATE secret SET created = '{long_ago:%F %T}.0', updated = '{long_ago:%F %T}.0'"))
    assert "extended warehouse (user)" in governance("secrets", "apply")[1]
    monkeypatch.setenv("SECRET_WAREHOUSE_USER", "another")
    governance("secrets", "rotate", "warehouse", "user")
    assert "old      warehouse (password): used by" in governance("secrets", "plan")[1]
    planned = {one["name"]: one for one in json.loads(governance("secrets", "plan", "--json")[1])["secrets"]}
    assert (planned["warehouse"]["age_days"], planned["warehouse"]["old_keys"]) == (200, ["password"])
    monkeypatch.setenv("SECRET_WAREHOUSE_PASSWORD", "new")
    governance("secrets", "rotate", "warehouse", "password")
    assert "old " not in governance("secrets", "plan")[1]
    assert given.root


def test_the_age_of_secrets_is_limited_by_a_policy_that_only_tightens(tmp_path: Path) -> None:
    assert effective("production", "minimal").secret_max_age_days == 90
    path = tmp_path / "governance.yaml"
    path.write_text("policy: {production: {secret_max_age_days: 91}}", encoding="utf-8")
    with pytest.raises(Refused, match="secret_max_age_days = 91 is laxer than 90"):
        effective("production", "minimal", load_governance_file(path))


def test_new_values_make_a_secret_young_again(given: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZenML moves the time of a secret with its values; nothing of ours records it."""
    keeping.apply(given.root, None)
    before = Client().get_secret("slack", private=False).updated
    monkeypatch.setenv("SECRET_SLACK_TOKEN", "another")
    keeping.rotate(given.root, "slack", [], None)
    assert Client().get_secret("slack", private=False).updated > before


def test_a_private_secret_is_not_taken_for_one_that_pipelines_see(given: Scratch, governance: Governance) -> None:
    Client().create_secret("slack", {"token": "mine"}, private=True)
    assert "yours of this name is private, and no pipeline of others sees it" in governance("secrets", "plan")[1]
    keeping.apply(given.root, None)
    assert values("slack") == {"token": f"SLACK_TOKEN {CANARY}"}
    assert Client().get_secret("slack", private=True).secret_values == {"token": "mine"}


def test_a_project_without_secrets_has_nothing_to_do(
    team: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(render())
    monkeypatch.setattr(keeping, "current_actor", lambda _: None)
    assert governance("secrets", "plan")[:2] == (0, "no secret is declared\n")
    assert governance("secrets", "apply")[:2] == (0, "no secret is declared\n")
    assert team.root


# apply


def test_apply_makes_what_is_missing_from_variables_and_says_what(given: Scratch, governance: Governance) -> None:
    before = len(events(given))
    code, out, _ = governance("secrets", "apply")
    assert (code, out) == (0, "created slack (token)\ncreated warehouse (user, password)\n")
    assert values("warehouse") == {"user": f"WAREHOUSE_USER {CANARY}", "password": f"WAREHOUSE_PASSWORD {CANARY}"}
    assert not any(secret.private for secret in Client().list_secrets().items)
    slack, warehouse = events(given)[before:]
    assert slack.items() >= {"name": "slack", "action": "created", "keys": ["token"]}.items()
    assert warehouse["actor"]["id"] == "ada@example.com"
    newest = next(iter(journal_of(given.project.project_slug).newest()))
    assert summary(newest).endswith("secret created warehouse (user, password) by ada@example.com (unverified)")
    assert warehouse["secret"] == str(Client().get_secret("warehouse").id)


def test_apply_takes_files_where_a_folder_is_named_and_no_variable(
    given: Scratch, governance: Governance, tmp_path: Path
) -> None:
    (tmp_path / "slack.token").write_text("from a file\n", encoding="utf-8")
    code, out, _ = governance("secrets", "apply", "--from", tmp_path)
    assert code == 3
    assert f"not touched warehouse: no value in {tmp_path}/warehouse.user and {tmp_path}/warehouse.password" in out
    assert values("slack") == {"token": "from a file"}
    assert names() == ["slack"]
    assert given.root


def test_apply_keeps_every_value_that_is_there_and_adds_the_missing_key(given: Scratch, governance: Governance) -> None:
    Client().create_secret("warehouse", {"user": "kept", "extra": "kept too"})
    Client().create_secret("slack", {"token": "kept"})
    code, out, _ = governance("secrets", "apply")
    found = "found slack (token)\nfound warehouse (user)\n"
    assert (code, out) == (0, f"{found}extended warehouse (password)\nkept slack\n")
    assert values("warehouse") == {"user": "kept", "extra": "kept too", "password": f"WAREHOUSE_PASSWORD {CANARY}"}
    assert values("slack") == {"token": "kept"}
    assert events(given)[-1].items() >= {"name": "warehouse", "action": "extended", "keys": ["password"]}.items()
    assert governance("secrets", "apply")[:2] == (0, "kept slack\nkept warehouse\n")


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_secret_is_made_with_all_its_keys_or_not_at_all(
    given: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    monkeypatch.setenv("SECRET_WAREHOUSE_PASSWORD", blank)
    before = len(events(given))
    code, out, _ = governance("secrets", "apply", "--json")
    assert code == 3
    assert json.loads(out) == {
        "done": [{"name": "slack", "action": "created", "keys": ["token"]}],
        "kept": [],
        "lacking": {"warehouse": ["SECRET_WAREHOUSE_PASSWORD"]},
    }
    assert (names(), len(events(given)) - before) == (["slack"], 1)


def test_a_file_that_cannot_be_read_stops_apply_before_anything_is_made(given: Scratch, tmp_path: Path) -> None:
    (tmp_path / "slack.token").write_text("a", encoding="utf-8")
    (tmp_path / "warehouse.user").mkdir()
    with pytest.raises(UsageError, match=r"warehouse\.user cannot be read: Is a directory"):
        keeping.apply(given.root, tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        keeping.apply(given.root, tmp_path / "misspelt")
    assert names() == []


def test_a_value_that_zenml_cannot_hold_stops_apply_before_anything_is_made(
    given: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_WAREHOUSE_PASSWORD", "x" * 70_000)
    with pytest.raises(UsageError, match=r"the values of warehouse have 7\d{4} bytes, and ZenML keeps 65536"):
        keeping.apply(given.root, None)
    assert names() == []


def test_what_is_stored_counts_for_what_zenml_can_hold(given: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    Client().create_secret("warehouse", {"user": "u" * 60_000, "password": "p"})
    monkeypatch.setenv("SECRET_WAREHOUSE_PASSWORD", "x" * 10_000)
    with pytest.raises(UsageError, match=r"the values of warehouse have 70012 bytes, and ZenML keeps 65536"):
        keeping.rotate(given.root, "warehouse", ["password"], None)
    Client().update_secret("warehouse", remove_values=["password"])
    with pytest.raises(UsageError, match=r"the values of warehouse have 70012 bytes, and ZenML keeps 65536"):
        keeping.apply(given.root, None)
    assert names() == ["warehouse"]


def test_a_change_that_no_event_holds_is_recorded_by_the_next_apply(
    given: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Chain, "record", interrupted)
        code, _, err = governance("secrets", "apply")
    assert (code, err.splitlines()[1:]) == (1, ["done before:", "created slack (token)"])
    assert err.startswith("error: interrupted; `governance secrets plan` shows what is there, and the next `apply` rec")
    before = len(events(given))
    out = governance("secrets", "apply")[1]
    assert out == "found slack (token)\ncreated warehouse (user, password)\nkept slack\n"
    found = events(given)[before]
    assert found.items() >= {"name": "slack", "action": "found", "keys": ["token"]}.items()
    assert found["secret"] == str(Client().get_secret("slack").id)
    monkeypatch.setenv("SECRET_SLACK_TOKEN", "another")
    with monkeypatch.context() as patch:
        patch.setattr(Chain, "record", interrupted)
        with pytest.raises(GovernanceError, match=r"done before:\nrotated slack \(token\)"):
            keeping.rotate(given.root, "slack", [], None)
    assert governance("secrets", "apply")[1] == "found slack ()\nkept slack\nkept warehouse\n"
    assert governance("secrets", "apply")[1] == "kept slack\nkept warehouse\n"


def test_what_is_done_before_the_first_training_is_in_the_log(given: Scratch, governance: Governance) -> None:
    governance("secrets", "apply")
    code, out, _ = governance("ledger", "log", "--limit", 1)
    assert (code, "secret created warehouse (user, password) by ada@example.com" in out) == (0, True)
    assert governance("ledger", "log", "--model", "nonesuch")[0] == 2
    assert given.root


def test_values_that_were_lost_where_the_server_keeps_them_are_written_anew(
    given: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.apply(given.root, None)
    with Client().zen_store.engine.begin() as database:
        database.execute(text("UPDATE secret SET \"values\" = NULL WHERE name = 'slack'"))
    assert [state.missing for state in keeping.plan(given.root).states] == [("token",), ()]
    monkeypatch.setenv("SECRET_SLACK_TOKEN", "anew")
    keeping.apply(given.root, None)
    assert values("slack") == {"token": "anew"}


# rotate


def test_rotate_replaces_all_values_and_says_who_has_to_be_told(
    given: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    governance("secrets", "apply")
    monkeypatch.setenv("SECRET_WAREHOUSE_USER", "u2")
    monkeypatch.setenv("SECRET_WAREHOUSE_PASSWORD", "p2")
    code, out, _ = governance("secrets", "rotate", "warehouse")
    assert (code, out) == (
        0,
        "rotated warehouse (user, password)\ntell: src/steps/data.py\ntell: the nightly export\n",
    )
    assert values("warehouse") == {"user": "u2", "password": "p2"}
    assert events(given)[-1].items() >= {"name": "warehouse", "action": "rotated", "keys": ["user", "password"]}.items()


def test_rotate_replaces_only_the_keys_that_are_named(given: Scratch, governance: Governance, tmp_path: Path) -> None:
    governance("secrets", "apply")
    (tmp_path / "warehouse.password").write_text("p2\n", encoding="utf-8")
    code, out, _ = governance("secrets", "rotate", "warehouse", "password", "--from", tmp_path, "--json")
    assert code == 0
    assert json.loads(out) == {
        "name": "warehouse",
        "action": "rotated",
        "keys": ["password"],
        "used_by": ["src/steps/data.py", "the nightly export"],
    }
    assert values("warehouse") == {"user": f"WAREHOUSE_USER {CANARY}", "password": "p2"}
    assert given.root


def test_rotate_refuses_the_value_that_is_there_and_one_that_is_not_given_and_replaces_nothing(
    given: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    governance("secrets", "apply")
    before, held = len(events(given)), values("warehouse")
    monkeypatch.setenv("SECRET_WAREHOUSE_PASSWORD", "new")
    code, _, err = governance("secrets", "rotate", "warehouse")
    assert (code, "same-value: warehouse.user has this value already" in err) == (3, True)
    monkeypatch.setenv("SECRET_WAREHOUSE_USER", " ")
    code, _, err = governance("secrets", "rotate", "warehouse")
    assert (code, "no-value: SECRET_WAREHOUSE_USER is not there or blank" in err) == (3, True)
    assert (values("warehouse"), len(events(given))) == (held, before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["misspelt"], "no secret of this name is declared; there are: slack, warehouse"),
        (["slack"], "there is no secret slack to rotate; `governance secrets apply` makes it"),
        (["warehouse", f"password={CANARY}"], "the keys of warehouse are: user, password"),
        (["warehouse", "password"], "warehouse has no password to rotate"),
    ],
)
def test_only_what_is_declared_and_there_is_rotated(
    given: Scratch, governance: Governance, arguments: list[str], said: str
) -> None:
    Client().create_secret("warehouse", {"user": "u"})
    code, _, err = governance("secrets", "rotate", *arguments)
    assert (code, said in err) == (2, True)
    assert_untold(err)
    assert given.root


# What goes wrong


def test_a_value_that_may_not_be_read_is_planned_and_not_rotated(
    given: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.apply(given.root, None)
    monkeypatch.setenv("SECRET_SLACK_TOKEN", "new")
    store_class = type(Client().zen_store)
    read = store_class.get_secret

    def without_values(*arguments: Any, **options: Any) -> Any:
        secret = read(*arguments, **options)
        secret.remove_secrets()  # as a server does for an account that may not read values
        return secret

    with monkeypatch.context() as patch:
        patch.setattr(store_class, "get_secret", without_values)
        assert keeping.plan(given.root).missing == ()
        with pytest.raises(UsageError, match="this account may not read token"):
            keeping.rotate(given.root, "slack", [], None)
    assert values("slack") == {"token": f"SLACK_TOKEN {CANARY}"}


@pytest.mark.parametrize(
    ("problem", "kind", "said"),
    [
        (IllegalOperationError(f"Insufficient permissions {CANARY}"), UsageError, "this account has no right to"),
        (SecretsStoreNotConfiguredError(CANARY), UsageError, "the ZenML server keeps no secrets"),
        (RuntimeError(CANARY), GovernanceError, r"\(RuntimeError\); what ZenML said is not shown"),
    ],
)
def test_what_zenml_does_not_do_is_one_message_without_what_it_said(
    given: Scratch, monkeypatch: pytest.MonkeyPatch, problem: Exception, kind: type[Exception], said: str
) -> None:
    keeping.apply(given.root, None)

    def failing(*_: Any, **__: Any) -> None:
        raise problem

    for call in ("list_secrets", "get_secret", "update_secret", "create_secret"):
        verb = partial(keeping.apply, given.root, None)
        if call == "update_secret":
            monkeypatch.setenv("SECRET_SLACK_TOKEN", f"new {CANARY}")
            verb = partial(keeping.rotate, given.root, "slack", [], None)
        if call == "create_secret":
            Client().delete_secret("slack")
        with monkeypatch.context() as patch:
            patch.setattr(type(Client().zen_store), call, failing)
            with pytest.raises(kind, match=said) as error:
                verb()
        assert type(error.value) is kind
        assert_untold("".join(traceback.format_exception(error.value)))


def test_a_secret_that_somebody_makes_meanwhile_is_a_conflict_and_what_was_done_is_said(
    given: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_class = type(Client().zen_store)
    create = store_class.create_secret

    def late(self: Any, secret: Any) -> Any:
        if secret.name == "warehouse":
            raise EntityExistsError("Found an existing public secret")
        return create(self, secret)

    monkeypatch.setattr(store_class, "create_secret", late)
    with pytest.raises(Conflict, match=r"(?s)somebody made it first.*done before:.*created slack \(token\)"):
        keeping.apply(given.root, None)


def test_a_change_that_the_journal_does_not_hold_is_said(given: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Chain, "record", full)
    with pytest.raises(
        GovernanceError, match=r"(?s)the journal does not hold the last change: OSError: disk full.*slack"
    ):
        keeping.apply(given.root, None)
    assert names() == ["slack"]


def test_no_value_is_told_by_a_verb_that_does_its_work(
    given: Scratch,
    governance: Governance,
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    start = subprocess.Popen.__init__

    def seen(self: Any, command: Any, *arguments: Any, **options: Any) -> None:
        started.append(str(command))
        start(self, command, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", seen)
    monkeypatch.delenv("GOVERNANCE_ACTOR")  # so that git is asked
    given.git("config", "user.email", "ada@example.com")
    told = [*governance("--debug", "secrets", "apply"), *governance("secrets", "plan", "--json")]
    monkeypatch.setenv("SECRET_SLACK_TOKEN", f"new {CANARY}")
    told += governance("secrets", "rotate", "slack", "--json")
    assert values("slack") == {"token": f"new {CANARY}"}
    assert any("git" in command for command in started)
    records = [record for _, record in journal_of(given.project.project_slug).records()]
    assert len(records) >= 3
    assert_untold(*map(str, told), *records, *started, logged.text)


@pytest.mark.parametrize("verb", [["apply"], ["rotate", "slack"]])
def test_no_value_is_told_where_the_database_refuses_the_statement_that_holds_it(
    given: Scratch, governance: Governance, logged: pytest.LogCaptureFixture, verb: list[str]
) -> None:
    """ZenML logs the error of its database, which quotes the statement with its parameters."""
    if verb[0] == "rotate":
        Client().create_secret("slack", {"token": "old"})
    before = names(), len(events(given))
    with refusing_database():
        code, out, err = governance("secrets", *verb, "--json")
        assert (code, "what ZenML said is not shown" in err) == (1, True)
        traced = governance("--debug", "secrets", *verb)[2]
    assert traced.startswith("Traceback (most recent call last):\n")
    assert traced.count("Traceback") == 1, "an error of ZenML's that caused it would be quoted"
    assert_untold(out, err, logged.text, traced)
    assert (names(), len(events(given))) == before


def test_a_traceback_shows_no_local_variable_where_zenml_logs_on_debug(given: Scratch, tmp_path: Path) -> None:
    """ZenML's hook for what nobody catches prints them then, and the variables of the process are among them."""
    (tmp_path / "slack.token").mkdir()
    verb = ["--debug", "secrets", "apply", "--from", str(tmp_path)]
    command = [sys.executable, "-c", "from governance_core.cli.app import main; main()", *verb]
    verbose = os.environ | {"ZENML_LOGGING_VERBOSITY": "DEBUG"}
    ended = subprocess.run(command, cwd=given.root, env=verbose, capture_output=True, text=True, check=False)
    assert (ended.returncode, "slack.token cannot be read: Is a directory" in ended.stderr) == (2, True), ended.stderr
    assert "Traceback (most recent call last):" in ended.stderr
    assert_untold(ended.stdout, ended.stderr)
