"""What can go wrong between Mentos and a chat-completions server, told apart by what to do about it."""

import json
from enum import StrEnum

from bot.conversation.ports import NoReply


class Fault(StrEnum):
    """The row of the error table in docs/operating.md."""

    OVERLOADED = "overloaded"
    TOO_LONG = "too_long"
    """The prompt is: fewer turns may fit."""
    REFUSED = "refused"
    """The request is malformed to this server: a bug of ours, or the wrong kind of server."""
    UNAUTHORISED = "unauthorised"
    UNKNOWN_MODEL = "unknown_model"
    FAILED = "failed"
    """The graphics card or the process behind the server."""
    CUT = "cut"
    UNREACHABLE = "unreachable"
    SLOW = "slow"
    MALFORMED = "malformed"
    """What arrives is no chat-completions stream."""
    ENDLESS = "endless"
    """The reply ran into `max_tokens`: its last sentence is not whole."""


SUSPECT = frozenset(
    {Fault.FAILED, Fault.CUT, Fault.UNREACHABLE, Fault.SLOW, Fault.MALFORMED, Fault.UNAUTHORISED, Fault.UNKNOWN_MODEL}
)
"""After these a server is asked how it is before it is asked for anything else."""


class ChatFault(NoReply):
    """A server gave no whole reply. Its words are ours: what a server says may quote the prompt."""

    def __init__(self, fault: Fault, said: str = "") -> None:
        super().__init__(f"{fault}: {said}" if said else str(fault))
        self.fault = fault


# Text Generation Inference 3.3.7 (router/src/{server,infer/mod}.rs), vLLM and llama.cpp, by how their messages begin
# or what they hold. In a chat stream TGI says status 422 whatever the cause, so that only the words tell.
_BY_BEGINNING = {
    "Model is overloaded": Fault.OVERLOADED,
    "Input validation error": Fault.REFUSED,
    "Request failed during generation": Fault.FAILED,
    "Incomplete generation": Fault.CUT,
}
_OF_LENGTH = ("must have less than", "must be <=", "maximum context length", "context_length_exceeded", "too long")
_BY_STATUS = {
    400: Fault.REFUSED,
    401: Fault.UNAUTHORISED,
    403: Fault.UNAUTHORISED,
    404: Fault.UNKNOWN_MODEL,
    413: Fault.TOO_LONG,
    429: Fault.OVERLOADED,
}


def of_message(message: str) -> ChatFault:
    """Tell a fault by the words of an error event inside a stream."""
    for beginning, fault in _BY_BEGINNING.items():
        if message.startswith(beginning):
            return ChatFault(Fault.TOO_LONG if fault is Fault.REFUSED and _is_of_length(message) else fault, beginning)
    return ChatFault(Fault.TOO_LONG if _is_of_length(message) else Fault.FAILED, "the server reports an error")


def of_status(status: int, body: bytes) -> ChatFault:
    """Tell a fault by a status and the beginning of its body, JSON or plain text."""
    message = _message_in(body)
    if status in {400, 422} and _is_of_length(message):
        return ChatFault(Fault.TOO_LONG, f"status {status}")
    if 300 <= status < 400:
        return ChatFault(Fault.MALFORMED, f"status {status}, a redirection, which is not followed")
    unlisted = Fault.REFUSED if 400 <= status < 500 and status != 424 else Fault.FAILED
    return ChatFault(_BY_STATUS.get(status, unlisted), f"status {status}")


def _is_of_length(message: str) -> bool:
    return any(said in message for said in _OF_LENGTH)


def _message_in(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")
    error = found.get("error", found.get("detail")) if isinstance(found, dict) else found
    return json.dumps(error, ensure_ascii=False)
