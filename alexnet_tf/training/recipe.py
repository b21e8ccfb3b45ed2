"""How a network is trained, as data: optimizer, schedule, epochs; augmentation is in models/specs.py. No TensorFlow.

Defaults are those of the paper's text, or switch off what it does not have.
"""

# ruff: noqa: RUF012, as pydantic gives each instance its own copy of a default

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alexnet_tf.models.spec import Spec
from alexnet_tf.models.specs import AugmentationSpec, Share


class OptimizerSpec(Spec):
    """Stochastic gradient descent with momentum (§5), or Adam or Muon in its place.

    Attributes:
        name: `momentum` (§5); or `adam` (Kingma and Ba 2015): its first moment keeps the share `momentum`, its second
            0.999, and weight decay enters the gradient; or `muon` (Jordan and others 2024): orthogonalized momentum for
            the kernels between conv1 and fc8, whose norms it keeps in place of a decay, and momentum for the rest.
        learning_rate: The initial rate ε, for the batch size that the recipe names.
        momentum: Share of the velocity that a step keeps.
        nesterov: Look ahead by one velocity.
        weight_decay: λ of §5.
        decay_form: `coupled`: -λ·ε·w enters the velocity (§5); `decoupled`: w shrinks by λ·ε beside it.
        bias_learning_rate_factor: The rate of biases, and of batch normalization's γ and β, over the weights' (2012
            code: 2).
        bias_decay: Whether these decay too (2012 code: no).
        convolution_decay: Whether the kernels of convolutions decay (cuda-convnet on CIFAR-10: wc = 0 for conv1 and
            conv2 in layer-params-conv-local-11pct.cfg).
        muon_learning_rate_factor: The rate of the kernels that `muon` orthogonalizes over that of the others.
        muon_momentum: Share of their velocity that a step keeps.
    """

    name: Literal["momentum", "adam", "muon"] = "momentum"
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0005
    decay_form: Literal["coupled", "decoupled"] = "coupled"
    bias_learning_rate_factor: Annotated[float, Field(ge=0)] = 1.0
    bias_decay: bool = True
    convolution_decay: bool = True
    muon_learning_rate_factor: Annotated[float, Field(gt=0)] = 0.13
    muon_momentum: Annotated[float, Field(ge=0, lt=1)] = 0.6

    @model_validator(mode="after")
    def _combine(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov looks ahead by the velocity, so it needs a momentum above 0, got 0")
        if self.name == "adam" and (self.nesterov or self.decay_form == "decoupled"):
            raise ValueError(
                f"adam is made with nesterov: false and decay_form: coupled, got {str(self.nesterov).lower()} and "
                f"{self.decay_form}"
            )
        return self


class ScheduleSpec(Spec):
    """How the learning rate changes.

    Attributes:
        name: `plateau` divides when the validation error stalls (§5), `steps` at fixed shares of the training,
            `cosine` and `one_cycle` (linear up, linear down) change it at every step.
        drop_factor: What a drop multiplies the rate by (§5: 0.1).
        max_drops: Drops of `plateau` (§5: three).
        patience_epochs: `plateau` drops after so many epochs without a better validation top-1 error; §5 gives no
            number.
        drop_at: `steps` drops at these shares of the training, ascending.
        conv1_frozen_from: Share of the training after which conv1 stays as it is (2012 code: 0.77); 1 is never.
        warmup_share: Share of the training in which `cosine` and `one_cycle` rise linearly from zero.
    """

    name: Literal["plateau", "steps", "cosine", "one_cycle"] = "plateau"
    drop_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    max_drops: Annotated[int, Field(ge=0)] = 3
    patience_epochs: Annotated[int, Field(gt=0)] = 3
    drop_at: list[Share] = []
    conv1_frozen_from: Share = 1.0
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _combine(self) -> Self:
        if self.drop_at != sorted(set(self.drop_at)):
            raise ValueError(f"drop_at must be ascending, got {self.drop_at}")
        if self.warmup_share and self.name in ("plateau", "steps"):
            raise ValueError(
                f"the schedule {self.name} has no warm-up, so warmup_share must be 0, got {self.warmup_share}; "
                "cosine and one_cycle have one"
            )
        return self


class TrainingSpec(Spec):
    """A whole training.

    Attributes:
        epochs: Passes over the training split (§5: roughly 90); a last incomplete batch is dropped, another one each
            epoch.
        global_batch_size: Images of a step, all replicas together (§5: 128).
        precision: `float32`, `bfloat16` layers over float32 weights, or `auto`: bfloat16 where the devices have
            instructions for it, else float32.
        label_smoothing: Share of the target spread over all classes.
        weight_averaging: Decay per step of an exponential average of the weights that is evaluated and kept; 0 is off.
        lookahead: Share per step that slow weights keep at the end of the training; the weights return to them after
            every fifth step (`training.lookahead`). 0 is off.
        keep: Which weights are the result: those of the `last` epoch or of the `best` validation top-1 error.
        optimizer: The update rule.
        schedule: The learning rate over time.
        augmentation: What happens to the images.
    """

    epochs: Annotated[int, Field(gt=0)] = 90
    global_batch_size: Annotated[int, Field(gt=0)] = 128
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lookahead: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep: Literal["last", "best"] = "last"
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    augmentation: AugmentationSpec = AugmentationSpec()

    @model_validator(mode="after")
    def _combine(self) -> Self:
        if self.lookahead and self.schedule.conv1_frozen_from < 1:
            raise ValueError(
                f"lookahead would move conv1 after schedule.conv1_frozen_from {self.schedule.conv1_frozen_from}: set "
                "that to 1.0, or lookahead to 0.0"
            )
        return self
