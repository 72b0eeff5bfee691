"""Strategies, a module each: ways to lay out a project's routing; the table, and which one a project has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torchsel.strategies.adopted import Adopted
from torchsel.strategies.named import Named
from torchsel.strategies.pin import Pin
from torchsel.strategies.protocol import Setting, Strategy

TABLE: Mapping[str, type[Strategy]] = MappingProxyType(
    {"pin": Pin, "groups": Named, "extras": Named, "adopted": Adopted}
)


def strategy_of(setting: Setting) -> Strategy:
    """The configured strategy; without a table the project's own extras or groups, where it has any."""
    if setting.project.is_there and not setting.project.is_configured:
        adopted = Adopted(setting=setting)
        if adopted.offers:
            return adopted
    return TABLE[setting.config.strategy](setting=setting)
