"""What must never stand in the Terraform code, and what must: rules that no linter of the field has all of.

Each rule takes a folder of Terraform's, a root or a module, and yields what it finds there in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

Body = dict[str, Any]
PLAIN = SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
PINS = {"google": "6.50.0", "aws": "6.25.0", "azurerm": "4.55.0", "zenml": "3.0.6"}

CREDENTIAL = re.compile(
    r"(^|_)(password|passphrase|token|secret|credentials?|(api|access|account|private|secret|ssh)_key|client_secret)$"
)
CREDENTIAL_TYPE = re.compile(
    r"_(access_key|account_key|iam_user|login_profile|password|token|secret_version|key_vault_secret|ssh_key|hmac_key|"
    r"apikeys_key|private_key|service_specific_credential|sas)$|^zenml_secret$|^aws_iam_user|^azuread_.*_certificate$"
    r"|^(aws_eks_cluster_auth|azurerm_kubernetes_cluster|google_client_config)$"  # have one among what they put out
)
REFERENCE = re.compile(r"\{\{[\w.-]+\}\}")  # to a ZenML secret
PRIMITIVE = re.compile(
    r'"(roles/(owner|editor|viewer|[\w.]*[aA]dmin)|'
    r"Owner|Contributor|(User Access|Role Based Access Control) Administrator|"
    r'[\w:/.-]*policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess))"|\brole_definition_id\b'
)
SHARED = re.compile(r"google_(project|folder|organization)_iam_(binding|member|policy)")
EVERYTHING = re.compile(r'"(\*|[a-z0-9-]+:[\w*?]*[*?][\w*?]*|arn:[^"]*:[*?/]+)"')
EVERYBODY = re.compile(
    r'\b(allUsers|allAuthenticatedUsers|public-read)\b|Principal\s*=\s*(\{\s*\w+\s*=\s*)?(\[[^]]*)?"\*"'
)
SECRET_ATTRIBUTE = re.compile(r"\.\w*(password|private_key|access_key|connection_string|secret_string|secret_data)\b")
LABELS = {"cost_center", "environment", "managed_by", "owner"}
# What holds data, the keys to it, who used it, or a name that nobody could take for a while. The containers of secrets
# are left out: they go with the answer that asked for them, and whoever gave a value has it or gives another.
STORAGE = {
    "aws_ecr_repository",
    "aws_kms_key",
    "aws_s3_bucket",
    "azurerm_container_registry",
    "azurerm_key_vault",
    "azurerm_key_vault_key",
    "azurerm_log_analytics_workspace",
    "azurerm_machine_learning_workspace",
    "azurerm_storage_account",
    "azurerm_storage_container",
    "google_artifact_registry_repository",
    "google_iam_workload_identity_pool",
    "google_kms_crypto_key",
    "google_storage_bucket",
}
PRIVATE: dict[str, Body] = {
    "azurerm_container_registry": {"admin_enabled": False, "anonymous_pull_enabled": False},
    "azurerm_storage_account": {"allow_nested_items_to_be_public": False},
    "azurerm_storage_container": {"container_access_type": "private"},
    "google_storage_bucket": {"public_access_prevention": "enforced", "uniform_bucket_level_access": True},
    "aws_s3_bucket_public_access_block": dict.fromkeys(
        ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
    ),
}


@cache
def _parsed(text: str) -> Body:
    found: Body = hcl2.loads(text, serialization_options=PLAIN)
    return found


class Folder:
    """A folder of Terraform's: a root, or a module where its parent is called so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts = {file: file.read_text(encoding="utf-8") for file in sorted(path.glob("*.tf"))}
        self.text = "\n".join(self.texts.values())

    @property
    def is_module(self) -> bool:
        """Whether another folder calls it."""
        return self.path.parent.name == "modules"

    def blocks(self, kind: str) -> Iterator[tuple[str, Body]]:
        """Yield the blocks of a kind at the top of the files, each with its labels."""
        for text in self.texts.values():
            for block in _parsed(text).get(kind, ()):
                yield from _labelled(block, {"resource": 2, "data": 2, "terraform": 0, "locals": 0}.get(kind, 1))


