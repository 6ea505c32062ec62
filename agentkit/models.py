"""Chat models by name: `provider:name`, where a plugin registers the provider.

`openai:gpt-5.5`, `anthropic:claude-sonnet-5`, `local`, `local:PATH.gguf`, `http://HOST/v1#NAME`.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from agentkit.errors import AgentkitError, ContextExceeded, ModelNotFound, ProviderError, suggest
from agentkit.plugins import Plugins
from agentkit.redaction import redact
from agentkit.settings import ModelSettings, Settings
from agentkit.specs import ModelSpec, resolve

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

EMBEDDED = "local"
_CLIENTS = ("httpx", "httpx2", "openai._base_client", "anthropic._base_client")
"""Loggers of what the SDKs send with."""
NOT_A_MODEL = "what was sent is not the answer of a chat model"


def choose(settings: Settings, plugins: Plugins, asked: str | None = None) -> str:
    """The name of the model to use: asked for, set, the first provider whose key is there, the embedded one."""
    if asked or settings.model:
        return str(asked or settings.model)
    keyed = [
        g.spec.provider for g in plugins.models.values() if g.spec.key_variable and os.environ.get(g.spec.key_variable)
    ]
    # OpenAI before Anthropic is the documented order; other plugins' providers follow
    keyed.sort(key=lambda provider: {"openai": 0, "anthropic": 1}.get(provider, 2))
    return keyed[0] if keyed else EMBEDDED


def spec_of(name: str, plugins: Plugins) -> ModelSpec:
    """The provider's spec. Raises ModelNotFound, with the nearest provider named."""
    provider = name.partition(":")[0]
    if provider not in plugins.models:
        known = ", ".join(f"{p}:NAME" for p in plugins.models)
        raise ModelNotFound(
            f"model {redact(name)!r}: no plugin offers {provider!r}.{suggest(provider, plugins.models)} Known: {known}."
        )
    return plugins.models[provider].spec


def prepare(name: str, settings: Settings, plugins: Plugins) -> None:
    """Begin what takes long of a model that will be used. Raises ModelNotFound for a provider that nobody offers."""
    spec = spec_of(name, plugins)
    if spec.prepare:
        with suppress(AgentkitError):  # `create` meets the same trouble and tells it
            resolve(spec.prepare)(_rest(name), settings)


def create(name: str, settings: Settings, plugins: Plugins) -> BaseChatModel:
    """Make the chat model. Raises ModelNotFound, ProviderError (a key is missing), MissingExtra."""
    spec = spec_of(name, plugins)
    for logger in _CLIENTS:
        logging.getLogger(logger).addFilter(_masked)
    try:
        model: BaseChatModel = resolve(spec.target)(_rest(name), settings)
    except AgentkitError:
        raise
    except Exception as error:
        raise explain(error, name) from error
    return model


def _rest(name: str) -> str:
    # an address is its own name: the server's scheme must not be guessed again
    return name if "://" in name else name.partition(":")[2]


_REASONS = {
    400: "refused the request as malformed or too long",
    401: "refused the key; check the environment variable that holds it",
    403: "does not allow this key to use the model",
    404: "does not know this model; check its name",
    408: "took too long",
    413: "refused the request as too large",
    429: "is out of quota or limits the rate; wait, or name a fallback in `fallbacks`",
    529: "is overloaded; try again, or name a fallback in `fallbacks`",
}
_LENGTH = re.compile(r"context.{0,3}(?:length|size|window)|prompt is too long", re.IGNORECASE)
_PASSING = (408, 409, 429)
"""HTTP statuses that may pass, beside 5xx."""
# an answer that has begun cannot change its status any more: then the error's type is in the stream
_TOLD_IN_STREAM = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
}


def _masked(record: logging.LogRecord) -> bool:
    """A filter of loggers: HTTP clients log the addresses that they ask, passwords included."""
    record.msg, record.args = redact(record.getMessage()), ()
    return True


