"""JSON over HTTP with a token that no message and no log ever shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from governance_core.core import UsageError

if TYPE_CHECKING:
    from requests import Session

TIMEOUT = 10.0  # seconds to connect, and between two bytes of an answer
PAGE = 100


class Api:
    """One REST API.

    Args:
        url: below which every path stands.
        header: name of the header that carries the token.
        token: what stands in that header.
        variable: the environment variable that the token came from, named in errors.
    """

    def __init__(self, url: str, header: str, token: str, variable: str) -> None:
        self._url, self._header, self._token, self.variable = url.rstrip("/"), header, token, variable

    def __repr__(self) -> str:
        return f"Api({self._url!r})"

    def get(self, path: str, *, right: str, **parameters: str) -> Any:
        """Return what a path holds.

        Raises:
            UsageError: if it cannot be had; names the token's variable and the right that this takes.
        """
        return self._ask("GET", path, right, params=parameters)

    def pages(self, path: str, *, right: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """Yield each item of a list; reads a page at a time, so stop early.

        Raises:
            UsageError: as `get`.
        """
        for page in count(1):
            items = self.get(path, right=right, per_page=str(PAGE), page=str(page), **parameters)
            yield from items
            if len(items) < PAGE:
                return

    def send(self, method: str, path: str, body: dict[str, Any], *, right: str) -> dict[str, Any]:
        """Create or change something and return it.

        Raises:
            UsageError: as `get`.
        """
        changed: dict[str, Any] = self._ask(method, path, right, json=body)
        return changed

    @cached_property
    def _session(self) -> Session:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3 import Retry

        def authenticate(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers[self._header] = self._token
            return request

        session = requests.Session()
        session.auth = authenticate  # a header of the session would lose against a password in ~/.netrc
        again = Retry(
            2,
            backoff_factor=0.3,
            status_forcelist=(502, 503, 504),
            allowed_methods=("GET",),
            raise_on_status=False,
            respect_retry_after_header=False,  # which may ask for an hour
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=again))
        return session

    def _ask(self, method: str, path: str, right: str, **arguments: Any) -> Any:
        import requests

        asked = f"{method} {self._url}{path}"
        try:
            # A redirection is not followed: the token would be sent along in its header, to wherever that is.
            answer = self._session.request(
                method, self._url + path, timeout=TIMEOUT, allow_redirects=False, **arguments
            )
            if 200 <= answer.status_code < 300:
                return answer.json()
        except requests.RequestException as error:
            raise UsageError(f"{asked} got no answer that can be read ({type(error).__name__})") from None
        if answer.status_code in (401, 403, 404):
            raise UsageError(
                f"{asked} was answered with {answer.status_code}: the token in {self.variable} is not valid there or "
                f"lacks a right; this takes {right}"
            )
        raise UsageError(f"{asked} was answered with {answer.status_code}: {' '.join(answer.text.split())[:300]}")
