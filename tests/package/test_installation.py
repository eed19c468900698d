"""The tests run what users install."""

from pathlib import Path

from governance_core.core import installation, template_root


def test_the_installed_package_is_an_intact_wheel() -> None:
    assert installation().kind == "wheel", installation().problems


def test_the_wheel_carries_the_template() -> None:
    assert (template_root() / "copier.yml").is_file()


def test_a_store_works(store: Path) -> None:
    from zenml.client import Client

    assert Client().active_stack_model.name == "default"
    assert str(store) in Client().zen_store.url
