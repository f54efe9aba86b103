-- mpc.explain_study: data sent, learned and destroyed.
SELECT mpc.propose_study('explained', test_spec()) IS NOT NULL AS proposed;
SELECT step, name, party, peer, data_status, destroyed FROM mpc.explain_study('explained') WHERE step > 0;
SELECT name FROM mpc.explain_study('explained') WHERE step = 0;
SELECT learns FROM mpc.explain_study('explained') WHERE name = 'penalty';
-- the same as sentences: this party first, the digest, the part of every party
SELECT party, text LIKE format(E'Study "explained"\nDigest %s\n%%', digest) AS names_the_digest,
       text LIKE format(E'%%\nWhat %s agrees to\n- %s is %%', party, party) AS speaks_to_the_party
  FROM mpc.explain_text('explained'), mpc.studies WHERE study = 'explained';
\pset format unaligned
\pset tuples_only on
SELECT text FROM mpc_internal.explain_spec_text((SELECT spec FROM mpc_internal.studies WHERE study = 'explained')) WHERE party = 'regress';
\pset format aligned
\pset tuples_only off
-- without expected_records nothing that depends on the number of records is estimated
SELECT count(*) FILTER (WHERE step BETWEEN 3 AND 6) AS rows, count(bytes) FILTER (WHERE step BETWEEN 3 AND 6) AS bytes,
       count(records) AS records, count(seconds) AS seconds FROM mpc.explain_study('explained');
SELECT mpc.propose_study('explained', jsonb_set(test_spec(), '{expected_records}', '5000')) IS NOT NULL AS proposed;
SELECT count(bytes) FILTER (WHERE name = 'push') AS bytes, count(seconds) > 0 AS seconds,
       bool_and(records = 5000) FILTER (WHERE name = 'push') AS records FROM mpc.explain_study('explained');
-- it has no figures of the table of this node (rule F5)
CREATE TEMP TABLE before AS SELECT * FROM mpc.explain_study('explained');
CREATE TEMP TABLE agreed AS SELECT digest FROM mpc.studies WHERE study = 'explained' ORDER BY version DESC LIMIT 1;
INSERT INTO patients SELECT 'more' || i, nullif(i, 7), true FROM generate_series(1, 1000) AS i;
SELECT count(*) AS differing FROM (TABLE before EXCEPT SELECT * FROM mpc.explain_study('explained')) AS d;
-- before the approval, with a source: its complete rows are the basis of the rows of this node only
SELECT count(*) AS rows, count(*) FILTER (WHERE bsn IS NOT NULL AND age IS NOT NULL AND smoker IS NOT NULL) AS complete FROM patients;
CREATE TEMP TABLE given AS SELECT * FROM mpc.explain_study('explained', source => 'patients', identifier => 'bsn');
SELECT g.step, g.name, g.party, b.records AS agreed, g.records, g.bytes <> b.bytes AS other_bytes, g.seconds < b.seconds AS less_time
  FROM given AS g JOIN before AS b ON (g.step, g.name, g.party) = (b.step, b.name, b.party) AND g.peer IS NOT DISTINCT FROM b.peer
 WHERE g IS DISTINCT FROM b;
SELECT g.name, g.learns FROM given AS g WHERE g.name LIKE 'estimates: %';
SELECT d.name AS of_others FROM (SELECT * FROM given WHERE party IS DISTINCT FROM 'regress' EXCEPT TABLE before) AS d;
-- after the approval: the count made at the approval, until the source is approved again
SELECT mpc.approve_study('explained', digest, source => 'patients', identifier => 'bsn') FROM agreed;
DELETE FROM patients WHERE bsn LIKE 'more%';
SELECT count(*) AS differing FROM (SELECT * FROM mpc.explain_study('explained') EXCEPT TABLE given) AS d;
SELECT mpc.approve_study('explained', digest, source => 'patients', identifier => 'bsn') FROM agreed;
SELECT DISTINCT e.records FROM mpc.explain_study('explained') AS e WHERE party = 'regress' AND step = 4;
-- no count without an approval in force, or for a draft of the next version
SELECT mpc.withdraw_approval('explained');
SELECT count(*) AS differing FROM (SELECT * FROM mpc.explain_study('explained') EXCEPT TABLE before) AS d;
SELECT mpc.draft_study('explained', test_spec()) IS NOT NULL AS drafted;
SELECT count(records) AS records FROM mpc.explain_study('explained');
SELECT mpc.draft_study('explained', NULL);
-- an unusable source is refused as at the approval
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT fails($$SELECT * FROM mpc.explain_study('explained', 'patients', 'number')$$);
SELECT fails($$SELECT * FROM mpc.explain_study('explained', NULL, 'bsn')$$);
CREATE VIEW no_smoker AS SELECT bsn, age FROM patients;
SELECT fails($$SELECT * FROM mpc.explain_study('explained', 'no_smoker', 'bsn')$$);
DROP VIEW no_smoker;
