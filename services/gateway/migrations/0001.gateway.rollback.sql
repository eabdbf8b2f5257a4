DROP TABLE audit, alerts, backtest_requests, proposals, stream_tickets, refresh_tokens, sessions, users, roles;
DROP FUNCTION refuse_change();
