"""Users and their sessions, the REST API, the stream and the web page: the platform's only door for people.

It owns no trading fact. What it shows it has heard or asked for, and what a person commands it records and passes on.
"""
