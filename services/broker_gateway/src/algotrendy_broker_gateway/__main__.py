"""``python -m algotrendy_broker_gateway``"""

from algotrendy_common.settings import load_or_exit

from algotrendy_broker_gateway.service import build_app
from algotrendy_broker_gateway.settings import BrokerGatewaySettings

if __name__ == "__main__":
    build_app(load_or_exit(BrokerGatewaySettings, "broker_gateway")).run()
