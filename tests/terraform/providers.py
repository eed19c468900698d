"""Providers for Terraform that have a schema and nothing else: what they are asked to validate holds.

Terraform finds by itself what the schema refuses, with file and line; in `terraform test`, `mock_provider` makes up
what a cloud would answer. So nothing is planned, created or read here, and every answer but the schema is empty.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessages
from terraform.schemas import Schema

# The answer to GetProviderSchema in version 6 of Terraform's plugin protocol: number and type of each field.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
        "sensitive": (7, "bool"),
    },
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "int32"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Block": {"attributes": (2, "Attribute*"), "block_types": (3, "NestedBlock*")},
    "Schema": {"block": (2, "Block")},
    "Named": {"key": (1, "string"), "value": (2, "Schema")},
    "Answer": {"provider": (1, "Schema"), "resource_schemas": (2, "Named*"), "data_source_schemas": (3, "Named*")},
}
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}


def _message_classes() -> dict[str, type[Message]]:
    file = FileDescriptorProto(name="provider.proto", syntax="proto3")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            field = described.field.add(name=name, number=number)
            field.label = FieldDescriptorProto.Label.Value("LABEL_REPEATED" if kind[-1] == "*" else "LABEL_OPTIONAL")
            if (type_name := kind.rstrip("*")) in MESSAGES:
                field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{type_name}"
            else:
                field.type = FieldDescriptorProto.Type.Value(f"TYPE_{type_name.upper()}")
    return GetMessages([file])


NEW = _message_classes()


def _block(block: Schema) -> Message:
    attributes = [
        NEW["Attribute"](**{**attribute, "name": name, "type": json.dumps(attribute["type"]).encode()})
        for name, attribute in block.get("attributes", {}).items()
    ]
    nested = [
        NEW["NestedBlock"](
            type_name=name,
            block=_block(it["block"]),
            nesting=NESTING[it["nesting_mode"]],
            min_items=it.get("min_items", 0),
            max_items=it.get("max_items", 0),
        )
        for name, it in block.get("block_types", {}).items()
    ]
    return NEW["Block"](attributes=attributes, block_types=nested)


def _answer(schema: Mapping[str, Any]) -> bytes:
    def named(kind: str) -> list[Message]:
        return [
            NEW["Named"](key=name, value=NEW["Schema"](block=_block(block))) for name, block in schema[kind].items()
        ]

    answer = NEW["Answer"](
        provider={"block": _block(schema["provider"])},
        resource_schemas=named("resources"),
        data_source_schemas=named("data_sources"),
    )
    return answer.SerializeToString()


class _Provider(grpc.GenericRpcHandler):
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = _answer(schema)

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if not call.method.startswith("/tfplugin6.Provider/"):
            return None
        answer = self._schema if call.method.endswith("/GetProviderSchema") else b""
        return grpc.unary_unary_rpc_method_handler(lambda *_: answer)


@contextmanager
def serving(schemas: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Serve the schemas, each by its provider's source address, and yield the variable with which Terraform finds them.

    The servers live in this process until the block ends; ``Test`` tells Terraform that stopping them is not its task.
    """
    servers, reattach = [], {}
    for address, schema in schemas.items():
        server = grpc.server(ThreadPoolExecutor(4), handlers=[_Provider(schema)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        reattach[address] = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
        }
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps(reattach)}
    finally:
        for server in servers:
            server.stop(None).wait()
