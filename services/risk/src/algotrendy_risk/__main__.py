"""``python -m algotrendy_risk``"""

from algotrendy_common.settings import load_or_exit

from algotrendy_risk.service import build_app
from algotrendy_risk.settings import RiskSettings

build_app(load_or_exit(RiskSettings, "risk")).run()
