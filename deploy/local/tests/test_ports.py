import os
import socket

import pytest
from algotrendy_local.errors import StackError
from algotrendy_local.ports import OFFSETS, holder_of, take_block


def listening(port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(1)
    return server


def test_blocks_taken_side_by_side_share_no_port() -> None:
    with take_block(None) as one, take_block(None) as other:
        ports = [block[name] for block in (one, other) for name in OFFSETS]
        assert len(set(ports)) == len(ports)


def test_a_leased_block_is_refused_and_a_released_one_is_given_again() -> None:
    with take_block(None) as block:
        base = block.base
        with pytest.raises(StackError, match="already in use"):
            take_block(base)
    take_block(base).release()


def test_a_taken_port_is_named_with_its_meaning_and_its_holder() -> None:
    with take_block(None) as block:
        base = block.base
    with listening(base), pytest.raises(StackError) as refused:
        take_block(base)
    message = str(refused.value)
    assert f"port {base} (the page) is already in use by" in message
    assert f"(pid {os.getpid()})" in message
    assert "--port-base" in message


def test_nobody_holds_a_free_port() -> None:
    with take_block(None) as block:
        assert holder_of(block["nats"]) == ""
