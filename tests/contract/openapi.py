"""Judge an HTTP exchange by an official OpenAPI file (3.0 or 3.1; YAML or JSON).

    api = load(path_to_an_official_file)
    findings = validate(api, "GET", "/stores/abc/v3/customers", {"limit": "250"}, None, 200, body)

`findings` is empty when the exchange is what the file says. Each finding starts with where it was found:
`path`, `query`, `request` or `response`. The official files are wrong in known ways, so by default

* null is accepted wherever the file states a type (nullability is under-declared);
* `oneOf` is read as `anyOf` (their alternatives overlap);
* formats, which are annotations, are not checked;

and what they do *not* say is checked, because their answers seldom declare anything required: with
`closed=True` a response property that the file does not know is a finding, which catches a misspelt name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from jsonschema.exceptions import ValidationError

METHODS = ("get", "put", "post", "delete", "patch", "options", "head")
ROOT = "urn:openapi"


class _PlainLoader(yaml.CSafeLoader):
    """YAML as JSON has it: dates stay strings."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Operation:
    """One method of one path: its template, parameters and bodies, references resolved one level."""

    method: str
    template: str
    pattern: re.Pattern[str]
    parameters: tuple[dict[str, Any], ...]
    request: dict[str, Any]
    responses: dict[str, Any]


@dataclass
class Api:
    """A loaded official file."""

    name: str
    document: dict[str, Any]
    operations: list[Operation]
    registries: dict[tuple[bool, bool], Registry[Any]] = field(default_factory=dict)

    def registry(self, *, nulls: bool, closed: bool) -> Registry[Any]:
        """The document as a schema resource, its component schemas relaxed the way the flags say."""
        if (nulls, closed) not in self.registries:
            document = {
                key: {name: _relax(s, nulls=nulls, closed=closed, root=False) for name, s in group.items()}
                if key in {"schemas", "definitions"}
                else group
                for key, group in self.document.get("components", self.document).items()
            }
            body = {**self.document, "components": document} if "components" in self.document else document
            resource = DRAFT202012.create_resource(body)
            self.registries[nulls, closed] = Registry().with_resource(ROOT, resource)
        return self.registries[nulls, closed]

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation of a request; of several fitting templates the one with the most literal text."""
        fits = [o for o in self.operations if o.method == method.lower() and o.pattern.fullmatch(path)]
        return max(fits, key=lambda o: len(re.sub(r"\{[^}]*\}", "", o.template)), default=None)


@lru_cache(maxsize=64)
def load(path: Path, *, extras: bool = True) -> Api:
    """Read one official file. `extras` False: objects that let any further property pass no longer do."""
    text = path.read_text(encoding="utf-8")
    document = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=_PlainLoader)  # noqa: S506
    if not extras:
        document = _without_extras(document)
    bases = [urlsplit(s.get("url", "")).path.rstrip("/") for s in document.get("servers", [])]
    bases = bases or [document.get("basePath", "").rstrip("/")]
    return Api(path.name, document, list(_operations(document, bases)))


def validate(
    api: Api,
    method: str,
    path: str,
    query: Mapping[str, str] | Iterable[tuple[str, str]] | str | None,
    request: Any,
    status: int,
    response: Any,
    *,
    nulls: bool = True,
    closed: bool = True,
    closed_request: bool = False,
) -> list[str]:
    """Everything in an exchange that the official file does not allow; bodies are parsed JSON or None.

    `closed_request`: a property of the request that the file does not know is a finding, too.
    """
    operation = api.operation(method, path)
    if operation is None:
        return [f"path: {method.upper()} {path} is not in {api.name}"]
    findings = [f"query: {message}" for message in _check_query(api, operation, query)]
    body = _schema_of(api, operation.request)
    if request is not None and body is not None:
        findings += [f"request: {m}" for m in _check(api, body, request, nulls=False, closed=closed_request)]
    declared = operation.responses.get(str(status)) or operation.responses.get("default")
    if declared is None:
        undeclared = f"response: status {status} is not declared for {method.upper()} {operation.template}"
        return [*findings, undeclared]
    schema = _schema_of(api, declared)
    if schema is not None and response is not None:
        findings += [f"response: {m}" for m in _check(api, schema, response, nulls=nulls, closed=closed)]
    return findings


def _without_extras(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_extras(item) for item in node]
    if not isinstance(node, dict):
        return node
    lenient = "properties" in node and node.get("additionalProperties") is True
    return {k: _without_extras(v) for k, v in node.items() if not (lenient and k == "additionalProperties")}


def _operations(document: dict[str, Any], bases: list[str]) -> Iterator[Operation]:
    for template, item in document.get("paths", {}).items():
        shared = [_resolve(document, p) for p in item.get("parameters", [])]
        for method in METHODS:
            if method not in item:
                continue
            own = [_resolve(document, p) for p in item[method].get("parameters", [])]
            named = {(p["name"], p["in"]): p for p in [*shared, *own]}
            responses = {str(s): _resolve(document, r) for s, r in item[method].get("responses", {}).items()}
            yield Operation(
                method,
                template,
                _pattern(bases, template),
                tuple(named.values()),
                _resolve(document, item[method].get("requestBody", {})),
                responses,
            )


def _pattern(bases: list[str], template: str) -> re.Pattern[str]:
    """Match the path with any server base before it, or without."""

    def loosen(text: str) -> str:
        return re.sub(r"\\\{[^}]*\\\}", r"[^/]+", re.escape(text))

    prefixes = "|".join(loosen(base) for base in bases)
    return re.compile(f"(?:{prefixes})?{loosen(template)}")


def _resolve(document: dict[str, Any], node: Any) -> Any:
    """Follow a local `$ref` (chains of them too)."""
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _schema_of(api: Api, body: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema of a request or response; None when it declares none."""
    content = body.get("content", {})
    chosen = next((v for k, v in content.items() if "json" in k), None)
    return chosen.get("schema") if chosen else body.get("schema")


