"""The only room that speaks QuestDB's SQL and its line protocol.

``tables`` what is kept and how long; ``connection`` the two protocols; ``rows`` events as rows; ``quest`` what the
feed writes and reads; ``questions`` what is asked of history; ``repair`` tables that stopped taking rows.
"""

from algotrendy_ingest.store.quest import QuestStore as QuestStore
