"""What all descriptions of networks and trainings have in common."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from alexnet_tf.errors import ConfigError
from alexnet_tf.nearest import nearest

Two = Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=2)]


def _all_required(schema: dict[str, Any]) -> None:
    """Describe the section of a file, which must be complete; what concerns Python code alone is left out."""
    schema["description"] = schema["description"].partition("\n\nNote:")[0]
    schema["required"] = list(schema["properties"])
    for field in schema["properties"].values():
        field.pop("default", None)


class Spec(BaseModel):
    """A frozen, strict description; an unknown key is an error.

    In Python, a field that is left out takes its default. In JSON, and so in params.yaml and model.json, a missing key
    is an error: a file says everything that changes a result, whatever the defaults are one day.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_all_required
    )

    @model_validator(mode="after")
    def _complete_in_json(self, info: ValidationInfo) -> Self:
        missing = [name for name in type(self).model_fields if name not in self.model_fields_set]
        if info.mode == "json" and missing:
            raise ValidationError.from_exception_data(
                type(self).__name__, [{"type": "missing", "loc": (name,), "input": None} for name in missing]
            )
        return self


class _InOneSentence(type(BaseModel)):
    """Of classes that a user calls: lists may be tuples, and what is wrong is told in one sentence.

    Validation of files goes past it, so that the pipeline names keys in its own way.
    """

    def __call__(cls, *args, **values):
        try:
            listed = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
            return super().__call__(*args, **listed)
        except ValidationError as error:
            raise ConfigError(_sentence(error, cls)) from None


class NetworkSpec(Spec, metaclass=_InOneSentence):
    """A description of a network.

    Raises:
        ConfigError: In Python, a field is unknown or its value out of range, or two of them do not go together.
    """


def _sentence(error: ValidationError, spec: Any) -> str:
    known = list(spec.model_fields)
    first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    name, *places = first["loc"] or ("",)
    if first["type"] == "extra_forbidden":
        close = nearest(name, known) or f"; expected one of {', '.join(known)}"
        return f"{error.title} has no field {name}{close}"
    if first["type"] == "value_error":
        return f"{error.title}: {first['msg'].partition(', ')[2]}"
    expected = first["msg"].removeprefix("Input should be ")
    if first["type"] in ("too_short", "too_long"):
        context = first.get("ctx", {})
        expected = f"a list of {context.get('min_length', context.get('max_length'))}"
    key = f"{name}{''.join(f'[{place}]' for place in places)}"
    return f"{error.title}: {key}: expected {expected[0].lower() + expected[1:]}, got {first['input']!r}"