def _check(api: Api, schema: dict[str, Any], value: Any, *, nulls: bool, closed: bool) -> list[str]:
    relaxed = _relax(schema, nulls=nulls, closed=closed, root=True)
    validator = Draft202012Validator(relaxed, registry=api.registry(nulls=nulls, closed=closed))
    causes = (cause for error in validator.iter_errors(value) for cause in _causes(error))
    messages = ((e.json_path, _message(api, e)) for e in causes)
    return [f"{path}: {message[:300]}" for path, message in messages if message]


def _message(api: Api, error: ValidationError) -> str:
    """What an error says; nothing when properties are declared after all.

    (A part of an `allOf` that fails for another reason takes the names that it declares with it.)
    """
    if error.validator != "unevaluatedProperties":
        return error.message
    names = ", ".join(map(repr, sorted(set(error.instance) - _names(api, error.schema))))
    return f"Unevaluated properties are not allowed ({names} unexpected)" if names else ""


def _names(api: Api, schema: dict[str, Any]) -> set[str]:
    """Every property that a schema or a part of it declares."""
    reference = schema.get("$ref", "")
    if reference:
        return _names(api, _resolve(api.document, {"$ref": reference.removeprefix(ROOT)}))
    parts = [part for key in LISTS for part in schema.get(key, [])]
    return set(schema.get("properties", {})).union(*(_names(api, part) for part in parts))


def _causes(error: ValidationError) -> Iterator[ValidationError]:
    """The errors that say something: of alternatives that all fail, those of the one that gets farthest."""
    if not error.context:
        yield error
        return
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for inner in max(branches.values(), key=lambda errors: (max(len(e.path) for e in errors), -len(errors))):
        yield from _causes(inner)


