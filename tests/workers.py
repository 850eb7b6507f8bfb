"""Runs modules of tests in several processes at once (a plugin of pytest: `-p tests.workers --workers 5`).

Guardian is imported once, and the workers are forked from that.  Each asks for a module when it is done with one, and collects that one alone: a worker that
imports and collects everything, as pytest-xdist's do, spends a quarter of a minute on it.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import multiprocessing
import os
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from tests.order import RECORD, UNKNOWN, Recorded, begins, module_of, write_record
from tests.support.forked import AT, standing_ready

ROOMS = ("guardian_tui", "screens", "widgets", "themes")
LEFT_OUT = (".migrations.", ".__main__.")
END_SECONDS = 60.0
"""A worker that was told to end has so long for its last fixtures."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many, and whether they tell for how long they ran."""
    parser.addoption("--workers", type=int, default=0, help="Run so many modules of tests at once.")
    parser.addoption(
        "--record", action="store_true", help="Write down how long each module ran: tests/durations.txt."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take over from pytest's own loop."""
    if config.getoption("--workers"):
        config.pluginmanager.register(Workers(config), "guardian-workers")


def units(config: pytest.Config) -> list[str]:
    """What a worker asks for at a time: a module, or what was asked for of one; the long ones first."""
    found: list[str] = []
    for argument in config.args:
        path = Path(argument)
        if path.is_dir():
            found += map(str, path.rglob("test_*.py"))
        else:
            found.append(argument)
    unique = {os.path.relpath(one, config.rootpath): None for one in found}
    return sorted(sorted(unique), key=begins)


def import_all() -> None:
    """Import all of the product, which every worker needs."""
    for room in map(importlib.import_module, ROOMS):
        for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            if not any(part in f"{module.name}." for part in LEFT_OUT):
                importlib.import_module(module.name)


@dataclass(eq=False)
class Worker:
    """A process that runs modules, seen from the one that hands them out."""

    process: ForkProcess
    link: Connection
    unit: str = ""


@dataclass(eq=False)
class Workers:
    """Hands modules out and repeats what the workers tell of them."""

    config: pytest.Config
    recorded: dict[str, Recorded] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Each module is collected by the worker that runs it."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all, until one too many failed."""
        with standing_ready() as place, pytest.MonkeyPatch.context() as patch:
            patch.setenv(AT, place)
            self._run(session)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if self.config.option.record and not session.testsfailed:
            write_record(self.recorded)
        return True

    def _run(self, session: pytest.Session) -> None:
        left = units(self.config)
        # for the percentages: what the last record says
        session.testscollected = sum(RECORD.get(module_of(unit), UNKNOWN).tests for unit in left)
        import_all()
        self.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # made once, before they part
        gc.collect()
        gc.freeze()
        workers: list[Worker] = []
        try:
            for number in range(min(self.config.option.workers, len(left))):
                workers.append(self._start(session, number, [one.link for one in workers]))
            self._hand_out(session, iter(left), {one.link: one for one in workers})
        finally:
            for worker in workers:
                worker.link.close()
                worker.process.join(END_SECONDS)
                worker.process.kill()

    def _start(self, session: pytest.Session, number: int, links: list[Connection]) -> Worker:
        ours, theirs = multiprocessing.Pipe()
        others = [*links, ours]
        process = multiprocessing.get_context("fork").Process(
            target=work, args=(session, theirs, number, others)
        )
        process.start()
        theirs.close()
        return Worker(process, ours)

    def _hand_out(
        self, session: pytest.Session, left: Iterator[str], at_work: dict[Connection, Worker]
    ) -> None:
        while at_work:
            for link in wait(list(at_work)):
                assert isinstance(link, Connection)
                worker = at_work[link]
                try:
                    what, told = link.recv()
                except EOFError:
                    del at_work[link]
                    self._died(worker)
                    continue
                if what == "ended":
                    del at_work[link]
                elif what == "next":
                    worker.unit = "" if session.shouldfail else next(left, "")
                    link.send(worker.unit)
                else:
                    getattr(self, f"_{what}")(told)

    def _report(self, told: dict[str, Any]) -> None:
        report = self.config.hook.pytest_report_from_serializable(config=self.config, data=told)
        if isinstance(report, pytest.CollectReport):
            self.config.hook.pytest_collectreport(report=report)
            return
        self.config.hook.pytest_runtest_logreport(report=report)
        if report.failed and (terminal := self.config.pluginmanager.getplugin("terminalreporter")):
            # told at once: the rest of a run takes minutes
            terminal.write(f"\nfailed: {report.nodeid} ({report.when})\n")
        recorded = self.recorded.setdefault(module_of(report.nodeid), Recorded())
        recorded.seconds += report.duration
        recorded.tests += report.when == "call"

    def _warning(self, told: tuple[str, str, str, int, dict[str, Any]]) -> None:
        words, category, file, line, about = told
        message = warnings.WarningMessage(words, type(category, (Warning,), {}), file, line)
        self.config.hook.pytest_warning_recorded.call_historic(kwargs={"warning_message": message, **about})

    def _died(self, worker: Worker) -> None:
        worker.process.join(END_SECONDS)
        words = f"the worker that ran {worker.unit or 'nothing'} died with {worker.process.exitcode}"
        report = pytest.CollectReport(worker.unit, "failed", words, None)
        self.config.hook.pytest_collectreport(report=report)


@dataclass(eq=False)
class Teller:
    """In a worker: tells the one who hands out what came of each test."""

    config: pytest.Config
    link: Connection

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell of a test's phase."""
        self._tell(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of what can't be collected."""
        if report.failed:
            self._tell(report)

    def _tell(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self.link.send(("report", data))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: object
    ) -> None:
        """Tell of a warning."""
        one = warning_message
        about = {"when": when, "nodeid": nodeid, "location": location}
        self.link.send(
            ("warning", (str(one.message), one.category.__name__, one.filename, one.lineno, about))
        )


class Silent:
    """In a worker: stands where the terminal's reporter stood, for those who ask what the terminal can do."""

    def __init__(self) -> None:
        self._tw = TerminalWriter(io.StringIO())


class Beyond(pytest.Item):
    """What comes after the last test of a module: a test of another one, for whose sake the fixtures of the session stay."""

    def runtest(self) -> None:
        """It is never run."""
        raise NotImplementedError


def work(session: pytest.Session, link: Connection, number: int, others: list[Connection]) -> None:
    """Be a worker: ask for modules and run them."""
    config = session.config
    # as the engine does: a third of a console's start was the search for garbage among what stays
    gc.set_threshold(20_000, 20, 20)
    for other in others:
        # whoever waits for its end would wait for ours
        other.close()
    # what the process that hands out does at its end is not ours to do
    atexit._clear()
    os.environ["PYTEST_XDIST_WORKER"] = f"w{number}"
    config.pluginmanager.unregister(name="guardian-workers")
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(Silent(), "terminalreporter")
    config.pluginmanager.register(Teller(config, link))
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()
    factory = config._tmp_path_factory  # type: ignore[attr-defined]  # pytest's own way to hand it on
    factory._basetemp = factory.getbasetemp() / f"w{number}"
    factory._basetemp.mkdir(mode=0o700)
    beyond = Beyond.from_parent(session, name="beyond")
    try:
        while unit := _next(link):
            items = session.perform_collect([unit])
            for item, following in zip(items, [*items[1:], beyond], strict=False):
                config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.shouldfail or session.shouldstop:
                    break
        config.hook.pytest_sessionfinish(session=session, exitstatus=0)
        if leave_note := getattr(sys.modules.get("sitecustomize"), "leave_note", None):
            leave_note()
        link.send(("ended", None))
    except (EOFError, KeyboardInterrupt):
        # nobody hears us any longer
        config.hook.pytest_sessionfinish(session=session, exitstatus=2)
    finally:
        atexit._run_exitfuncs()


def _next(link: Connection) -> str:
    link.send(("next", None))
    return str(link.recv())
