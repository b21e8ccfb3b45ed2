"""params.yaml, checked as a whole before anything starts, and cut into the parameters of each stage."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from alexnet_tf.data.moments import Moments
from alexnet_tf.errors import ConfigError
from alexnet_tf.nearest import nearest
from alexnet_tf.profiles import resolve
from components.interfaces import StageParams
from pipeline.config.errors import refusal, sentence
from pipeline.config.local_params import LOCAL_FILE, with_local
from pipeline.config.schema import RuntimeParams, file_type
from pipeline.environment.dotted import at
from pipeline.environment.workspace import Workspace, find_workspace, home_of
from pipeline.environment.yaml_file import read, shown, with_overrides
from pipeline.stages.table import PARAMS_FILE, STAGES, Item, all_items, items

_DEEPEST = 20  # sections and lists in each other


@dataclass(frozen=True)
class Config:
    """A params.yaml that was found right.

    Attributes:
        values: The content, in which a profile's values replace the word `profile`.
        params: Address of a run, for example `train@faithful` -> the parameters of that stage.
        runtime: The section `runtime`.
        local: Dotted keys whose values came from params.local.yaml.
    """

    values: Mapping[str, Any]
    params: Mapping[str, StageParams]
    runtime: RuntimeParams
    local: frozenset[str] = frozenset()

    def item(self, stage: str, key: str = "") -> Item:
        """Find one run of a stage.

        Raises:
            ConfigError: There is no entry `key`, or one is needed.
        """
        found = items(STAGES[stage], self.values)
        for item in found:
            if item.key == key:
                return item
        known = [item.key for item in found]
        raise ConfigError(
            f"{PARAMS_FILE}: no entry {key!r} in the section {STAGES[stage].foreach}, "
            f"which has {', '.join(known)}{nearest(key, known)}"
        )


def load(root: Path, overrides: Iterable[str] = ()) -> Config:
    """Read and check the whole of params.yaml, with what params.local.yaml has for this machine.

    Args:
        root: Its folder; params.local.yaml is looked for in the checkout's home.
        overrides: Texts `key=value` that take the place of what the file says.

    Raises:
        ConfigError: A key is unknown, missing or mistyped, a value is out of range, or two of them do not
            fit.
    """
    content = read(root / PARAMS_FILE)
    _refuse_shared(content)
    content, changed = with_overrides(content, overrides)
    content, local = with_local(content, home_of(root), changed)
    config = check(content, changed=changed, local=local)
    _check_schema(root / "schemas", config.values["validate"]["reference_schema"])
    return config


def params_as_written(root: Path) -> Mapping[str, Any]:
    """Read params.yaml as it is written, the word `profile` in its place; again only when it has changed.

    Raises:
        ConfigError: It cannot be read.
    """
    path = root / PARAMS_FILE
    found = path.stat() if path.exists() else None
    return _read_once(path, found and (found.st_mtime_ns, found.st_size, found.st_ino))


@functools.lru_cache(maxsize=4)
def _read_once(path: Path, _state: tuple[int, ...] | None) -> Mapping[str, Any]:
    return read(path)


def workspace_and_config(overrides: Iterable[str] = ()) -> tuple[Workspace, Config]:
    """Find the repository upwards from the current folder, and read and check its params.yaml.

    Raises:
        AlexNetError: There is none.
        ConfigError: As for `load`.
    """
    workspace = find_workspace()
    return workspace, load(workspace.root, overrides)


def _refuse_shared(content: Mapping[str, Any]) -> None:
    """Refuse mappings that are one by an anchor: what -S sets in one place, `dvc` loses or sets in both."""
    places: dict[int, str] = {}

    def look(mapping: Mapping[str, Any], at: str) -> None:
        if first := places.get(id(mapping)):
            raise ConfigError(
                f"{PARAMS_FILE}: {first} and {at} are one mapping, by an anchor of YAML, and `-S` would change both or "
                "none; write it out in both places"
            )
        places[id(mapping)] = at
        for key, value in mapping.items():
            if isinstance(value, dict):
                look(value, f"{at}.{key}" if at else str(key))

    look(content, "")


def check(
    content: Mapping[str, Any],
    *,
    name: str = PARAMS_FILE,
    changed: Iterable[str] = (),
    local: frozenset[str] = frozenset(),
) -> Config:
    """Check the content of params.yaml.

    Args:
        content: The sections as they were read.
        name: What to call the file in an error.
        changed: Dotted keys whose values came from `-S`.
        local: Dotted keys whose values came from params.local.yaml.

    Raises:
        ConfigError: As for `load`.
    """
    places = {key: "-S" for key in changed} | {key: LOCAL_FILE for key in local}

    def source(key: str) -> str:
        found = (place for each, place in places.items() if key == each or key.startswith((each + ".", each + "[")))
        # A rule about several keys does not tell which one breaks it.
        below = [place for each, place in places.items() if not key or each.startswith(f"{key}.")]
        return next(found, " or ".join([name, *dict.fromkeys(below)]))

    values = _resolved(content, source)
    _json(values, source)
    try:
        file_type().validate_json(json.dumps(values))
    except ValidationError as error:
        raise sentence(error, values, source) from None
    _check_together(values, source)
    params = {item.address: _stage_params(item, values, source) for item in all_items(values)}
    return Config(values, params, RuntimeParams.model_validate_json(json.dumps(values["runtime"])), local)


def _resolved(content: Mapping[str, Any], source: Callable[[str], str]) -> dict[str, Any]:
    """Put the profiles' values in; what is no variant at all is left for the check to name."""
    values = dict(content)
    variants = content.get("variants")
    if isinstance(variants, Mapping):
        values["variants"] = {}
        for variant, section in variants.items():
            try:
                whole = isinstance(section, Mapping) and "profile" in section
                values["variants"][variant] = resolve(section) if whole else section
            except ConfigError as error:
                key, _, rest = str(error).partition(": ")
                full = f"variants.{variant}.{key}"
                raise ConfigError(f"{source(full)}: {full}: {rest}") from None
    return values


