"""Routes of trust: questions about host keys, authorities."""

from __future__ import annotations

from guardian_tui.protocol import fleet, trust
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import Route

TRUST: tuple[Route, ...] = (
    Route("questions.list", "GET", "/v1/questions", "hosts.trust", trust.QuestionsQuery, trust.QuestionList,
          "What hosts wait on: keys to accept, pass phrases.", scoping="rows"),
    Route("questions.accept", "POST", "/v1/questions/accept", "hosts.trust", trust.AcceptKeys, trust.AcceptReport,
          "Accept the keys of many new hosts, each as it was seen.", "local", scoping="rows"),
    Route("questions.answer", "POST", "/v1/questions/{question}", "hosts.trust", fleet.Answer, Done,
          "Accept or refuse a host key; give a pass phrase.", "local", scoping="host"),
    Route("authorities.list", "GET", "/v1/authorities", "hosts.see", Nothing, trust.AuthorityList,
          "Authorities that sign host keys, and the hosts they cover.", scoping="rows"),
    Route("authorities.pin", "POST", "/v1/authorities", "authorities.edit", trust.PinAuthority, trust.Authority,
          "Trust the host keys that an authority has signed.", "local", scoping="whole", step_up=True),
    Route("authorities.remove", "DELETE", "/v1/authorities", "authorities.edit", trust.AuthorityRef, Done,
          "Trust an authority no longer.", "local", scoping="whole", step_up=True),
)  # fmt: skip
