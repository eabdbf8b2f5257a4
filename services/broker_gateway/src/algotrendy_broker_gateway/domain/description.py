"""A venue's capabilities as other services are told them."""

from typing import Any

from algotrendy_common.enums import OrderType

from algotrendy_broker_gateway.domain.capabilities import Capabilities


def described(capabilities: Capabilities) -> dict[str, Any]:
    """Fields of ``rpc.broker_gateway.VenueCapabilities``; every order type is taken, what does not rest is watched."""
    return {
        "order_types": tuple(OrderType),
        "resting": tuple(one for one in OrderType if one in capabilities.resting),
        "times_in_force": tuple(sorted(capabilities.times_in_force)),
        "margin_modes": tuple(sorted(capabilities.margin_modes)),
        "max_leverage": capabilities.max_leverage,
        "reduce_only": capabilities.reduce_only,
        "dead_man_switch": capabilities.dead_man_switch,
        "earn": capabilities.earn,
    }