def _check_query(
    api: Api, operation: Operation, query: Mapping[str, str] | Iterable[tuple[str, str]] | str | None
) -> Iterator[str]:
    known = {p["name"]: p for p in operation.parameters if p["in"] == "query"}
    sent = _pairs(query)
    for name, text in sent:
        parameter = known.get(name) or known.get(f"{name}[]") or known.get(name.removesuffix("[]"))
        if parameter is None:
            yield f"unknown parameter {name!r}"
            continue
        schema = _resolve(api.document, parameter.get("schema", parameter))
        value = _cast(api.document, schema, text, split=not parameter.get("explode", False))
        for message in _check(api, schema, value, nulls=False, closed=False):
            yield f"{name}={text}: {message}"
    names = {name for name, _ in sent}
    yield from (f"missing parameter {n!r}" for n, p in known.items() if p.get("required") and n not in names)


def _pairs(query: Mapping[str, str] | Iterable[tuple[str, str]] | str | None) -> list[tuple[str, str]]:
    if query is None:
        return []
    if isinstance(query, str):
        return parse_qsl(query, keep_blank_values=True)
    return list(getattr(query, "items", lambda: query)())


def _cast(document: dict[str, Any], schema: dict[str, Any], text: str, *, split: bool) -> Any:
    """The value that a query text stands for under its schema; the text itself when it does not fit."""
    match schema.get("type"):
        case "array":
            items = _resolve(document, schema.get("items", {}))
            parts = text.split(",") if split else [text]
            return [_cast(document, items, part, split=False) for part in parts]
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "number" if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return float(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
        case _:
            return text


ANNOTATIONS = frozenset(
    {"example", "examples", "description", "title", "format", "x-internal", "xml", "externalDocs", "default"}
    | {"deprecated", "discriminator", "readOnly", "writeOnly", "nullable", "contentMediaType"}
)
MAPS = frozenset({"properties", "patternProperties", "definitions", "$defs"})
LISTS = {"allOf": "allOf", "anyOf": "anyOf", "oneOf": "anyOf"}


def _relax(schema: Any, *, nulls: bool, closed: bool, root: bool) -> Any:
    """An OpenAPI schema as a JSON schema: see the module's text for what is loosened and what is closed.

    `root` says that the schema describes a whole value (not a part of an `allOf`), so it may be closed.
    """
    if not isinstance(schema, dict):
        return schema

    def inner(node: Any, *, whole: bool) -> Any:
        return _relax(node, nulls=nulls, closed=closed, root=whole)

    alternatives = root and not any(key in schema for key in ("properties", "allOf", "$ref"))
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ANNOTATIONS or key.startswith("x-"):
            continue
        if key in MAPS and isinstance(value, dict):
            out[key] = {name: inner(node, whole=True) for name, node in value.items()}
        elif key in LISTS and isinstance(value, list):
            whole = alternatives and key != "allOf"  # each alternative is closed by itself
            out.setdefault(LISTS[key], []).extend(inner(node, whole=whole) for node in value)
        elif key in {"items", "additionalProperties", "not"}:
            out[key] = inner(value, whole=key != "not")
        elif key == "required" and not isinstance(value, list):
            continue  # OpenAPI 2 habit: `required: true` on a property
        elif key == "$ref":
            out[key] = ROOT + value if value.startswith("#") else value
        else:
            out[key] = value
    _bounds(out)
    if nulls or schema.get("nullable"):
        _allow_null(out)
    shaped = any(key in schema for key in ("properties", "allOf", "$ref"))
    if closed and root and shaped and "additionalProperties" not in schema:
        out["unevaluatedProperties"] = False
    return out


def _bounds(schema: dict[str, Any]) -> None:
    """OpenAPI 3.0 states exclusive bounds as flags; some files invent types (`date`), which are dropped."""
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(flag), bool):
            exclusive = schema.pop(flag)
            if exclusive and bound in schema:
                schema[flag] = schema.pop(bound)
    known = {"string", "number", "integer", "boolean", "array", "object", "null"}
    kind = schema.get("type")
    if isinstance(kind, str) and kind not in known:
        del schema["type"]


def _allow_null(schema: dict[str, Any]) -> None:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
