"""params.local.yaml: what holds on this machine alone, so that no private path gets into the tracked params.yaml.

It has only the section `runtime`, or a part of it. Neither Git nor DVC sees it; queued DVC experiments, which run in
another folder, read that of the checkout that they came from. Of several values the first of these is taken:

1. `-S runtime.KEY=VALUE` of a command;
2. params.yaml, where it differs from the default of pipeline/config/runtime.yaml: `dvc exp run -S` writes there, too;
3. params.local.yaml;
4. the default.
"""

import contextlib
import copy
import functools
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from alexnet_tf.errors import ConfigError
from alexnet_tf.nearest import nearest
from pipeline.environment.yaml_file import parse, shown
from pipeline.stages import outputs

LOCAL_FILE = "params.local.yaml"
DEFAULTS_FILE = Path(__file__).parent / "runtime.yaml"
_SOURCE_FOLDER = re.compile(
    r"""^(?P<key>[ ]+source_folder:[ ]*)
    (?P<value>'(?:[^'\n]|'')*' | "(?:[^"\\\n]|\\.)*" | [^'"\#\n][^\n]*? | )
    (?P<rest>[ ]*(?:(?<=[ ])\#.*)?)$""",
    re.MULTILINE | re.VERBOSE,
)
_NOT_IN_YAML = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NEW = "# Values of `runtime` for this machine only; Git and DVC ignore this file.\nruntime:\n"


class LocalParamsError(ConfigError):
    """What is wrong is in params.local.yaml."""


@functools.cache
def defaults() -> Mapping[str, Any]:
    """The section `runtime` of a machine of which nothing is known."""
    return parse(DEFAULTS_FILE.read_text(encoding="utf-8"), DEFAULTS_FILE.name)["runtime"]


def read_local(home: Path) -> dict[str, Any]:
    """Read the file's keys of `runtime`; none where there is no file.

    Raises:
        LocalParamsError: It cannot be read, is no YAML, or has other than keys of `runtime`.
    """
    path = home / LOCAL_FILE
    if not path.exists():
        return {}
    try:
        content = parse(path.read_text(encoding="utf-8"), LOCAL_FILE)
    except ConfigError as error:
        raise LocalParamsError(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise LocalParamsError(f"{LOCAL_FILE}: cannot be read ({reason}); correct or remove it") from error
    if content is None or content == {"runtime": None}:  # only comments, or all keys taken out
        return {}
    if not isinstance(content, dict) or set(content) != {"runtime"} or not isinstance(content["runtime"], dict):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else shown(content)
        raise LocalParamsError(
            f"{LOCAL_FILE}: expected only the section `runtime` with its keys, found {found}; "
            f"put what changes a result into params.yaml"
        )
    for key in content["runtime"]:
        if key not in defaults():
            raise LocalParamsError(
                f"{LOCAL_FILE}: unknown key runtime.{key}; expected one of "
                f"{', '.join(defaults())}{nearest(key, defaults())}"
            )
    return content["runtime"]


def with_local(
    content: Mapping[str, Any], home: Path, overridden: Collection[str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Put the file's values in the place of defaults.

    Args:
        content: The sections of params.yaml, `-S` applied.
        home: The folder of the file.
        overridden: Dotted keys that `-S` has set.

    Returns:
        A copy, and the dotted keys whose values came from the file.

    Raises:
        ConfigError: As for `read_local`.
    """
    changed = copy.deepcopy(dict(content))
    section = changed.get("runtime")
    taken = {
        key: value
        for key, value in read_local(home).items()
        if isinstance(section, dict)
        and key in section
        and section[key] == defaults()[key]
        and not {"runtime", f"runtime.{key}"} & set(overridden)
    }
    if taken:
        changed["runtime"] |= taken
    return changed, frozenset(f"runtime.{key}" for key in taken)


def require_text(folder: str) -> None:
    """Refuse a folder whose name no YAML can hold.

    Raises:
        ConfigError: It has bytes that are not UTF-8, or control characters.
    """
    if _NOT_IN_YAML.search(folder):
        raise ConfigError(f"source_folder: expected UTF-8 text on one line, found {folder!r}; rename the folder")


def write_source_folder(home: Path, folder: str) -> None:
    """Keep the folder of data sets in the file; all else in it stays.

    Raises:
        ConfigError: As for `read_local`, or the file has `runtime` on one line.
    """
    require_text(folder)
    present = read_local(home)
    text = (home / LOCAL_FILE).read_text(encoding="utf-8") if (home / LOCAL_FILE).exists() else ""
    if not re.search(r"^runtime:", text, re.MULTILINE):
        text += _NEW
    if "source_folder" in present:
        text = with_source_folder(text, folder, LOCAL_FILE)
    else:
        head, section, keys = re.split(r"^(runtime:.*\n?)", text, maxsplit=1, flags=re.MULTILINE)
        indent = re.search(r"^ +(?=\w)", keys, re.MULTILINE)  # of the keys that are there
        text = f"{head}{section}{indent[0] if indent else '  '}source_folder: {_quoted(folder)}\n{keys}"
    if _parsed(text) != {"runtime": present | {"source_folder": folder}}:
        raise ConfigError(f"{LOCAL_FILE}: expected `runtime:` with one key a line; write it so, or remove the file")
    outputs.write_text(home / LOCAL_FILE, text)


def _parsed(text: str) -> object:
    with contextlib.suppress(ConfigError):
        return parse(text, LOCAL_FILE)
    return None


def with_source_folder(text: str, folder: str, name: str) -> str:
    """Put a folder into the line `source_folder:` of a YAML text; comments stay.

    Raises:
        ConfigError: There is not exactly one such line.
    """

    def replaced(found: re.Match[str]) -> str:
        rest = found["rest"]
        return f"{found['key'].rstrip()} {_quoted(folder)}{' ' if rest.startswith('#') else ''}{rest}"

    text, count = _SOURCE_FOLDER.subn(replaced, text)
    if count != 1:
        raise ConfigError(f"{name}: expected one line `source_folder:` under `runtime`, found {count}")
    return text


def _quoted(folder: str) -> str:
    plain = re.fullmatch(r"[\w./~-]+", folder) and parse(folder, LOCAL_FILE) == folder  # `~` and `12` are no words
    return folder if plain else "'" + folder.replace("'", "''") + "'"
