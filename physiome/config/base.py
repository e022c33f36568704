"""What every part of the configuration shares: frozen, strict, no unknown keys, readable errors."""

import difflib
import json
import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from physiome.errors import ConfigError, nearest

SHOWN = 5  # problems that are named
SLIP = 0.9  # likeness of an unknown key to a known one of its own section that is a slip of the pen


def _one_spelling(folder: str) -> str:
    """`x` for `./x/`: settings are compared as text. `..` stays, for it may follow a link."""
    if not folder or "://" in folder:  # refused, by the name that was given
        return folder
    plain = str(PurePosixPath(folder))
    return f"./{plain}" if plain.startswith("-") and folder[0] != "-" else plain


Folder = Annotated[str, AfterValidator(_one_spelling)]


class Spec(BaseModel):
    """A frozen piece of the configuration: unknown keys, NaN and numbers as text are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @classmethod
    def parse(cls, value: Any, where: str = "") -> Self:
        """Validate plain YAML/JSON data.

        Raises:
            ConfigError: naming the key's path, its value, what is allowed, the nearest known key.
        """
        try:
            text = json.dumps(value, allow_nan=False)  # in the order given: it is that of columns
        except (TypeError, ValueError) as error:
            if "Out of range float" in str(error):
                raise ConfigError(_not_finite(value, where)) from None
            raise ConfigError("not plain data", where=where or "config", why=str(error)) from None
        except RecursionError:
            raise ConfigError("nested too deeply", where=where or "config") from None
        return cls.parse_text(text, where)

    @classmethod
    def parse_text(cls, text: str, where: str = "") -> Self:
        """As `parse`, from JSON text (a rule's `--settings`)."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(*_explain(cls, error, where)) from None

    def plain(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return self.model_dump(mode="json")


def deep_merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `change`; dictionaries are merged, everything else replaced."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = deep_merge(merged[key], value) if both else value
    return merged


def _explain(model: type[BaseModel], error: ValidationError, where: str) -> tuple[str]:
    """One line for the first problems: path, value, what is allowed."""
    lines = []
    problems = error.errors(include_url=False)
    within = {problem["loc"][:-1] for problem in problems}
    for problem in problems:
        if problem["type"] == "too_short" and problem["loc"] in within:
            continue  # of a list that would be long enough without the other problems
        if problem["type"] == "json_invalid":  # half of a sign, as in "\ud800"
            lines.append(f"{where or 'config'}: not plain text - {problem['msg']}")
            continue
        keys, _ = _follow(model, problem["loc"])
        path = ".".join(str(part) for part in (where, *keys) if str(part))
        kind, value = problem["type"], problem["input"]
        if kind == "extra_forbidden":
            lines.append(f"{path}: unknown key - {_right_key(model, problem['loc'], where)}")
        elif kind in ("float_type", "int_type") and isinstance(value, str):
            lines.append(f"{path}: {value!r} is text, not a number - {_number_hint(value)}")
        elif kind == "missing":
            lines.append(f"{path}: required key is missing")
        else:
            reason = problem["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(value, dict) else f"{value!r} - "
            lines.append(f"{path}: {shown}{reason}")
    if lines[SHOWN:]:
        lines[SHOWN:] = [f"and {len(lines) - SHOWN} more"]
    return ("; ".join(lines),)


def _not_finite(value: Any, path: str) -> str:
    """`path: nan is not a finite number` for the first such number; empty if there is none."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{path}: {value} is not a finite number"
    if not isinstance(value, Mapping | list | tuple):
        return ""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    inner = (_not_finite(part, f"{path}.{key}".lstrip(".")) for key, part in parts)
    return next(filter(None, inner), "")


def _number_hint(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return "write a number"
    if not math.isfinite(number):
        return "write a finite number"
    if isinstance(yaml.safe_load(text), int | float):
        return f"write {text} without quotes"
    mantissa, _, exponent = f"{number:e}".partition("e")
    mantissa = mantissa.rstrip("0")
    mantissa += "0" if mantissa.endswith(".") else ""
    return f"YAML reads {text} as text; write {mantissa}e{int(exponent)}"


def _follow(model: Any, location: tuple[int | str, ...]) -> tuple[list[int | str], list[Any]]:
    """The keys of `location` as a file has them, and the models that its last key may be of.

    Pydantic puts the kind that was chosen between keys, e.g. `source`, `sleep_edf`, `raw`.
    """
    keys: list[int | str] = []
    models, inner = [model], [model]
    for part in location:
        chosen = [m for m in inner if len(inner) > 1 and _is_kind(m, part)]
        if chosen:
            inner = chosen
            continue
        keys.append(part)
        models = inner
        found = [
            deeper
            for m in models
            if part in m.model_fields
            for deeper in _models_in(m.model_fields[part].annotation)
        ]
        inner = found or models
    return keys, models


def _right_key(model: type[BaseModel], location: tuple[int | str, ...], where: str) -> str:
    """Where an unknown key belongs: in a section below its own or beside it; or the nearest key."""
    wrong = str(location[-1])
    keys, models = _follow(model, location)
    above, beside = _follow(model, location[:-1])
    here = ".".join(str(part) for part in (where, *keys) if str(part))
    names = {name for candidate in models for name in candidate.model_fields}
    if difflib.get_close_matches(wrong, names, n=1, cutoff=SLIP):
        return nearest(wrong, names)
    for parents, candidates in ((keys[:-1], models), (above[:-1], beside)):
        found = [
            ".".join(str(part) for part in (where, *parents, section, wrong) if str(part))
            for candidate in candidates
            for section, field in candidate.model_fields.items()
            if any(wrong in inner.model_fields for inner in _models_in(field.annotation))
        ]
        places = [place for place in dict.fromkeys(found) if place != here]  # of another kind
        if places:
            return f"it belongs at {' or '.join(places)}"
    return nearest(wrong, names)


def _is_kind(model: Any, name: int | str) -> bool:
    """Whether a model's first field, which tells its kind, is always `name`."""
    first = next(iter(model.model_fields.values()), None)
    return first is not None and getattr(first.annotation, "__args__", ()) == (name,)


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in getattr(annotation, "__args__", ()) for m in _models_in(inner)]
