"""Strict configuration: frozen and typed; unknown keys are rejected with a suggestion."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hwm_core.errors import BadConfig, did_you_mean, nearest_path

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base class of all configurations: immutable, strict about its keys, and every number finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls: type[C], mapping: Any, where: str = "configuration") -> C:
        """Validate a plain mapping.

        Args:
            mapping: keys and plain values, as YAML gives them.
            where: the mapping's file or section, for error messages.

        Raises:
            BadConfig: an unknown key or a value out of range. The message has the full path of the key, and for an
                unknown key the nearest known one.
        """
        if not isinstance(mapping, dict):
            raise BadConfig(
                where,
                expected="a mapping of keys to values",
                got=type(mapping).__name__,
                remedy="Write `key: value` lines.",
            )
        try:
            return cls.model_validate(mapping)
        except ValidationError as error:
            raise _explain(cls, error, where) from None

    @classmethod
    def read(cls: type[C], path: str | Path) -> C:
        """Read and validate a YAML file. Raises BadConfig as `parse` does, and for a file that is not YAML."""
        return cls.parse(read_yaml(path), where=str(path))

    def plain(self) -> dict[str, Any]:
        """The configuration in plain YAML types, the inverse of `parse`."""
        return self.model_dump(mode="json")

    def differences(self: C, other: C) -> tuple[str, str]:
        """The keys that differ, with the values here and the values of `other`: `("rate 30", "rate 20")`."""
        here, there = self.plain(), other.plain()
        keys = [key for key in here if here[key] != there.get(key)]
        return ", ".join(f"{key} {here[key]}" for key in keys), ", ".join(f"{key} {there.get(key)}" for key in keys)


def read_yaml(path: str | Path) -> Any:
    """Read one YAML file. Raises BadConfig if it is missing, malformed or not text."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except OSError as error:
        raise BadConfig(
            str(path),
            expected="a readable YAML file",
            got=error.strerror,
            remedy=nearest_path(Path(path), "Check the path."),
        ) from None
    except UnicodeDecodeError as error:
        raise BadConfig(str(path), expected="text in UTF-8", got=str(error), remedy="Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        raise BadConfig(
            str(path), expected="valid YAML", got=str(error).replace("\n", " "), remedy="Correct the marked line."
        ) from None


class _UniqueKeys(yaml.SafeLoader):
    """Rejects a key that occurs twice in one mapping: YAML libraries silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key `{key.value}` twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def overridden(mapping: Any, overrides: Iterable[str]) -> Any:
    """`mapping` with `key=value` or `section.key=value` overrides applied; values are YAML. Raises BadConfig."""
    if not isinstance(mapping, Mapping):
        return mapping  # `parse` rejects it, with the name of its file
    changed = mapping
    for override in overrides:
        path, equals, text = override.partition("=")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise BadConfig(
                "override",
                expected="section.key=value",
                got=f"`{override}`",
                remedy="Write the override like train.steps=100.",
            )
        changed = _set(changed, path.split("."), value)
    return changed


def _set(mapping: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    key, *rest = path
    inner = mapping.get(key)
    return {**mapping, key: _set(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value}


def _explain(cls: type[Config], error: ValidationError, where: str) -> BadConfig:
    first = error.errors()[0]
    path, holder = _walk(cls, first["loc"])
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = list(holder.model_fields)
        hint = did_you_mean(path[-1], known, f"Known keys: {', '.join(sorted(known))}.")
        return BadConfig(f"{where}: unknown key `{key}`", expected="a known key", got=f"`{key}`", remedy=hint)
    expected, given = _expectation(first["msg"]), first["input"]
    if isinstance(given, Mapping) and first["type"] == "value_error":  # a rule about several keys
        mentioned = [name for name in re.findall(r"`(\w+)`", expected) if name in given]
        got = ", ".join(f"{name} {given[name]}" for name in mentioned) or "other values"
        where = f"{where}: {key}" if key else where
        return BadConfig(where, expected=expected, got=got, remedy="Correct one of them.")
    got = "nothing" if first["type"] == "missing" else repr(given)
    values = re.findall(r"'([^']+)'", expected) if first["type"] == "literal_error" else []
    remedy = did_you_mean(given, values, "Correct this value.")
    return BadConfig(f"{where}: key `{key}`", expected=expected, got=_short(got), remedy=remedy)


def _expectation(message: str) -> str:
    """What pydantic expects: "a value greater than 0" for "Input should be greater than 0"."""
    rule = message.removeprefix("Value error, ")
    if rule == message and message.startswith("Input should be "):
        rule = message.removeprefix("Input should be ").partition(", unable")[0]
        return f"a value {rule}" if rule.startswith(("greater", "less")) else rule
    return rule


def _walk(cls: type[Config], path: tuple[int | str, ...]) -> tuple[list[str], type[Config]]:
    """The keys of `path` as users write them, without union tags, and the configuration class that has the last key."""
    keys, holder, inner = [], cls, [cls]
    for part in path:
        tagged = [option for option in inner if _tag(option) == part]
        if len(inner) > 1 and tagged:
            inner = tagged
            continue
        keys.append(str(part))
        if inner:
            holder = inner[0]
        field = holder.model_fields.get(str(part))
        inner = [] if field is None else [*_options(field.annotation)]
    return keys, holder


def _options(annotation: Any) -> Iterator[type[Config]]:
    """The configuration classes in an annotation, however deep in unions."""
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for part in get_args(annotation):
        yield from _options(part)


def _tag(option: type[Config]) -> object:
    """The value that selects this configuration in a union: the default of its key `kind`."""
    return option.model_fields["kind"].default if "kind" in option.model_fields else None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The keys whose values differ, as "key new in place of old"; long values are shortened."""
    a, b = dict(_flat(old)), dict(_flat(new))
    keys = [key for key in {**a, **b} if a.get(key) != b.get(key)]
    return ", ".join(f"{key} {_short(b.get(key))} in place of {_short(a.get(key))}" for key in keys)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _short(value: object, longest: int = 100) -> str:
    text = str(value)
    return text if len(text) <= longest else f"{text[:longest]}..."
