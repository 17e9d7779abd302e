"""Examines a shop with reads only: what is in order, what to watch, what to repair. May import this room's reads."""

from prestaconsole.webservice.doctor.examine import examine
from prestaconsole.webservice.doctor.finding import Needs, Probe, Verdict
from prestaconsole.webservice.doctor.rights import missing_rights, surplus_rights

__all__ = ["Needs", "Probe", "Verdict", "examine", "missing_rights", "surplus_rights"]
