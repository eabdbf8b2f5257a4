"""``python -m algotrendy_gateway``: run the service."""

from algotrendy_common.settings import load_or_exit

from algotrendy_gateway.service import build_app
from algotrendy_gateway.settings import GatewaySettings

if __name__ == "__main__":
    build_app(load_or_exit(GatewaySettings, "gateway")).run()
