"""Questions that a person must answer before a host can be reached: keys to trust, pass phrases, passwords."""

from __future__ import annotations

import asyncssh

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import QuestionAnswered
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.credentials import Credentials, kept_name
from guardian_tui.engine.remote.pins import Pin, Pins, pattern_of
from guardian_tui.engine.remote.target import Target
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound
from guardian_tui.protocol.fleet import Answer, Question


class Questions:
    """Asks, once per host and kind, and carries out the answers."""

    def __init__(
        self, live: Live, pins: Pins, credentials: Credentials, vault: Vault, bus: Bus, clock: Clock
    ) -> None:
        self._live = live
        self._pins = pins
        self._credentials = credentials
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._asked: dict[str, tuple[Target, str]] = {}
        """Question id → its target and, for keys, the public key that was seen."""

    def about_key(
        self, target: Target, key: asyncssh.SSHKey, pinned: tuple[asyncssh.SSHKey, ...]
    ) -> Question:
        """Ask whether a key that was seen is to be trusted; the question follows the key if that changes."""
        seen = key.export_public_key().decode().split()
        kind = "changed_key" if pinned else "host_key"
        words = (
            f"{target.name} shows another key than the one that is pinned. Either it was set up anew, or somebody stands between."
            if pinned
            else f"{target.name} is new. Compare the fingerprint with one that you got another way."
        )
        question = Question(
            id=f"{target.host_id}-key", host_id=target.host_id, host=target.name, kind=kind, words=words,  # type: ignore[arg-type]  # one of its literals
            asked_at=self._clock.now(), algorithm=seen[0], fingerprint=key.get_fingerprint(),
            pinned_fingerprint=pinned[0].get_fingerprint() if pinned else "",
        )  # fmt: skip
        return self._ask(question, target, f"{seen[0]} {seen[1]}")

    def about_secret(self, target: Target, kind: str, words: str) -> Question:
        """Ask for a pass phrase or a password."""
        question = Question(
            id=f"{target.host_id}-{kind}", host_id=target.host_id, host=target.name, kind=kind, words=words,  # type: ignore[arg-type]  # one of its literals
            asked_at=self._clock.now(),
        )  # fmt: skip
        return self._ask(question, target, "")

    def _ask(self, question: Question, target: Target, key: str) -> Question:
        self._asked[question.id] = (target, key)
        old = self._live.questions.get(question.id)
        if old is not None and (old.kind, old.fingerprint) == (question.kind, question.fingerprint):
            return old
        self._live.questions.put(question.id, question, target.labels)
        return question

    def relabel(self, target: Target) -> None:
        """A host has other labels now: they decide who sees its questions."""
        for kind in ("key", "passphrase", "password"):
            id = f"{target.host_id}-{kind}"
            question = self._live.questions.get(id)
            if question is not None and id in self._asked:
                self._asked[id] = (target, self._asked[id][1])
                self._live.questions.put(id, question, target.labels)

    def withdraw(self, host_id: str) -> None:
        """The host is gone, or needs no answer any more."""
        for kind in ("key", "passphrase", "password"):
            id = f"{host_id}-{kind}"
            self._asked.pop(id, None)
            self._live.questions.drop(id)

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"questions.answer": self.answer}

    async def answer(self, call: Call, request: Answer) -> Done:
        """`questions.answer`: pin a key, or take a pass phrase; the fingerprint is compared again."""
        asked = self._asked.get(request.question)
        question = self._live.questions.get(request.question)
        call.host_in_scope(asked[0].labels if asked else None, "the question")
        if asked is None or question is None:
            raise NotFound("The question is no longer asked.")
        target, key = asked
        if question.kind in ("host_key", "changed_key"):
            await self._answer_key(call, request, question, target, key)
        else:
            await self._answer_secret(call, request, question, target)
        self._bus.publish(QuestionAnswered(target.host_id))
        return Done()

    async def _answer_key(
        self, call: Call, request: Answer, question: Question, target: Target, key: str
    ) -> None:
        body = {"fingerprint": question.fingerprint, "accept": request.accept, "kind": question.kind}
        if request.accept and request.fingerprint != question.fingerprint:
            raise Conflict(
                "The host shows another key now than the one you saw; look again.", field="fingerprint"
            )
        async with call.change(target.name, body=body) as tx:
            if request.accept and question.kind == "changed_key":
                await self._pins.replace(tx, target.address, target.port, key, call.actor)
            elif request.accept:
                await self._pins.add(
                    tx, [Pin("key", pattern_of(target.address, target.port), key)], call.actor
                )
            tx.after_commit(lambda: self._close(question.id))

    async def _answer_secret(self, call: Call, request: Answer, question: Question, target: Target) -> None:
        if request.accept and not request.secret:
            raise InvalidRequest("Nothing was given.", field="secret")
        async with call.change(
            target.name, body={"kind": question.kind, "accept": request.accept, "keep": request.keep}
        ) as tx:
            if request.accept and request.keep:
                await self._vault.put_secret(
                    tx, kept_name(target.name, question.kind), request.secret.encode()
                )

            def done() -> None:
                if request.accept:
                    self._credentials.give(target.host_id, question.kind, request.secret)
                self._close(question.id)

            tx.after_commit(done)

    def _close(self, question_id: str) -> None:
        self._asked.pop(question_id, None)
        self._live.questions.drop(question_id)
