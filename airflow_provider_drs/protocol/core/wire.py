"""
Requests, responses and failures, and the steps of a conversation.

No types of libraries are used here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

#: Maximum bytes of a response. 100 jobs with every possible check item need a fourth of it.
LARGEST_BODY = 32 * 2**20


class Service(Enum):
    """
    The service that is called. DRS gets a token or a signature in the headers, the others what the request
    contains.
    """

    IAM = "IAM"
    DRS = "DRS"
    METADATA = "The metadata service"


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret key; a security token belongs to temporary ones."""

    access_key: str
    secret_key: str = field(repr=False)
    security_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """
    One call, for either transport.

    ``path`` contains ``{project_id}``, which is known with a password only after IAM has responded.
    ``repeatable``: sending it twice has the same effect as sending it once. A request to another service than
    DRS contains its credentials: ``headers`` with a token, or ``keys`` that sign it.
    """

    operation: str
    method: str
    path: str
    body: Mapping[str, Any] | None = field(repr=False)
    repeatable: bool
    job_ids: tuple[str, ...] = ()
    service: Service = Service.DRS
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: Keys | None = field(default=None, repr=False)

    @property
    def subject(self) -> str:
        """What the call concerns, for error messages."""
        if not self.job_ids:
            return self.operation
        shown = ", ".join(self.job_ids[:3]) + (", ..." if len(self.job_ids) > 3 else "")
        return f"{self.operation} for {len(self.job_ids)} job{'s' * (len(self.job_ids) > 1)} ({shown})"


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 200, 201 or 202; the documentation is not consistent."""
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        """The service's ID of the request; DRS and its gateway use different headers."""
        return self.headers.get("x-request-id") or self.headers.get("x-openstack-request-id")


class FailureKind(Enum):
    """Why there is no response, as text."""

    NOT_SENT = "could not connect"
    BROKEN = "the connection broke before the response was read"
    TIMED_OUT = "no response in time"
    TOO_LARGE = f"the response is larger than {LARGEST_BODY // 2**20} MiB"
    CERTIFICATE = "the server's certificate is not trusted"
    PROXY_REFUSED = "the proxy rejects the connection"


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """A send without a response. ``detail`` is the library's message, without secrets."""

    kind: FailureKind
    detail: str = ""

    @property
    def maybe_applied(self) -> bool:
        """Whether the service may have acted on the request."""
        return self.kind in (FailureKind.BROKEN, FailureKind.TIMED_OUT, FailureKind.TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Send:
    """Step: send *request* now, and wait at most ``timeout_s`` seconds for its response."""

    request: Request
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RenewToken:
    """Step: renew the token of the last request, which was rejected."""

    operation: str


@dataclass(frozen=True, slots=True)
class Group:
    """
    Step: run conversations side by side, each to its end.

    A transport starts at most ``workers`` workers, numbered from 0. A worker runs one conversation after the
    other, as long as its number is less than the current width.

    :param parts: the conversations. Each is created when a worker takes it, because the batch size and the
        width can shrink in the meantime.
    :param width: returns the maximum number of running conversations; at least 1.
    """

    parts: Iterator[Conversation[None]]
    workers: int
    width: Callable[[], int]

    def take(self, worker: int) -> Conversation[None] | None:
        """Return the next conversation for a worker, or ``None`` if the worker must end."""
        return next(self.parts, None) if worker < self.width() else None


Step = Send | Pause | RenewToken | Group


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What a transport observed when it performed a step.

    :param outcome: the response or failure of a :class:`Send`; ``None`` after another step.
    :param started_s: monotonic seconds at the start of the step.
    :param now_s: monotonic seconds at its end.
    :param jitter: a random number from 0 to 1.
    :param wall_s: epoch seconds at its end, for Retry-After dates.
    """

    outcome: Response | TransportFailure | None
    started_s: float
    now_s: float
    jitter: float = 0.0
    wall_s: float = 0.0


#: A response body that was parsed as a JSON object.
Document = Mapping[str, Any]

#: Yields steps, receives observations, and returns a result.
Conversation = Generator[Step, Observation, T]


def encode_body(body: Mapping[str, Any] | None) -> bytes:
    """Return the bytes to send; compact, because a signature covers them."""
    return b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
