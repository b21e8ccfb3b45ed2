"""What all descriptions of networks and trainings have in common."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen, strict description; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