def explain(error: BaseException, name: str, bounds: ModelSettings | None = None) -> ProviderError:
    """What went wrong at a provider, in a sentence that never repeats the provider's own text.

    Both SDKs put the HTTP status into `status_code`; their messages may quote a part of the key, so that they are
    kept in the cause alone, with secrets masked. `bounds`: of a remote model, if it is certain that the call failed.
    """
    if _too_long(error):
        explained: ProviderError = ContextExceeded(
            f"model {redact(name)!r}: the conversation is longer than it takes; start a new thread."
        )
    else:
        explained = ProviderError(f"model {redact(name)!r}{_problem(error, bounds)}")
    # not the error itself: a stack trace shows the texts of its causes
    explained.__cause__ = RuntimeError(redact(f"{type(error).__name__}: {error}"))
    return explained


def _too_long(error: BaseException) -> bool:
    from langchain_core.exceptions import ContextOverflowError

    # servers with OpenAI's protocol have no common code for it
    told = _status(error) in (400, 413) and _LENGTH.search(str(error)) is not None
    return told or isinstance(error, ContextOverflowError)


def _problem(error: BaseException, bounds: ModelSettings | None) -> str:
    kind, status = type(error).__name__, _status(error)
    again = "try again, or name a fallback in `fallbacks`"
    if status is not None:
        reason = _REASONS.get(status, f"failed; {again}" if status >= 500 else "refused the request")
        if (asked := retry_after(error)) is not None and status == 429:
            reason = f"limits the rate and asks to wait {round(asked, 1):g} s; wait, or name a fallback in `fallbacks`"
        return f": the provider {reason} (HTTP {status})."
    if _in_causes(error, "ConnectTimeout"):
        return ": the provider cannot be reached; check the network and the address."
    if "Timeout" in kind:
        told = f" for {bounds.silence_seconds:g} s ([models] silence_seconds)" if bounds else " in time"
        return f": no answer{told}; {again}."
    if _breaks_off(error):
        return f": the answer broke off before its end; {again}."
    if "Connect" in kind or isinstance(error, ConnectionError):
        return ": the provider cannot be reached; check the network and the address."
    if bounds and isinstance(error, (ValueError, TypeError, AttributeError, KeyError, IndexError)):
        return f": {NOT_A_MODEL}; check the address, or {again}."
    return f" failed ({kind})."


def is_passing(error: BaseException) -> bool:
    """True if the same call may well succeed in a moment. A provider that was silent is not asked again."""
    told = getattr(error, "response", None)
    if getattr(told, "headers", {}).get("x-should-retry") == "false" or _code(error) == "insufficient_quota":
        return False
    status = _status(error)
    if status is not None:
        return status in _PASSING or status >= 500
    kind = type(error).__name__
    return "Timeout" not in kind and ("Connect" in kind or _breaks_off(error) or isinstance(error, ConnectionError))


def retry_after(error: BaseException) -> float | None:
    """The seconds that the provider asks to wait (Retry-After: seconds or a date), None if it does not say."""
    import time
    from email.utils import parsedate_to_datetime

    headers = getattr(getattr(error, "response", None), "headers", {})
    for header, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers[header]) / divisor)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 400:
        return status
    return _TOLD_IN_STREAM.get(_code(error, "type") or "")


def _code(error: BaseException, key: str = "code") -> str | None:
    """What the provider's error object has under `code` or `type`."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    value = inner.get(key) if isinstance(inner, dict) else None
    return value if isinstance(value, str) else None


def _breaks_off(error: BaseException) -> bool:
    """Did the connection end amid an answer?"""
    return _in_causes(error, "RemoteProtocolError", "ReadError")


def _in_causes(error: BaseException | None, *kinds: str) -> bool:
    """Is the error, or one that it comes from, of one of these kinds? HTTP clients have several packages."""
    while error is not None:
        if type(error).__name__ in kinds:
            return True
        error = error.__cause__ or error.__context__
    return False
