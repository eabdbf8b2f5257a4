"""``python -m algotrendy_ingest``"""

from algotrendy_common.settings import load_or_exit

from algotrendy_ingest.service import build_app
from algotrendy_ingest.settings import IngestSettings

if __name__ == "__main__":
    build_app(load_or_exit(IngestSettings, "ingest")).run()
