"""Reading params.yaml as DVC reads it: YAML 1.2, so `5e-4` is a number and `on` is a word."""

import copy
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from alexnet_tf.errors import ConfigError
from alexnet_tf.nearest import nearest

_CONFLICT = re.compile(r"^<{7} .*$", re.MULTILINE)  # as Git begins one
_LONGEST = 60  # characters of a value in a message


def parse(text: str, source: str) -> Any:
    """Parse YAML 1.2.

    Args:
        text: The YAML text.
        source: What to call it in an error.

    Raises:
        ConfigError: The text is no YAML, or has a key twice.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except RecursionError as error:
        raise ConfigError(f"{source}: lists or sections are nested too deeply; correct the YAML there") from error
    except MarkedYAMLError as error:
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            told = f"{source}, line {line}: a merge conflict is not resolved ({conflict[0]})"
            raise ConfigError(f"{told}; keep one of its two sides, and remove its marks") from error
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = (error.problem or "not YAML").splitlines()[0].strip()
        raise ConfigError(f"{source}{where}: {problem}; correct the YAML there") from error
    except (YAMLError, ValueError) as error:  # a word that looks like a date and is none
        raise ConfigError(f"{source}: invalid YAML: {str(error).splitlines()[0]}") from error


def read(path: Path) -> dict[str, Any]:
    """Read a file whose top level is a mapping.

    Raises:
        ConfigError: The file is missing, unreadable, no YAML or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            f"{path.name}: cannot be read ({reason}); `alexnet use NAME --force` writes a new one, `alexnet use` "
            "lists the names"
        ) from error
    content = parse(text, path.name)
    if not isinstance(content, dict):
        raise ConfigError(f"{path.name}: expected sections such as `seed:` and `variants:`, found {shown(content)}")
    return content


def with_overrides(content: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], set[str]]:
    """Apply `key=value` texts to a copy of `content`.

    Args:
        content: Sections of params.yaml.
        overrides: Texts such as `variants.faithful.training.epochs=3`; the value is read as YAML.

    Returns:
        The copy, and the dotted keys that were set.

    Raises:
        ConfigError: No `=`, an unknown key, or a value that is no YAML.
    """
    changed = copy.deepcopy(dict(content))
    keys: set[str] = set()
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"-S {text}: expected key=value, for example -S seed=7")
        _set(changed, key.strip(), parse(value, f"-S {text}"))
        keys.add(key.strip())
    return changed, keys


def _set(content: dict[str, Any], key: str, value: Any) -> None:
    parts = key.split(".")
    section: Any = content
    for depth, part in enumerate(parts):
        if not isinstance(section, dict) or part not in section:
            known = list(section) if isinstance(section, dict) else []
            above = ".".join(parts[:depth])
            wrong = ".".join(parts[: depth + 1])
            where = f"under {above}" if above else "at the top level"
            expected = f"expected one of {', '.join(map(str, known))}" if known else f"{above} has no keys"
            raise ConfigError(f"-S {key}: unknown key {wrong}; {where} {expected}{nearest(part, known)}")
        if depth == len(parts) - 1:
            section[part] = value
        section = section[part]


def shown(value: object) -> str:
    """Write a value as YAML would, shortened."""
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
