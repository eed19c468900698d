"""Chains of events in a real ZenML store."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from click.testing import CliRunner
from zenml.cli.artifact import prune_artifacts
from zenml.client import Client
from zenml.enums import StoreType

from governance_core.core import Conflict, GovernanceError, UsageError
from governance_core.ledger import verify
from governance_core.registry.actors import Actor, current_actor
from governance_core.registry.chains import Chain, find_model_id

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def chain() -> Chain:
    return Chain(f"chain-{uuid4().hex[:8]}.journal")


def test_a_chain_that_nobody_wrote_is_empty_and_reading_it_creates_nothing(chain: Chain) -> None:
    assert chain.head() is None
    assert list(chain.events()) == list(chain.newest()) == []
    assert find_model_id(chain.name) is None


def test_events_read_back_in_both_orders(chain: Chain) -> None:
    written = [chain.record("note", {"n": n}) for n in range(5)]
    fresh = Chain(chain.name)
    assert fresh.head() == written[-1]
    assert list(fresh.events()) == written
    assert list(fresh.events(after_seq=3)) == written[3:]
    assert list(fresh.newest()) == written[::-1]
    assert list(verify(chain.name, fresh.records())) == []
    assert written[0].stored is not None


def test_reading_goes_over_many_pages(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance_core.registry.chains.PAGE", 2)
    written = [chain.record("note", {}) for _ in range(5)]
    assert list(chain.events()) == written
    assert list(chain.newest()) == written[::-1]


def test_of_two_writers_that_read_one_head_only_one_appends(chain: Chain) -> None:
    head = chain.record("note", {})
    winner = chain.append("note", {"by": "first"}, head)
    with pytest.raises(Conflict, match="event 2 first"):
        Chain(chain.name).append("note", {"by": "second"}, head)
    assert list(chain.events()) == [head, winner]


def test_a_record_gets_in_whoever_else_writes(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Chain(chain.name)
    read_head, reads = chain.head, itertools.count()

    def head_and_then_another_writes():
        head = read_head()
        if next(reads) < 3:
            other.record("note", {"by": "other"})
        return head

    monkeypatch.setattr(chain, "head", head_and_then_another_writes)
    assert chain.record("note", {"by": "us"}).seq == 4
    assert list(verify(chain.name, chain.records())) == []


def test_a_chain_is_found_by_its_whole_name_only(chain: Chain) -> None:
    chain.record("note", {})
    assert Chain(chain.name[:-3]).head() is None


@pytest.mark.parametrize("text", ["x" * 65_535, "ü" * 32_768])
def test_an_event_of_more_bytes_than_every_database_holds_is_refused_and_not_written(chain: Chain, text: str) -> None:
    with pytest.raises(UsageError, match="at most 65535 fit; nothing was changed"):
        chain.record("note", {"text": text})
    assert chain.head() is None


def test_a_head_that_is_not_intact_is_not_built_upon(chain: Chain) -> None:
    chain.record("note", {})
    newest = Client().get_model_version(chain.name, "e000001")
    Client().update_model_version(chain.name, newest.id, description="{}")
    with pytest.raises(GovernanceError, match="ledger verify"):
        chain.record("note", {})


def test_pruning_artifacts_takes_no_event(chain: Chain) -> None:
    chain.record("note", {})
    assert CliRunner().invoke(prune_artifacts, ["--yes"]).exit_code == 0
    assert len(list(chain.events())) == 1


class TestActor:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("GOVERNANCE_ACTOR", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def test_on_a_local_store_the_variable_names_the_actor_unverified(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("GOVERNANCE_ACTOR", "ada@example.org")
        actor = current_actor(tmp_path)
        assert str(actor) == "ada@example.org (unverified)"
        assert actor.is_same(Actor.from_dict(actor.as_dict() | {"id": "Ada@Example.org"}))

    def test_else_git_does(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = tmp_path / "gitconfig"
        config.write_text("[user]\n\temail = git@example.org\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        assert current_actor(tmp_path).as_dict() == {
            "id": "git@example.org",
            "verified": False,
            "via": "git",
            "service_account": None,
            "ci_run": None,
            "aliases": [],
        }

    def test_in_ci_the_person_who_started_the_job_acts(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_ACTOR", "ada")
        monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "ada")
        monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example.com")
        monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tumours")
        monkeypatch.setenv("GITHUB_RUN_ID", "7")
        run = "https://github.example.com/acme/tumours/actions/runs/7"
        assert str(current_actor(tmp_path)) == f"ada (unverified) in {run}"
        assert Actor.from_dict(current_actor(tmp_path).as_dict()).ci_run == run
        assert current_actor(tmp_path).aliases == ()

        monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "bob")  # pressed "re-run"
        again = current_actor(tmp_path)
        assert again.id == "ada"
        for login, may_approve in (("Ada", False), ("Bob", False), ("grace", True)):
            assert again.is_same(Actor(login, verified=False, via="github review")) != may_approve

    def test_on_a_server_the_authenticated_user_acts_whatever_the_environment_says(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("GOVERNANCE_ACTOR", "boss@example.org")
        on_server(monkeypatch, name="ada", email="ada@example.org", is_service_account=False)
        assert str(current_actor(tmp_path)) == "ada@example.org"

    def test_on_a_server_in_ci_the_person_stands_beside_the_service_account(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("GITLAB_CI", "true")
        monkeypatch.setenv("GITLAB_USER_EMAIL", "ada@example.org")
        monkeypatch.setenv("GITLAB_USER_LOGIN", "ada")  # the name that GitLab's approvals have too
        on_server(monkeypatch, name="ci", email=None, is_service_account=True)
        in_ci = current_actor(tmp_path)
        assert str(in_ci) == "ada through ci (unverified)"

        monkeypatch.delenv("GITLAB_CI")
        on_server(monkeypatch, name="someone", email="Ada@example.org", is_service_account=False)
        assert current_actor(tmp_path).is_same(Actor.from_dict(in_ci.as_dict()))  # by the address
        on_server(monkeypatch, name="ADA", email="a.l@example.org", is_service_account=False)
        assert current_actor(tmp_path).is_same(Actor.from_dict(in_ci.as_dict()))  # by the login
        on_server(monkeypatch, name="grace", email="grace@example.org", is_service_account=False)
        assert not current_actor(tmp_path).is_same(Actor.from_dict(in_ci.as_dict()))

    def test_nobody_is_a_wrong_use(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="GOVERNANCE_ACTOR"):
            current_actor(tmp_path)


def on_server(monkeypatch: pytest.MonkeyPatch, **user: object) -> None:
    """Let this process see a ZenML server's user; what is tested is only who of the people named is chosen."""

    client = SimpleNamespace(zen_store=SimpleNamespace(type=StoreType.REST), active_user=SimpleNamespace(**user))
    monkeypatch.setattr("governance_core.registry.actors.Client", lambda: client)
