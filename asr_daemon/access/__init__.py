"""Who may use the gateway: departments, programs and operators, each with a token.

``access`` says what somebody may, ``store`` keeps it in the history: tokens and log-ins as hashes alone.
"""

from asr_daemon.access.access import EVERY_INBOX, Access, Right, parse_rights
from asr_daemon.access.store import Accesses, LogIn

__all__ = ["EVERY_INBOX", "Access", "Accesses", "LogIn", "Right", "parse_rights"]
