"""What `darkroom doctor` says of Vertex AI: the project, and what signs its requests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from darkroom.cli.finding import Finding, Grade
from darkroom.configure import Setting
from darkroom.settings import Settings
from darkroom_manifests.tier import Provider

_ADC: Final = ".config/gcloud/application_default_credentials.json"


def vertex_finding(project: Setting, settings: Settings) -> Finding:
    """State what is set; nothing is sent."""
    own, file = settings.vertex, settings.vertex.credentials_file
    if own.project is None:
        return Finding(Provider.VERTEX, Grade.OK, "no project, not used")
    fact = f"project {own.project} from {project.origin}, {own.location}"
    if own.access_token is not None:
        return Finding(Provider.VERTEX, Grade.OK, f"{fact}, with a token")
    if file is not None:
        if file.is_file():
            return Finding(Provider.VERTEX, Grade.OK, f"{fact}, with {file}")
        fix = "Point GOOGLE_APPLICATION_CREDENTIALS at the service account's file."
        return Finding(Provider.VERTEX, Grade.FAIL, f"{file} is not there", fix)
    if (Path.home() / _ADC).is_file():
        return Finding(Provider.VERTEX, Grade.OK, f"{fact}, with gcloud's credentials")
    fix = "Outside Google Cloud: gcloud auth application-default login."
    return Finding(Provider.VERTEX, Grade.WARN, f"{fact}, without a credentials file", fix)
