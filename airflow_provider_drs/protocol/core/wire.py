"""
Requests, responses and failures, and the steps of a conversation about them.

No library's types enter here.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

#: Bytes that an answer may have. A hundred jobs with all that can be found about each have a fourth of it.
LARGEST_BODY = 32 * 2**20


class Service(Enum):
    """Who is asked. IAM gets credentials in the body, DRS gets a token or a signature in the headers."""

    IAM = "IAM"
    DRS = "DRS"


@dataclass(frozen=True, slots=True)
class Request:
    """
    One call of DRS, ready for either transport.

    ``path`` has ``{project_id}`` where the project belongs: with a password it is known only once IAM has
    answered. ``repeatable``: sending it twice does no harm.
    """

    operation: str
    method: str
    path: str
    body: Mapping[str, Any] | None = field(repr=False)
    repeatable: bool
    job_ids: tuple[str, ...] = ()
    service: Service = Service.DRS

    @property
    def subject(self) -> str:
        """What the call is about, for the text of an error."""
        if not self.job_ids:
            return self.operation
        shown = ", ".join(self.job_ids[:3]) + (", ..." if len(self.job_ids) > 3 else "")
        return f"{self.operation} for {len(self.job_ids)} job{'s' * (len(self.job_ids) > 1)} ({shown})"


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, read whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """200, 201 and 202 are all used; which one, the pages disagree on."""
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        """The service's id of the request; DRS and its gateway name the header differently."""
        return self.headers.get("x-request-id") or self.headers.get("x-openstack-request-id")


class FailureKind(Enum):
    """Why there is no response. The value says it in words."""

    NOT_SENT = "could not connect"
    BROKEN = "the connection broke before an answer was read"
    TIMED_OUT = "no answer in time"
    TOO_LARGE = f"the answer is larger than {LARGEST_BODY // 2**20} MiB"
    CERTIFICATE = "the server's certificate does not verify"
    PROXY_REFUSED = "the proxy refuses the connection"


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """A send that brought no response. ``detail`` is the library's own text, without secrets."""

    kind: FailureKind
    detail: str = ""

    @property
    def maybe_applied(self) -> bool:
        """Whether the service may have acted on the request."""
        return self.kind in (FailureKind.BROKEN, FailureKind.TIMED_OUT, FailureKind.TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Send:
    """Step: send *request* now, and give up on its answer after ``timeout_s`` seconds altogether."""

    request: Request
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Step: wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RenewToken:
    """Step: the token that the last request carried was refused; get another one."""

    operation: str


Step = Send | Pause | RenewToken


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What a transport saw when it did a step.

    :param outcome: the response or failure of a :class:`Send`; ``None`` after another step.
    :param started_s: monotonic seconds when the step began.
    :param now_s: monotonic seconds when it ended.
    :param jitter: a random number from 0 to 1.
    :param wall_s: wall-clock epoch seconds when it ended, for Retry-After dates.
    """

    outcome: Response | TransportFailure | None
    started_s: float
    now_s: float
    jitter: float = 0.0
    wall_s: float = 0.0


#: A conversation yields steps, is sent observations, and returns its result.
Conversation = Generator[Step, Observation, T]


def encode_body(body: Mapping[str, Any] | None) -> bytes:
    """Return the bytes to send; compact, since a signature covers them."""
    return b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
