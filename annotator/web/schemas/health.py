"""The server's health as JSON."""

from __future__ import annotations

from pydantic import BaseModel


class Health(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """Whether work can be done. `database` is "ok" or what is wrong, `model` the model's name or why there is none."""

    ready: bool
    database: str
    model: str
