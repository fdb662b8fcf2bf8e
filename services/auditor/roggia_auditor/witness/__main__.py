"""`python -m roggia_auditor.witness`: run a witness in the foreground."""

from __future__ import annotations

import sys
import time
from collections import defaultdict

import uvicorn
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.settings import load
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from roggia_auditor.errors import KeyFileError
from roggia_auditor.tlog.keys import Kind, SignerKey, VerifierKey
from roggia_auditor.witness.judging import MAX_BODY, PLAIN_TYPE, Answer, Witness
from roggia_auditor.witness.memory import SqliteMemory
from roggia_auditor.witness.settings import WitnessSettings


def application(witness: Witness) -> Starlette:
    """The witness over HTTP."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY:
                return Response(f"more than {MAX_BODY} bytes\n", 413, media_type=PLAIN_TYPE)
        answer: Answer = await run_in_threadpool(witness.add_checkpoint, body)
        return Response(answer.body, answer.status, media_type=answer.kind)

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])


def build(settings: WitnessSettings) -> Witness:
    """A witness as the settings say. Raises `KeyFileError`."""
    try:
        signer = SignerKey.parse(settings.key.read_text())
    except OSError as error:
        raise KeyFileError(f"ROGGIA_WITNESS_KEY: {settings.key} cannot be read ({error.strerror})") from error
    if signer.kind is not Kind.WITNESS:
        raise KeyFileError(
            f"ROGGIA_WITNESS_KEY: {settings.key} is a log's key; make one with roggia audit key --witness"
        )
    keys: dict[str, list[VerifierKey]] = defaultdict(list)
    for text in settings.logs:
        key = VerifierKey.parse(text)
        keys[key.name].append(key)
    return Witness(keys, signer, SqliteMemory(settings.memory), lambda: int(time.time()))


def main() -> int:
    """Run until stopped; return the exit status."""
    try:
        settings = load(WitnessSettings)
        witness = build(settings)
    except ConfigurationError as error:
        sys.stderr.write(f"witness: {error}\n")
        return 2
    uvicorn.run(application(witness), host=settings.host, port=settings.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
