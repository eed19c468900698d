"""The ``governance`` command and how it ends: one message, one exit code."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from contextlib import nullcontext
from importlib import import_module

import typer

from governance_core.cli.output import answers_only, fail

app = typer.Typer(
    name="governance",
    help="Govern a machine learning repository: check, promote, roll back, approve, prove.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


WITHOUT_ZENML = frozenset({"access", "check", "ci", "drift", "policy", "quality"})


@app.callback()
def governance(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show a traceback with an error."),
) -> None:
    """Take the options that every verb shares, and work in the ZenML project that ZENML_PROJECT names."""
    del debug  # read by main(), which must also see it when a verb fails while its arguments are parsed
    if os.environ.get("ZENML_PROJECT") and context.invoked_subcommand not in WITHOUT_ZENML and "--help" not in sys.argv:
        from governance_core.registry.connection import use_named_project

        use_named_project()


# The modules beside this one; importing one registers its verbs on `app`.
VERBS: tuple[str, ...] = (
    "access",
    "check",
    "ci",
    "drift",
    "image",
    "ledger",
    "lifecycle",
    "model",
    "policy",
    "quality",
    "report",
    "retention",
    "runs",
    "secrets",
    "snapshot",
    "stack",
)


def main() -> None:
    """Run the command line; an error becomes one message and its exit code."""
    # A verb lives for seconds and mostly imports: looking for garbage among ZenML's modules would cost it a fifth.
    gc.set_threshold(500_000)
    for verbs in VERBS:
        import_module(f"governance_core.cli.{verbs}")
    as_json = "--json" in sys.argv
    with answers_only() if as_json else nullcontext():
        try:
            app()
        except Exception as error:
            if "--debug" in sys.argv:
                # Raised, it would meet the hook that ZenML installs to log on DEBUG: local variables, values and all.
                traceback.print_exception(error)
            sys.exit(fail(_explained(error), as_json))


def _explained(error: Exception) -> Exception:
    if "zenml" not in sys.modules:
        return error
    from governance_core.registry.connection import explained

    return explained(error) or error
