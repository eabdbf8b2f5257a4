"""``python -m algotrendy_agent``"""

from algotrendy_common.settings import load_or_exit

from algotrendy_agent.service import build_app
from algotrendy_agent.settings import AgentSettings

build_app(load_or_exit(AgentSettings, "agent")).run()
