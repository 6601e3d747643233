"""Errors a person can act on; every message says what is wrong and what to do."""


class LdlvaError(Exception):
    """Base of all expected errors: pages and commands show its message, never a traceback."""


class DatasetError(LdlvaError):
    """A data set, image file or label file is missing or malformed."""


class MissingPartError(DatasetError):
    """A part (train, valid or test) of an otherwise sound data set is absent."""


class SurveyError(LdlvaError):
    """A study, volunteer or vote request that cannot be honoured."""


class VolunteerError(SurveyError):
    """A request of a volunteer that cannot be honoured.

    Attributes:
        kind: what it is about, for pages that say it in the volunteer's language.
        values: what the sentence mentions, by name.
    """

    def __init__(self, kind: str, message: str, **values: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.values = values


class NotYetError(SurveyError):
    """Nothing is wrong, something is still to be done first: votes to collect, a model to train."""


class DatabaseError(LdlvaError):
    """The database cannot be opened, read or written."""


class TrainingError(LdlvaError):
    """A run cannot start, continue or be read."""


class JobError(LdlvaError):
    """A command beside the web process cannot be started, stopped or followed."""


class ProjectionError(LdlvaError):
    """Features that cannot be placed in the plane as asked."""
