-- A search's trials are kept one by one, so that whoever takes a run over computes none of them again.
ALTER TABLE run DROP CONSTRAINT run_status_check;
ALTER TABLE run ADD CONSTRAINT run_status_check
    CHECK (status IN ('queued', 'running', 'paused', 'finished', 'failed'));
ALTER TABLE run ADD COLUMN pause_wanted boolean NOT NULL DEFAULT false;

CREATE TABLE trial (
    run_id      text NOT NULL REFERENCES run ON DELETE CASCADE,
    part        int NOT NULL,
    number      int NOT NULL,
    parameters  jsonb NOT NULL,
    status      text NOT NULL CHECK (status IN ('finished', 'pruned', 'refused', 'failed')),
    objective   double precision,
    partial     double precision,
    statistics  jsonb NOT NULL,
    result_hash text,
    error       text,
    seconds     double precision NOT NULL,
    PRIMARY KEY (run_id, part, number)
);
CREATE INDEX trial_best ON trial (run_id, part, objective DESC NULLS LAST);

CREATE TABLE artefact (
    run_id     text NOT NULL REFERENCES run ON DELETE CASCADE,
    name       text NOT NULL,
    media_type text NOT NULL,
    size       bigint NOT NULL,
    sha256     text NOT NULL,
    PRIMARY KEY (run_id, name)
);