def _json(value: Any, source: Callable[[str], str], path: str = "", depth: int = 0) -> None:
    """Refuse what YAML knows and JSON does not: dates, keys that are no words, a list that contains itself."""
    if depth > _DEEPEST:
        told = f"{path.partition('[')[0]} is nested too deeply, or contains itself"
        raise refusal(source(path), f"{told}; `alexnet params --schema` describes what it may be")
    if isinstance(value, Mapping):
        for key, child in value.items():
            if not isinstance(key, str):
                told = f"{path or 'the top level'} has the key {shown(key)}; expected a word: quote it"
                raise refusal(source(path), told)
            _json(child, source, f"{path}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _json(child, source, f"{path}[{index}]", depth + 1)
    elif isinstance(value, date | bytes | set):
        raise refusal(source(path), f"{path} is {shown(value)}; expected a number or a word, so quote it")


def _stage_params(item: Item, values: Mapping[str, Any], source: Callable[[str], str]) -> StageParams:
    keys = item.params()
    fields = {field: at(values, key) for field, key in keys.items()}
    try:
        return item.stage.component.Params.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise sentence(error, values, source, keys) from None


def _check_together(values: Mapping[str, Any], source: Callable[[str], str]) -> None:
    images, variants = values["images"], values["variants"]

    def refuse(key: str, told: str, known: Iterable[str] = ()) -> NoReturn:
        found = at(values, key)
        raise ConfigError(f"{source(key)}: {key} {told}, got {found!r}{nearest(found, known)}")

    for name, entry in images.items():
        size, stored = entry["size"], entry["stored_size"]
        if size % stored:
            refuse(f"images.{name}.stored_size", f"must go into size {size} a whole number of times")
        try:
            Moments.of((), stored, size // stored)
        except ValueError:
            refuse(
                f"images.{name}.size",
                f"is too large for stored_size {stored}: the colours of images that are enlarged so far cannot be "
                "summed exactly; take a smaller size or a larger stored_size",
            )
    for name, variant in variants.items():
        if variant["images"] not in images:
            refuse(f"variants.{name}.images", f"must be an entry of images ({', '.join(images)})", images)
        size, key = images[variant["images"]]["size"], f"variants.{name}.input.crop_size"
        if at(values, key) > size:
            refuse(key, f"must be at most {size}, the size of images.{variant['images']}")
        for key in (f"variants.{name}.training.augmentation.padding", f"variants.{name}.input.test_border"):
            if at(values, key) >= size:  # a border is mirrored
                refuse(key, f"must be less than {size}, the size of images.{variant['images']}")
    if values["compare"]["baseline"] not in variants:
        refuse("compare.baseline", f"must be a variant ({', '.join(variants)})", variants)


def _check_schema(folder: Path, schema: str | None) -> None:
    """Find out before the download that the stage after it would miss its reference; a scratch folder has none."""
    known = sorted(path.stem for path in folder.glob("*.pbtxt"))
    if schema and folder.is_dir() and schema not in known:
        raise ConfigError(
            f"{PARAMS_FILE} or -S: validate.reference_schema must be null or the NAME of a schemas/NAME.pbtxt "
            f"({', '.join(known) or 'there is none'}), got {schema!r}{nearest(schema, known)}"
        )
