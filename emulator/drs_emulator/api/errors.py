"""The service's error codes that the emulator returns, with the HTTP status and text from the appendix."""

from __future__ import annotations

from typing import Any

# code: (HTTP status, text). From drs_05_0004, the API gateway's table, and for M00289 the Terraform provider.
CODES: dict[str, tuple[int, str]] = {
    "DRS.M00002": (422, "The returned result is empty."),
    "DRS.M00004": (500, "Service is abnormal. Check logs."),
    "DRS.M00007": (400, "Invalid request parameter."),
    "DRS.M00100": (403, "Invalid token."),
    "DRS.M00103": (401, "You do not have operation permissions. Check account permissions on IAM."),
    "DRS.M00200": (400, "Parameter error."),
    "DRS.M00201": (400, "The parameter {} is empty."),
    "DRS.M00202": (400, "The value of parameter {} is invalid."),
    "DRS.M00211": (400, "The value of Page exceeds the upper limit."),
    "DRS.M00261": (403, "Invalid project ID."),
    "DRS.M00277": (422, "The task name already exists."),
    "DRS.M00289": (400, "job does not exist"),
    "DRS.M00300": (400, "Invalid request, {}"),
    "DRS.M00301": (400, "There are duplicate {} in request."),
    "DRS.M00302": (
        400,
        "The transfer schema is invalid, please refer to supported transfer schema.",
    ),
    "DRS.M00303": (400, "The corresponding parameter is not obtained from the cache."),
    "DRS.M00304": (400, "This API cannot be called in the current task status."),
    "DRS.M00305": (400, "Parameter error:{}"),
    "DRS.M00306": (400, "Start time cannot be the same as end time."),
    "DRS.M00307": (400, "Only subtasks can invoke this interface."),
    "DRS.M00308": (400, "Only parent tasks can invoke this interface."),
    "DRS.M00402": (400, "The subtask already exists."),
    "DRS.M00403": (400, "This task does not support flow control."),
    "DRS.M01503": (400, "Operation too frequent. Try again later."),
    "DRS.M01504": (
        202,
        "Another operation is being performed on the migration task or the migration task is abnormal.",
    ),
    "DRS.M05003": (400, "Task information not found."),
    "DRS.M05004": (400, "The task has been deleted or the resource has been released."),
    "DRS.M07000": (400, "The data transformation already exists."),
    "DRS.KE0002": (400, "The username or password is incorrect."),
    "APIGW.0101": (404, "The API does not exist or has not been published in the environment."),
    "APIGW.0103": (405, "The request method is not allowed."),
    "APIGW.0301": (401, "Incorrect IAM authentication information."),
    "APIGW.0308": (429, "The throttling threshold has been reached."),
    "APIGW.0613": (503, "The IAM service is currently unavailable."),
}


class ApiError(Exception):
    """An error response to a whole request or, as the value of a job, to that job."""

    def __init__(
        self, code: str, detail: str = "", *, status: int | None = None, message: str | None = None
    ) -> None:
        known_status, text = CODES.get(code, (400, "Parameter error."))
        super().__init__(code)
        self.code = code
        self.status = known_status if status is None else status
        self.message = message or text.format(detail)

    def to_body(self) -> dict[str, Any]:
        """Return the body of an error response to a whole request."""
        return {"error_code": self.code, "error_msg": self.message}
