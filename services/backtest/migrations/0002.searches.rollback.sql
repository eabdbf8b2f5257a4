DROP TABLE artefact;
DROP TABLE trial;
ALTER TABLE run DROP COLUMN pause_wanted;
UPDATE run SET status = 'failed', error = 'paused' WHERE status = 'paused';
ALTER TABLE run DROP CONSTRAINT run_status_check;
ALTER TABLE run ADD CONSTRAINT run_status_check CHECK (status IN ('queued', 'running', 'finished', 'failed'));
