"""The errors that are meant for a person: one sentence with what, where, expected, found and the way out."""


class AlexNetError(Exception):
    """Something that the user can mend; the command line prints its text alone and exits with 1."""


class ConfigError(AlexNetError):
    """A parameter that is unknown, missing or out of range; nothing was started, exit code 2."""


class DataError(AlexNetError):
    """Data that are missing, broken, or other than their manifest says."""


class TrainingError(AlexNetError):
    """A training that cannot go on: a non-finite loss, or one that has stayed at ln K."""


class Stopped(AlexNetError):
    """A training that ended early because it was asked to; its text says where it goes on."""
