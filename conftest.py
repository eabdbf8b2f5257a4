"""What every test shares: Hypothesis judges properties, never how long a busy machine takes to try them."""

from hypothesis import settings

settings.register_profile("algotrendy", deadline=None)
settings.load_profile("algotrendy")
