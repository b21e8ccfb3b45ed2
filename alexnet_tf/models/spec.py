"""What all descriptions of networks and trainings have in common."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

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
