-- Defines the views of the public schema.
--
-- Terms
-- Wide columns may fill a line of a terminal: digests, attempts, fingerprints, arrays, JSON. They come last, except in
-- mpc.studies, because scripts depend on its order.
--
-- Security
-- A member of mpc_study or mpc_admin sees every study. Another role sees the versions of studies of which it is a
-- reader (44_readers.sql), also through functions of its own (security_barrier). The views show the counts of this node
-- only. They have no match count below the agreed minimum and no sizes of the sources of other parties.

CREATE VIEW mpc.studies WITH (security_barrier) AS
SELECT s.study, s.version, s.digest, s.state, s.proposer, s.proposed_at, least(s.expires_at, s.approvals_expire_at) AS expires_at,
       s.n_matched, s.sqlstate,
       coalesce(nullif(concat_ws(': ', s.last_error, s.error_detail), ''),
                CASE WHEN s.state IN ('rejected', 'withdrawn') THEN s.objection END) AS last_error,
       s.spec::jsonb AS spec
  FROM mpc_internal.study_versions AS s
 WHERE s.version = (SELECT max(o.version) FROM mpc_internal.studies AS o
                     WHERE o.study = s.study AND (mpc_internal.sees_every_study() OR (o.study, o.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r)))
UNION ALL
SELECT d.study, coalesce((SELECT max(s.version) FROM mpc_internal.studies AS s WHERE s.study = d.study), 0) + 1, d.digest,
       'draft', NULL, NULL, NULL, NULL, NULL, NULL, d.spec::jsonb
  FROM mpc_internal.drafts AS d WHERE mpc_internal.sees_every_study();
COMMENT ON VIEW mpc.studies IS
'latest version of each study known here (for a reader of some versions: the latest of them), and drafts of this node; state: draft, proposed, approved, running, released, rejected, withdrawn, rehearsed, cancelled, failed or expired';

CREATE VIEW mpc.approvals WITH (security_barrier) AS
SELECT a.study, a.version, a.party, a.decision, coalesce(a.stated_at, a.decided_at) AS decided_at, a.source_name AS source, a.decided_by,
       a.expires_at, CASE WHEN a.decided_by IS NULL THEN a.decided_at END AS received_at, a.data_number, a.two_valued, a.reason,
       encode(a.commitment, 'hex') AS commitment
  FROM mpc_internal.approvals AS a JOIN mpc_internal.studies AS s
    ON s.study = a.study AND s.version = a.version AND s.digest = a.digest AND a.party = ANY (s.parties)
 WHERE (mpc_internal.sees_every_study() OR (a.study, a.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r));
COMMENT ON VIEW mpc.approvals IS
'decision of each party on each version (approved, rejected, withdrawn, or void: approved before the data of another party changed) and until when an approval is valid; source and decided_by are known for this node only. data_number: which version of its data a controller brings (1 as in earlier studies), two_valued: its columns with at most two values, commitment: the commitment of its approval. decided_at: when the party decided, by its own clock; received_at: when this node received it, NULL for its own decisions';

CREATE VIEW mpc.study_history WITH (security_barrier) AS
SELECT l.study, (l.detail ->> 'version')::integer AS version, l.at, l.event, l.party, l.detail ->> 'by' AS role, l.id,
       l.detail - '{version,by}'::text[] AS detail, l.attempt
  FROM mpc_internal.ledger AS l
 WHERE l.event IN ('drafted', 'proposed', 'approved', 'rejected', 'withdrawn', 'void', 'asked', 'started', 'released', 'rehearsed', 'failed', 'cancelled')
   AND (mpc_internal.sees_every_study() OR l.id IN (SELECT e.id FROM mpc_internal.entry_versions AS e JOIN mpc_internal.readable_versions AS r USING (study, version)))
UNION ALL
SELECT s.study, s.version, least(s.expires_at, s.approvals_expire_at), 'expired', NULL, NULL, NULL, '{}', NULL
  FROM mpc_internal.current_studies AS s WHERE s.state = 'expired'
   AND (mpc_internal.sees_every_study() OR (s.study, s.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r));
COMMENT ON VIEW mpc.study_history IS
'life cycle of every study from the ledger: events with party and time; role is the role of this node that drafted, proposed, decided, or asked for a start or a cancellation, NULL for other parties; id is the entry of the ledger';

