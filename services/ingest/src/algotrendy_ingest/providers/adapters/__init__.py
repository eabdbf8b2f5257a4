"""One file a provider: how a question becomes a request, and a reply an answer. All of it is pure."""
