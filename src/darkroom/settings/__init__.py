"""What an operator may set: `Settings` is the whole, the others are its parts.

Sources, the strongest first: command-line flags, `DARKROOM_*` variables (nested with `__`),
Google's own variables, `darkroom.toml`, defaults. Nothing here is read at import time.
"""

from darkroom.settings.budget import Budget
from darkroom.settings.gates import Duplicate, Gates
from darkroom.settings.inbox import Inbox
from darkroom.settings.limits import Limits
from darkroom.settings.notices import Notices, Target
from darkroom.settings.provider import GCS, AIStudio, Gemini, Imagen, ServiceTier, Simulator, Vertex
from darkroom.settings.proxy import Mode, Proxy, ProxyPrice
from darkroom.settings.references import Policy, References, ReferenceSet
from darkroom.settings.row import Defaults, Output, Routing, Template, Variants
from darkroom.settings.schedule import Schedule
from darkroom.settings.settings import Settings
from darkroom.settings.telling import Log, LogFormat, LogLevel, Trace
from darkroom.settings.value import Cap, Money
from darkroom.settings.work import Batches, OnLost, Rules, Work

__all__ = [
    "GCS",
    "AIStudio",
    "Batches",
    "Budget",
    "Cap",
    "Defaults",
    "Duplicate",
    "Gates",
    "Gemini",
    "Imagen",
    "Inbox",
    "Limits",
    "Log",
    "LogFormat",
    "LogLevel",
    "Mode",
    "Money",
    "Notices",
    "OnLost",
    "Output",
    "Policy",
    "Proxy",
    "ProxyPrice",
    "ReferenceSet",
    "References",
    "Routing",
    "Rules",
    "Schedule",
    "ServiceTier",
    "Settings",
    "Simulator",
    "Target",
    "Template",
    "Trace",
    "Variants",
    "Vertex",
    "Work",
]
