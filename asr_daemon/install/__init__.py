"""Making a service of it: user, folders, configuration, unit; and taking that away again.

``shipped`` finds the unit files, ``environment`` says what the service starts, ``access`` writes what it may
reach, ``steps`` does the work (or only says it), ``service`` is the story.
"""

from asr_daemon.install.service import Installation, install, uninstall
from asr_daemon.install.steps import Outcome, StepRecord

__all__ = ["Installation", "Outcome", "StepRecord", "install", "uninstall"]
