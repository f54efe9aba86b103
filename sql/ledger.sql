-- The ledger: entries, append-only tables, detection of changes by a superuser, export, heads of other parties.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
-- The entry of a step: data sent, data destroyed, data status with reasons.
SELECT jsonb_pretty(detail) FROM mpc.ledger WHERE event = 'step' ORDER BY id DESC LIMIT 1;
SELECT status, count(*) = 1, bool_and(reasons ?& '{singling_out,linkability,inference}'), bool_and(reasons ? 'as_long_as')
  FROM unnest('{personal,pseudonymised,anonymous,aggregate,unheard_of}'::text[]) AS status, mpc_internal.status_reasons(status, 4) AS reasons
 GROUP BY status ORDER BY status;
SELECT event, detail FROM mpc.ledger WHERE event = 'opened' ORDER BY id;

-- append-only, for a superuser too, also as a replica
SELECT fails($$UPDATE mpc_internal.ledger SET party = 'nobody'$$);
SELECT fails($$DELETE FROM mpc_internal.ledger$$);
SELECT fails($$TRUNCATE mpc_internal.ledger$$);
SELECT fails($$UPDATE mpc_internal.ledger_seals SET hash = prev_hash$$);
SELECT fails($$DELETE FROM mpc_internal.ledger_seals$$);
SELECT fails($$TRUNCATE mpc_internal.ledger_seals$$);
SET session_replication_role = replica;
SELECT fails($$DELETE FROM mpc_internal.ledger WHERE id < 0$$);
RESET session_replication_role;

