"""What recording costs beside QuestDB's bare client, and how soon history answers."""
