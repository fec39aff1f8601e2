"""BigQuery's jobs: one id for one call, retries where the API says so, what a job cost, and its errors as sentences.

Belongs here: sending work and waiting for it. Does not belong here: what the work is.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY
from requests import RequestException

from ai_usage.warehouse.base import WarehouseBusyError, WarehouseError

# What BigQuery says may be tried again: https://cloud.google.com/bigquery/docs/error-messages. A job's id is used up by a failed job.
TRANSIENT = {"backendError", "internalError", "jobBackendError", "jobInternalError", "jobRateLimitExceeded", "rateLimitExceeded"}
CONFLICT = "aborted due to concurrent update"  # two transactions changed one table: the later one is to begin again
PATIENCE_S = 600.0
PATIENT = DEFAULT_RETRY.with_timeout(60)  # for one request: the library's ten minutes of silence look like a hang


class Jobs:
    """Jobs of one project and location. `labels` is asked before each job: which asset, run and partition it works for."""

    def __init__(
        self, client: Callable[[], bigquery.Client], place: str, location: str, max_bytes_billed: int,
        labels: Callable[[], Mapping[str, str]], patience_s: float = PATIENCE_S, backoff_s: float = 1.0,
    ) -> None:  # fmt: skip
        self._client, self.place, self.location = client, place, location
        self._max_bytes, self._labels = max_bytes_billed, labels
        self._retry = Retry(predicate=_may_be_retried, initial=backoff_s, maximum=32.0, multiplier=2.0, timeout=patience_s)
        self._calls: dict[str, Iterator[int]] = {}
        self._spent: dict[str, int] = {}
        self._lock = threading.Lock()

    def query(self, sql: str, parameters: list[Any], *, writes: bool, once: str = "", seconds: float | None = None) -> bigquery.QueryJob:
        """Run a statement or a script to its end. What writes carries an id, so that repeating a lost request finds the job of the first.

        `once` names the call, as the time of a replacement does: another process that makes the same call finds the same job. Without it the
        id is of this call alone, since the same words are meant each time they are said: a DELETE, a view's DDL, a model without parameters.
        After `seconds` BigQuery ends the job itself.
        """
        config = bigquery.QueryJobConfig(
            default_dataset=self.place, query_parameters=parameters, maximum_bytes_billed=self._max_bytes, labels=self.labels(),
            use_query_cache=not writes, job_timeout_ms=seconds and int(seconds * 1000),
        )  # fmt: skip
        asked = f"{sql}\n{[p.to_api_repr() for p in parameters]}\n{once or uuid.uuid4()}"
        return self._run(
            self._id("query", asked) if writes else None,
            lambda client, job_id: client.query(
                sql, job_config=config, job_id=job_id, location=self.location, retry=PATIENT, job_retry=None
            ),
        )

    def load(self, table: str, file: Any, size: int, config: bigquery.LoadJobConfig) -> bigquery.LoadJob:
        """Load one Parquet file into a table, all or nothing. The id is made of the file's bytes: the same load twice is one job."""
        config.labels = self.labels()
        digest = hashlib.file_digest(file, "sha256").hexdigest()

        def insert(client: bigquery.Client, job_id: str | None) -> bigquery.LoadJob:
            return client.load_table_from_file(
                file, f"{self.place}.{table}", rewind=True, size=size, job_id=job_id, job_config=config, location=self.location
            )

        return self._run(self._id(f"load-{table}", digest), insert)

    def labels(self) -> dict[str, str]:
        """The labels of a job sent now, in the letters that BigQuery allows: at most 63 of a-z, 0-9, - and _."""
        return {_label(k): _label(v) for k, v in {"managed_by": "ai_usage", **self._labels()}.items() if v}

    def spent(self) -> dict[str, int]:
        """What the jobs since the last call cost. A number that BigQuery does not give is absent, not 0."""
        with self._lock:
            spent, self._spent = self._spent, {}
        return spent

    def _id(self, kind: str, asked: str) -> str:
        """Equal for the first call with equal content in any process. A process that asks the same a second time means it, and gets
        another id: the tables may have changed between the two."""
        digest = hashlib.sha256(f"{self.place}\n{asked}".encode()).hexdigest()[:32]
        with self._lock:
            call = next(self._calls.setdefault(digest, itertools.count()))
        return f"ai_usage-{kind}-{digest}-{call}"

    def _run(self, base: str | None, insert: Callable[[bigquery.Client, str | None], Any]) -> Any:
        attempts = itertools.count()

        def attempt() -> Any:
            job_id = f"{base}-{next(attempts)}" if base else None
            with self.words():
                client = self._client()
            try:
                job = insert(client, job_id)
            except api.Conflict:  # an earlier attempt reached BigQuery, though its answer did not reach us
                job = client.get_job(str(job_id), location=self.location)
            try:
                job.result()
            finally:
                self._note(job)
            return job

        with self.words():
            return self._retry(attempt)()

    def _note(self, job: Any) -> None:
        found = {
            "jobs": 1, "bytes_billed": getattr(job, "total_bytes_billed", None),
            "slot_ms": getattr(job, "slot_millis", None) or job._properties.get("statistics", {}).get("totalSlotMs"),
        }  # fmt: skip
        with self._lock:
            for name, value in found.items():
                if value is not None:
                    self._spent[name] = self._spent.get(name, 0) + int(value)

    @contextmanager
    def words(self) -> Iterator[None]:
        """Errors of Google's libraries leave as one sentence."""
        try:
            yield
        except (api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError, RequestException) as error:
            raise worded(error, self.place, self.location) from error