-- Without the triggers: every change, deletion, insertion and reordering of sealed entries is detected.
SELECT intact, first_broken FROM mpc.verify_ledger();
CREATE FUNCTION found_after(tampering text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  BEGIN
    ALTER TABLE mpc_internal.ledger DISABLE TRIGGER append_only;
    ALTER TABLE mpc_internal.ledger_seals DISABLE TRIGGER append_only;
    EXECUTE tampering;
    SELECT format('intact %s, first broken %s', intact, first_broken) INTO result FROM mpc.verify_ledger();
    RAISE EXCEPTION 'undo';
  EXCEPTION WHEN raise_exception THEN
    RETURN result;
  END;
END
$$;
SELECT found_after(format('UPDATE mpc_internal.ledger SET %s WHERE id = (SELECT id FROM mpc_internal.ledger_seals WHERE place = 5)', change)), change
  FROM unnest(ARRAY['party = ''nobody''', 'at = at + interval ''1 microsecond''', 'study = concat(study, ''x'')', 'attempt = ''x''', 'event = ''approved''',
                    'detail = detail || ''{"a": 1}''', 'salt = ''''']) AS change;
SELECT found_after('DELETE FROM mpc_internal.ledger WHERE id = (SELECT id FROM mpc_internal.ledger_seals WHERE place = 7)') AS removed;
SELECT found_after('DELETE FROM mpc_internal.ledger_seals WHERE place = 7') AS unsealed;
SELECT found_after('WITH gone AS (DELETE FROM mpc_internal.ledger_seals WHERE place = 7 RETURNING id) DELETE FROM mpc_internal.ledger WHERE id IN (SELECT id FROM gone)') AS both_gone;
SELECT found_after('WITH gone AS (DELETE FROM mpc_internal.ledger_seals WHERE place = 1 RETURNING id) DELETE FROM mpc_internal.ledger WHERE id IN (SELECT id FROM gone)') AS first_gone;
SELECT found_after('UPDATE mpc_internal.ledger_seals SET place = CASE place WHEN 3 THEN -4 ELSE -3 END WHERE place IN (3, 4); UPDATE mpc_internal.ledger_seals SET place = -place WHERE place < 0') AS swapped;
SELECT found_after('UPDATE mpc_internal.ledger_seals SET hash = sha256(hash) WHERE place = 6') AS other_hash;
SELECT found_after('UPDATE mpc_internal.ledger SET party = ''nobody'' WHERE id = (SELECT id FROM mpc_internal.ledger_seals WHERE place = 5);
  UPDATE mpc_internal.ledger_seals AS s SET hash = mpc_internal.ledger_hash(mpc_internal.ledger_text(l), s.prev_hash) FROM mpc_internal.ledger AS l WHERE l.id = s.id AND s.place = 5') AS resealed;
SELECT intact, first_broken FROM mpc.verify_ledger();

-- export: a chain that can be verified without this server
SELECT count(*) > 10 AS some, bool_and(place = n) AS in_order,
       bool_and(hash = encode(sha256(decode(prev_hash, 'hex') || convert_to(entry, 'UTF8')), 'hex')) AS hashes,
       bool_and(prev_hash = before) AS linked, bool_and(jsonb_array_length(entry::jsonb) = 8) AS entries
  FROM (SELECT *, row_number() OVER w AS n, lag(hash, 1, encode(sha256('pg_mpc ledger 1'), 'hex')) OVER w AS before
          FROM mpc.export_ledger() WINDOW w AS (ORDER BY place)) AS e;
SELECT count(entry), count(hash) > 10 FROM mpc.export_ledger(entries => false);
SELECT min(place), (SELECT entries FROM mpc.verify_ledger()) - count(*) FROM mpc.export_ledger(since => 4);
-- in a read-only transaction the check seals nothing
BEGIN READ ONLY;
SELECT intact FROM mpc.verify_ledger();
SELECT count(*) > 10 FROM mpc.export_ledger();
ROLLBACK;
-- two entries with equal contents have different texts, so no hash is a digest of values that can be guessed
BEGIN;
SELECT mpc_internal.record_event('same', NULL, 'opened', NULL, '{"records": 100}') FROM generate_series(1, 2);
SELECT count(DISTINCT salt), min(length(salt)) FROM mpc_internal.ledger WHERE study = 'same';
ROLLBACK;

-- heads: sent at start and end, recorded when a peer sends one
SELECT DISTINCT party, message - 'head' - 'place' - 'digest', length(message ->> 'head') FROM mpc_internal.outbox
 WHERE message ->> 'type' = 'head' AND message ->> 'attempt' = repeat('4', 32) ORDER BY 1;
CREATE FUNCTION peer_head(place bigint, head text, attempt text DEFAULT repeat('4', 32)) RETURNS jsonb LANGUAGE sql AS $$
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'head', 'study', study, 'version', version, 'digest', digest,
         'attempt', $3, 'place', $1, 'head', $2))
  FROM mpc_internal.studies WHERE study = 'heart' ORDER BY version DESC LIMIT 1
$$;
-- the chain of a peer, made by this test
CREATE TABLE theirs (place bigint, entry text, prev_hash text, hash text);
DO $$
DECLARE
  before bytea := sha256('pg_mpc ledger 1');
BEGIN
  FOR i IN 1 .. 5 LOOP
    INSERT INTO theirs VALUES (i, format('[%s]', i), encode(before, 'hex'), encode(sha256(before || convert_to(format('[%s]', i), 'UTF8')), 'hex'));
    SELECT decode(hash, 'hex') INTO before FROM theirs WHERE place = i;
  END LOOP;
END
$$;
SELECT peer_head(place, hash) FROM theirs WHERE place IN (2, 4) ORDER BY place;
SELECT peer_head(place, hash) FROM theirs WHERE place = 4;
SELECT study, party, detail - 'head' - 'version' FROM mpc.ledger WHERE event = 'head' ORDER BY id;
SELECT fails($$SELECT peer_head(1, 'abc')$$);
SELECT fails($$SELECT peer_head(0, repeat('a', 64))$$);
SELECT fails($$SELECT peer_head(1, repeat('a', 64), 'x')$$);
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'head', 'study', 'elsewhere', 'version', 1, 'digest', repeat('a', 64),
         'attempt', repeat('4', 32), 'place', 1, 'head', repeat('a', 64)));
SELECT count(*) FROM mpc.ledger WHERE study = 'elsewhere';

-- comparison with a later export of the peer
CREATE FUNCTION compared(rows text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  exported jsonb;
BEGIN
  EXECUTE format('SELECT coalesce(jsonb_agg(e ORDER BY place), ''[]'') FROM (%s) AS e', rows) INTO exported;
  RETURN QUERY SELECT format('%s %s %s', study, place, verdict) FROM mpc.compare_ledger('zorgttp', exported);
END
$$;
SELECT compared('SELECT * FROM theirs');
SELECT compared('SELECT place, prev_hash, hash FROM theirs');
SELECT compared('SELECT * FROM theirs WHERE place <= 3');
SELECT compared('SELECT * FROM theirs WHERE place <> 3');
SELECT compared('SELECT place, CASE place WHEN 1 THEN ''[0]'' ELSE entry END AS entry, prev_hash, hash FROM theirs');
SELECT compared('SELECT place, prev_hash, CASE place WHEN 4 THEN prev_hash ELSE hash END AS hash FROM theirs');
SELECT compared('SELECT * FROM theirs WHERE place >= 3');
SELECT fails($$SELECT * FROM mpc.compare_ledger('zorgttp', '{}')$$);
SELECT fails($$SELECT * FROM mpc.compare_ledger('zorgttp', NULL)$$);
SELECT fails($$SELECT * FROM mpc.compare_ledger('nobody', '[]')$$);
