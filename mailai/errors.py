"""The exceptions of the house. Each message is a sentence that a person can act on."""


class MailAIError(Exception):
    """Base of all errors that MailAI raises on purpose; the text may be shown to people."""


class SettingError(MailAIError):
    """An environment variable holds nonsense, or a required one is missing."""


class InputError(MailAIError):
    """What a person gave (a file, a rule, a specification) can't be used; says what to do."""


class StateError(MailAIError):
    """The thing is not in a state that allows this (for example: a finished campaign can't be sent)."""


class KeyRingError(MailAIError):
    """No key of the ring opens this value, or the ring is empty."""


class ArtefactError(MailAIError):
    """A stored model is missing, truncated or was changed since training."""


class DeliveryError(MailAIError):
    """A message could not be handed over.

    permanent : the same message will be refused again, do not retry.
    in_doubt : the other side may have taken it; never send it again by itself.
    broken : the connection is gone, the next message needs a new one.
    """

    def __init__(self, message: str, *, permanent: bool = False, in_doubt: bool = False, broken: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.in_doubt = in_doubt
        self.broken = broken