def reason(error: BaseException) -> str:
    """The API's own word for what went wrong: accessDenied, rateLimitExceeded, ..."""
    errors = getattr(error, "errors", None) or [{}]
    return str(errors[0].get("reason", "")) if isinstance(errors[0], dict) else ""


def _may_be_retried(error: BaseException) -> bool:
    return isinstance(error, api.GoogleAPICallError) and (reason(error) in TRANSIENT or CONFLICT in str(error))


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]


def worded(error: Exception, place: str, location: str) -> WarehouseError:
    """One sentence with the remedy."""
    if isinstance(error, api.RetryError) and isinstance(error.cause, RequestException | auth.GoogleAuthError):
        return worded(error.cause, place, location)
    if isinstance(error, api.RetryError):
        said = _said(error.cause) if error.cause else "no answer"
        kind = WarehouseBusyError if CONFLICT in said else WarehouseError
        return kind(f"BigQuery kept refusing until patience ended ({said}); nothing was half-written, run again later.")
    if isinstance(error, auth.DefaultCredentialsError):
        return WarehouseError(
            "there are no Google credentials here; set GOOGLE_APPLICATION_CREDENTIALS to a service account's JSON key file, or run "
            "`gcloud auth application-default login`."
        )
    if isinstance(error, auth.GoogleAuthError):
        return WarehouseError(
            f"Google refused the credentials ({_said(error)}); set GOOGLE_APPLICATION_CREDENTIALS to a key that is valid."
        )
    if isinstance(error, RequestException):
        return WarehouseError(
            f"BigQuery cannot be reached ({_said(error)}); see to the network or AI_USAGE_BIGQUERY_ENDPOINT, then run again."
        )
    said = _said(error)
    if isinstance(error, api.Forbidden) and reason(error) in {"accessDenied", ""}:
        role = (
            f"roles/bigquery.jobUser on the project {place.split('.')[0]}" if "jobs.create" in said
            else f"roles/bigquery.dataEditor on the dataset {place}"
        )  # fmt: skip
        return WarehouseError(f"BigQuery denies access ({said}); give the service account {role} (docs/how-to/bigquery.md).")
    if isinstance(error, api.Forbidden):
        return WarehouseError(f"BigQuery refused by quota or billing ({said}); raise the quota or wait, then run again.")
    if isinstance(error, api.NotFound) and "dataset" in said.lower():
        return WarehouseError(
            f"the dataset {place} is not in location {location}; make it with `bq --location={location} mk --dataset "
            f"{place.replace('.', ':')}`, or correct AI_USAGE_BIGQUERY_DATASET and AI_USAGE_BIGQUERY_LOCATION."
        )
    if isinstance(error, api.NotFound):
        return WarehouseError(f"BigQuery has no such thing: {said}; run `ai-usage run` first, or correct the name.")
    if "timed out" in said.lower():
        return WarehouseError(f"the query took too long ({said}); ask for fewer days or rows, or raise AI_USAGE_QUERY_TIMEOUT_S.")
    if "bytes billed" in said.lower() or reason(error) == "bytesBilledLimitExceeded":
        return WarehouseError(f"the question would scan too much ({said}); name fewer days, or raise AI_USAGE_BIGQUERY_MAX_BYTES_BILLED.")
    return WarehouseError(f"BigQuery said: {said}")


def _said(error: BaseException) -> str:
    """The first line of an error, without the library's dressing."""
    message = str(getattr(error, "message", "") or error).strip().splitlines()[0]
    return re.sub(r"^\d{3} |^(?:GET|POST|PATCH|PUT|DELETE) \S+: |; reason: .*$", "", message).rstrip(".")