def _labelled(block: Body, labels: int, name: str = "") -> Iterator[tuple[str, Body]]:
    if labels == 0:
        yield name, block
        return
    for label, inner in block.items():
        yield from _labelled(inner, labels - 1, f"{name}.{label}".lstrip("."))


def _settings(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield every argument in a body, those of its blocks and objects too."""
    for name, value in body.items() if isinstance(body, dict) else ():
        yield name, value
        yield from _settings(value)
    for inner in body if isinstance(body, list) else ():
        yield from _settings(inner)


def credentials(folder: Folder) -> Iterator[str]:
    """No key, password or token is made, taken or written down."""
    for kind in ("resource", "data"):
        for name, _ in folder.blocks(kind):
            if CREDENTIAL_TYPE.search(name.partition(".")[0]):
                yield f"{name} is a credential"
    for name, _ in folder.blocks("variable"):
        if CREDENTIAL.search(name):
            yield f"var.{name} takes a credential"
    for kind in ("resource", "module", "provider", "locals"):
        for name, body in folder.blocks(kind):
            for key, value in _settings(body):
                if CREDENTIAL.search(key) and isinstance(value, str) and not REFERENCE.fullmatch(value):
                    yield f"{name}: {key} is a credential"


def private(folder: Folder) -> Iterator[str]:
    """Nothing is public, and what can be made public is told not to be."""
    yield from (f"for everybody: {line}" for line, _ in _statements(folder, EVERYBODY))
    buckets = blocked = 0
    for name, body in folder.blocks("resource"):
        type_ = name.partition(".")[0]
        buckets += type_ == "aws_s3_bucket"
        blocked += type_ == "aws_s3_bucket_public_access_block"
        for key, value in PRIVATE.get(type_, {}).items():
            if body.get(key) != value:
                yield f"{name}: {key} is not {value}"
    if blocked < buckets:
        yield "an aws_s3_bucket has no aws_s3_bucket_public_access_block"


def least_privilege(folder: Folder) -> Iterator[str]:
    """No role that may do everything; where there is no choice but a wildcard, a comment on it or above says why."""
    for found in PRIMITIVE.finditer(folder.text):
        yield f"a primitive role: {found[0]}"
    for name, body in folder.blocks("resource"):
        if SHARED.match(name) and str(body.get("role")).startswith("roles/iam."):
            yield f"{name}: a role on every service account"
    for line, above in _statements(folder, EVERYTHING):
        if "#" not in line and not above.startswith("#"):
            yield f"a wildcard without a reason: {line}"


def _statements(folder: Folder, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with a pattern and the one above it, but for what is denied by the innermost braces around it."""
    for text in folder.texts.values():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if pattern.search(line.partition("#")[0]):
                around = [n for n in range(number) if lines[n].endswith("{") and _indent(lines[n]) < _indent(line)]
                first = max(around, default=0)
                inside = takewhile(lambda it: not it.strip() or _indent(it) > _indent(lines[first]), lines[first + 1 :])  # noqa: B023
                statement = "\n".join(inside)
                if not re.search(r'Effect\s*=\s*"Deny"', statement):
                    yield line.strip(), lines[number - 1].strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def kept(folder: Folder) -> Iterator[str]:
    """Nothing that holds data can be destroyed by an apply."""
    for name, body in folder.blocks("resource"):
        lifecycle = body.get("lifecycle", [{}])
        if name.partition(".")[0] in STORAGE and lifecycle[0].get("prevent_destroy") is not True:
            yield f"{name} lacks prevent_destroy"
        for key, value in _settings(body):
            if re.fullmatch(r"force_(destroy|delete)|skip_final_snapshot", key) and value is not False:
                yield f"{name}: {key}"


def described(folder: Folder) -> Iterator[str]:
    """Every variable has a type and a description, every output a description."""
    for name, body in folder.blocks("variable"):
        yield from (f"var.{name} lacks {key}" for key in ("type", "description") if not body.get(key))
    for name, body in folder.blocks("output"):
        if not body.get("description"):
            yield f"output {name} lacks description"


def open_outputs(folder: Folder) -> Iterator[str]:
    """No output holds a secret."""
    sensitive = {name for name, body in folder.blocks("variable") if body.get("sensitive")}
    for name, body in folder.blocks("output"):
        used = set(re.findall(r"\bvar\.(\w+)", str(body["value"])))
        if body.get("sensitive") or used & sensitive or SECRET_ATTRIBUTE.search(str(body["value"])):
            yield f"output {name} holds a secret"


def pinned(folder: Folder) -> Iterator[str]:
    """Terraform is 1.11 or newer; a root pins each provider, a module says from where to where it fits."""
    settings: Body = {}
    for _, body in folder.blocks("terraform"):
        settings |= body
    if settings.get("required_version") != ">= 1.11":
        yield "required_version is not >= 1.11"
    for providers in settings.get("required_providers", ()):
        for name, provider in providers.items():
            pin = PINS.get(name)
            following = f"{int(pin.partition('.')[0]) + 1}.0.0" if pin else ""
            wanted = f">= {pin}, < {following}" if folder.is_module else pin
            if provider.get("version") != wanted:
                yield f"the version of {name} is {provider.get('version')}, not {wanted}"
    used = {name.partition("_")[0] for kind in ("resource", "data") for name, _ in folder.blocks(kind)}
    listed = {name for providers in settings.get("required_providers", ()) for name in providers}
    yield from (f"required_providers lacks {name}" for name in sorted(used - listed - {"terraform"}))


def rooted(folder: Folder) -> Iterator[str]:
    """A root has a backend whose place is given by hand, a module neither backend nor provider."""
    backends = [backend for _, body in folder.blocks("terraform") for backend in body.get("backend", ())]
    if folder.is_module and (backends or any(folder.blocks("provider"))):
        yield "a module configures a backend or a provider"
    if not folder.is_module and not backends:
        yield "no backend"


def tagged(folder: Folder) -> Iterator[str]:
    """A root that uses AWS tags by its provider whatever takes tags."""
    local = {name: value for _, body in folder.blocks("locals") for name, value in body.items()}
    for name, body in folder.blocks("provider"):
        tags = body.get("default_tags", [{}])[0].get("tags", {})
        tags = local.get(tags[len("${local.") : -1], {}) if isinstance(tags, str) else tags
        if name == "aws" and not tags.keys() >= LABELS:
            yield f"default_tags of AWS lack {', '.join(sorted(LABELS - tags.keys()))}"


def used(folder: Folder) -> Iterator[str]:
    """What is declared is used."""
    for name, _ in folder.blocks("variable"):
        own = re.compile(rf'^variable "{name}" \{{\n.*?^\}}', re.MULTILINE | re.DOTALL)
        if not re.search(rf"\bvar\.{name}\b", own.sub("", folder.text)):
            yield f"var.{name} is not used"
    for _, body in folder.blocks("locals"):
        yield from (f"local.{name} is not used" for name in body if not re.search(rf"\blocal\.{name}\b", folder.text))
    for name, _ in folder.blocks("data"):
        if f"data.{name}" not in folder.text:
            yield f"data.{name} is not used"


def unused_outputs(folder: Folder) -> Iterator[str]:
    """Yield the outputs of a module that neither a caller refers to nor a test, which may run it alone."""
    if not folder.is_module:
        return
    code = {path: path.read_text(encoding="utf-8") for path in folder.path.parent.parent.rglob("*.tf*")}
    called = re.compile(rf'^module "(\w+)" \{{\n\s*source\s*=\s*"[./\w]*/{folder.path.name}"', re.MULTILINE)
    names = [f"module.{name}" for text in code.values() for name in called.findall(text)]
    tests = "\n".join(text for path, text in code.items() if path.suffix == ".hcl")
    for output, _ in folder.blocks("output"):
        used = any(f"{name}.{output}" in text for name in names for text in code.values())
        if not used and f"output.{output}" not in tests:
            yield output


RULES = (credentials, private, least_privilege, kept, described, open_outputs, pinned, rooted, tagged, used)


def folders(code: Path) -> list[Folder]:
    """Return the folders with Terraform code below one."""
    return [Folder(path) for path in sorted({file.parent for file in code.rglob("*.tf")})]


def violations(code: Path) -> list[str]:
    """Return what the rules find below a folder."""
    return [
        f"{folder.path.relative_to(code)}: {rule.__name__}: {what}"
        for folder in folders(code)
        for rule in RULES
        for what in rule(folder)
    ]
