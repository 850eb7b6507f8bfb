"""Questions that a person must answer before a host can be reached: keys to trust, pass phrases, passwords."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from guardian_tui.protocol.fleet import Answer, Question
from guardian_tui.protocol.trust import AcceptKeys, AcceptReport, NotAccepted, QuestionList, QuestionsQuery
from guardian_tui.text import counted

_OF_OTHERS = "the key at its address counts for hosts outside your scope too"


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
        self.addresses: Callable[[], Mapping[tuple[str, int], Sequence[Mapping[str, str]]]] = dict
        """Labels of all hosts by address and port: a key is pinned for each of those at its address.  The fleet sets it."""
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
        if not self._asked:
            # nearly always: each connection that is up tells this
            return
        for kind in ("key", "passphrase", "password"):
            id = f"{host_id}-{kind}"
            self._asked.pop(id, None)
            self._live.questions.drop(id)

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "questions.answer": self.answer,
            "questions.list": self.list_,
            "questions.accept": self.accept,
        }

    async def list_(self, call: Call, request: QuestionsQuery) -> QuestionList:
        """`questions.list`: what hosts wait on, by host."""
        words = request.filter.lower().split()
        asked = [
            question
            for question in self._live.questions.rows()
            if question.id in self._asked and call.sees(self._asked[question.id][0].labels)
        ]
        return QuestionList(
            questions=tuple(
                sorted(
                    (q for q in asked if all(word in self._haystack(q) for word in words)),
                    key=lambda q: q.host,
                )
            )
        )

    def _haystack(self, question: Question) -> str:
        labels = self._asked[question.id][0].labels
        return f"{question.host} {question.kind} {question.fingerprint} {' '.join(f'{k}={v}' for k, v in labels.items())}".lower()

    async def accept(self, call: Call, request: AcceptKeys) -> AcceptReport:
        """`questions.accept`: pin the keys of many new hosts in one order; each fingerprint is compared again."""
        seen = {key.question: key.fingerprint for key in request.keys}
        if request.count != len(seen):
            raise Conflict(
                f"It is {counted(len(seen), 'key')}, not {request.count}; look again.", field="count"
            )
        pins: dict[str, Pin] = {}
        refused: list[NotAccepted] = []
        others = self._of_others(call)
        for id, fingerprint in seen.items():
            asked, question = self._asked.get(id), self._live.questions.get(id)
            if asked is None or question is None or not call.sees(asked[0].labels):
                refused.append(NotAccepted(host=id[:80], why="the question is no longer asked"))
            elif question.kind != "host_key":
                refused.append(NotAccepted(host=question.host, why="it wants an answer of its own"))
            elif question.fingerprint != fingerprint:
                refused.append(
                    NotAccepted(host=question.host, why="it shows another key now than the one you saw")
                )
            elif (asked[0].address, asked[0].port) in others:
                refused.append(NotAccepted(host=question.host, why=_OF_OTHERS))
            else:
                pins[id] = Pin("key", pattern_of(asked[0].address, asked[0].port), asked[1])
        targets = {id: self._asked[id][0] for id in pins}
        names = tuple(target.name for target in targets.values())
        if not pins:
            call.unchanged = True
            return AcceptReport(accepted=(), refused=tuple(refused))
        body = {
            "keys": [f"{target.name} {seen[id]}" for id, target in targets.items()],
            "refused": len(refused),
        }
        async with call.change(f"{len(pins)} host keys", body=body) as tx:
            await self._pins.add(tx, pins.values(), call.actor)

            def done() -> None:
                for id, target in targets.items():
                    self._close(id)
                    self._bus.publish(QuestionAnswered(target.host_id))

            tx.after_commit(done)
        return AcceptReport(accepted=names, refused=tuple(refused))

    def settle(self) -> None:
        """More is trusted than before: questions that this answers are closed, and their hosts tried again."""
        for id, (target, key) in list(self._asked.items()):
            question = self._live.questions.get(id)
            if question is None or question.kind not in ("host_key", "changed_key"):
                continue
            trusted = self._pins.trusted(target.address, target.port)
            if asyncssh.import_public_key(key) in trusted.keys:
                self._close(id)
            elif not trusted.authorities:
                continue
            # an authority may have signed the key: the host is asked, and its question closed if it has
            self._bus.publish(QuestionAnswered(target.host_id))

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
        if request.accept and (target.address, target.port) in self._of_others(call):
            raise PermissionDenied(f"{target.name} is not accepted: {_OF_OTHERS}.")
        async with call.change(target.name, body=body) as tx:
            if request.accept and question.kind == "changed_key":
                await self._pins.replace(tx, target.address, target.port, key, call.actor)
            elif request.accept:
                await self._pins.add(
                    tx, [Pin("key", pattern_of(target.address, target.port), key)], call.actor
                )
            tx.after_commit(lambda: self._close(question.id))

    def _of_others(self, call: Call) -> set[tuple[str, int]]:
        """Addresses at which there are hosts that are not the caller's."""
        if call.sees({}):
            return set()
        return {place for place, all_ in self.addresses().items() if not all(map(call.sees, all_))}

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
