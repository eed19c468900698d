"""A rendered repository: its answers, its git state, and whether its governed files are those of the template.

Pure: nothing here imports ZenML, so it answers in milliseconds and on any machine.
"""

from governance_core.project.answers import ANSWERS_FILE, PROJECT_FILE, Project, find_root, load_project
from governance_core.project.files import FILES, FileClass, file_class
from governance_core.project.governed import (
    Finding,
    TemplateState,
    governed_digest,
    governed_findings,
    template_state,
)
from governance_core.project.rendering import RenderedFile, render_governed
from governance_core.project.repository import (
    RepositoryState,
    files_below,
    git_email,
    in_history,
    is_on_branch,
    lock_digest,
    overtaken_on,
    remote_url,
    repository_state,
    worktree,
)

__all__ = [
    "ANSWERS_FILE",
    "FILES",
    "PROJECT_FILE",
    "FileClass",
    "Finding",
    "Project",
    "RenderedFile",
    "RepositoryState",
    "TemplateState",
    "file_class",
    "files_below",
    "find_root",
    "git_email",
    "governed_digest",
    "governed_findings",
    "in_history",
    "is_on_branch",
    "load_project",
    "lock_digest",
    "overtaken_on",
    "remote_url",
    "render_governed",
    "repository_state",
    "template_state",
    "worktree",
]