CREATE VIEW mpc.parties AS
SELECT p.party,
       (SELECT string_agg(DISTINCT CASE WHEN s.parties[3] = p.party THEN 'third_party' ELSE 'controller' END, ', ')
          FROM mpc_internal.studies AS s WHERE p.party = ANY (s.parties)) AS role,
       p.url, p.fingerprint, p.not_after, p.last_seen,
       floor(extract(epoch FROM p.not_after - now()) / 86400)::integer AS days_to_expiry,
       p.next_not_after, p.next_fingerprint
  FROM mpc_internal.peers AS p;
COMMENT ON VIEW mpc.parties IS 'peers of this node; role as in the studies known here (controller, third_party), NULL before the first; next_fingerprint is accepted too while the peer changes its certificate';

CREATE VIEW mpc.steps WITH (security_barrier) AS
SELECT s.study, s.version, s.party, s.step, s.name, s.peer, s.records, s.bytes, s.seconds, s.data_status, s.finished_at,
       s.cpu_seconds, s.kernel_seconds, s.destroyed, s.attempt
  FROM mpc_internal.steps AS s WHERE (mpc_internal.sees_every_study() OR (s.study, s.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r)) ORDER BY s.id;
COMMENT ON VIEW mpc.steps IS 'finished steps of this node in the order in which they ended: what the data was then, what was destroyed; processor seconds of the engine, and of them in batch computations (kernels)';

CREATE VIEW mpc.models WITH (security_barrier) AS
SELECT f.study, f.version, f.lambda, f.n, f.nonzero, mpc_internal.released_digits(f.r_squared, f.r_squared_grid) AS r_squared,
       mpc_internal.released_digits(f.adjusted_r_squared, f.r_squared_grid) AS adjusted_r_squared, f.released_at, m.intercept,
       m.attribute, m.party, m.coefficient, f.analysis
  FROM mpc_internal.fit_rows AS f,
       LATERAL (SELECT array_agg(c.attribute ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS attribute,
                       array_agg(c.party ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS party,
                       array_agg(d.coefficient ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS coefficient,
                       min(d.coefficient) FILTER (WHERE c.party IS NULL) AS intercept
                  FROM mpc_internal.coefficient_rows AS c, LATERAL (SELECT mpc_internal.released_digits(c.coefficient, c.grid)) AS d (coefficient)
                 WHERE c.study = f.study AND c.version = f.version AND c.analysis = f.analysis AND c.lambda = f.lambda) AS m
 WHERE mpc_internal.reads_every_result() OR (f.study, f.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r);
COMMENT ON VIEW mpc.models IS
'a row per released model: attribute, party and coefficient are arrays in the same order, the intercept is a column of its own. Numbers are shown as in mpc.coefficients';

CREATE VIEW mpc.ledger WITH (security_barrier) AS
SELECT l.id, l.at, l.study, l.event, l.party, l.detail, l.attempt, s.prev_hash, s.hash
  FROM mpc_internal.ledger AS l LEFT JOIN mpc_internal.ledger_seals AS s USING (id)
 WHERE l.study IS NULL OR mpc_internal.sees_every_study()
    OR l.id IN (SELECT e.id FROM mpc_internal.entry_versions AS e JOIN mpc_internal.readable_versions AS r USING (study, version));
COMMENT ON VIEW mpc.ledger IS
'append-only record of this node, an entry per event: peers, proposals, decisions, attempts, steps (what was sent to whom, what was destroyed, data status with the reason per criterion), what was opened, heads of the peers'' ledgers; hash chain, see mpc.verify_ledger() and mpc.export_ledger()';

CREATE VIEW mpc.stat_study_progress WITH (security_barrier) AS
SELECT p.pid, p.study, p.step, p.phase, p.done, p.total, p.seconds, p.awaited, p.rounds, p.rounds_estimated, p.bytes_sent,
       p.started_at, p.attempt
  FROM mpc_internal.progress() AS p
 WHERE mpc_internal.sees_every_study()
    OR (p.study, p.attempt) IN (SELECT s.study, s.attempt FROM mpc_internal.studies AS s JOIN mpc_internal.readable_versions AS r USING (study, version));
COMMENT ON VIEW mpc.stat_study_progress IS
'running engines of this node and how far they are; total is 0 where this node does not know it; rounds = messages exchanged in steps 7 and 8 and how many a study of this kind typically takes; seconds = time in this phase; awaited = the peer whose message is awaited, if that takes noticeably long';
