"""What the commands of the registry do on every screen: one method per command, named after it; one module per feature."""

from __future__ import annotations

from guardian_tui.ordinary.alerts import AlertCommands
from guardian_tui.ordinary.approvals import ApprovalCommands
from guardian_tui.ordinary.backups import BackupCommands
from guardian_tui.ordinary.bulk import BulkCommands
from guardian_tui.ordinary.checks import CheckCommands
from guardian_tui.ordinary.going import GoingCommands
from guardian_tui.ordinary.hosts import HostCommands
from guardian_tui.ordinary.importing import ImportCommands
from guardian_tui.ordinary.looking import LookingCommands
from guardian_tui.ordinary.questions import QuestionCommands
from guardian_tui.ordinary.reaching import ReachingCommands
from guardian_tui.ordinary.runbooks import RunbookCommands
from guardian_tui.ordinary.saving import SavingCommands
from guardian_tui.ordinary.sections import SectionCommands
from guardian_tui.ordinary.session import SessionCommands
from guardian_tui.ordinary.shells import ShellCommands
from guardian_tui.ordinary.trust import TrustCommands
from guardian_tui.ordinary.views import ViewCommands


class OrdinaryCommands(
    GoingCommands,
    HostCommands,
    BulkCommands,
    QuestionCommands,
    ImportCommands,
    TrustCommands,
    AlertCommands,
    ReachingCommands,
    CheckCommands,
    BackupCommands,
    RunbookCommands,
    ApprovalCommands,
    LookingCommands,
    SavingCommands,
    SectionCommands,
    SessionCommands,
    ShellCommands,
    ViewCommands,
):
    """Mixed into the app: the commands that screens leave to it."""
