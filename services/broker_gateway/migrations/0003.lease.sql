-- Which gateway an account belongs to. `epoch` rises with each holder; what an older one writes finds no row.
-- Writers lock the row FOR KEY SHARE, a taker FOR UPDATE, a renewal neither: renewals never wait for writers.
CREATE TABLE leases (
    account    text PRIMARY KEY,
    holder     text NOT NULL,
    epoch      bigint NOT NULL,
    taken_at   timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
