-- Keeps the ledger: the events of this node in a chain of hashes that an auditor or a peer can verify.
--
-- Terms
-- An entry is one event, one row. The salt is 16 random bytes in every entry. Without it a hash of the chain would be a
-- digest of values that can be guessed, such as a count of records. A seal is the place and the hash of an entry in the
-- chain. The head is the last hash. The parties of a study exchange their heads when it starts and ends.
--
-- Invariants
-- The ledger is append-only, for its owner too. Recording an entry never waits for another session: entries are sealed
-- later, by any session, in the order of sealing. Only entries of committed transactions are sealed.

-- tables

CREATE TABLE mpc_internal.ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  study text,
  attempt text,
  event text NOT NULL,
  party text,
  detail jsonb NOT NULL,
  salt bytea NOT NULL DEFAULT pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
);
COMMENT ON SEQUENCE mpc_internal.ledger_id_seq IS 'ids of the ledger';
COMMENT ON TABLE mpc_internal.ledger IS
'append-only record of what happened at this node; counts are this node''s own or public ones, never a match below the minimum';

CREATE INDEX ledger_study_party ON mpc_internal.ledger (study, party);

CREATE TABLE mpc_internal.ledger_seals (
  place bigint PRIMARY KEY,
  id bigint NOT NULL UNIQUE,
  prev_hash bytea NOT NULL,
  hash bytea NOT NULL
);
COMMENT ON TABLE mpc_internal.ledger_seals IS
'hash chain over the ledger in the order of sealing; entries are sealed after they are recorded, so that recording never waits';

CREATE TABLE mpc_internal.ledger_sealer (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);
COMMENT ON TABLE mpc_internal.ledger_sealer IS
'one row, which whoever seals the ledger locks; no other role can lock it';
INSERT INTO mpc_internal.ledger_sealer DEFAULT VALUES;

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.ledger', '');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.ledger_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.ledger_seals', '');

CREATE FUNCTION mpc_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('"%s" is append-only', TG_TABLE_NAME),
    DETAIL = format('A statement of kind %s was refused.', TG_OP),
    HINT = 'What has happened stays recorded; mpc.export_ledger() gives a copy that can be kept elsewhere.';
END
$$;
COMMENT ON FUNCTION mpc_internal.refuse_change() IS 'trigger of append-only tables: error 55000';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mpc_internal.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION mpc_internal.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mpc_internal.ledger_seals
  FOR EACH STATEMENT EXECUTE FUNCTION mpc_internal.refuse_change();
ALTER TABLE mpc_internal.ledger ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE mpc_internal.ledger_seals ENABLE ALWAYS TRIGGER append_only;

-- recording and sealing

CREATE FUNCTION mpc_internal.record_event(study text, attempt text, event text, party text, detail jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ INSERT INTO mpc_internal.ledger (study, attempt, event, party, detail) VALUES ($1, $2, $3, $4, $5) $$;
COMMENT ON FUNCTION mpc_internal.record_event(text, text, text, text, jsonb) IS 'adds one entry to the ledger';

CREATE FUNCTION mpc_internal.ledger_text(entry mpc_internal.ledger) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_array(entry.id, extract(epoch FROM entry.at), entry.study, entry.attempt, entry.event, entry.party,
                           entry.detail, encode(entry.salt, 'hex'))::text
$$;
COMMENT ON FUNCTION mpc_internal.ledger_text(mpc_internal.ledger) IS
'the text of an entry that is hashed: JSON array of id, seconds since 1970, study, attempt, event, party, detail, salt';

CREATE FUNCTION mpc_internal.ledger_hash(entry text, prev_hash bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256(prev_hash || convert_to(entry, 'UTF8')) $$;
COMMENT ON FUNCTION mpc_internal.ledger_hash(text, bytea) IS 'SHA-256 over the previous hash and the text of the entry';

CREATE FUNCTION mpc_internal.ledger_origin() RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256('pg_mpc ledger 1') $$;
COMMENT ON FUNCTION mpc_internal.ledger_origin() IS 'the hash before the first entry';

CREATE FUNCTION mpc_internal.seal_ledger() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mpc_internal.ledger_seals%ROWTYPE;
  entry mpc_internal.ledger%ROWTYPE;
BEGIN
  -- An old snapshot could miss the end of the chain.
  IF current_setting('transaction_isolation') <> 'read committed' OR current_setting('transaction_read_only')::boolean THEN
    RETURN;
  END IF;
  -- One session seals at a time, and none waits for it. An advisory lock could be held by any role.
  PERFORM FROM mpc_internal.ledger_sealer FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT * INTO last FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  last.place := coalesce(last.place, 0);
  last.hash := coalesce(last.hash, mpc_internal.ledger_origin());
  FOR entry IN SELECT l.* FROM mpc_internal.ledger AS l
                WHERE NOT EXISTS (SELECT FROM mpc_internal.ledger_seals AS s WHERE s.id = l.id) ORDER BY l.id LOOP
    last.prev_hash := last.hash;
    last.hash := mpc_internal.ledger_hash(mpc_internal.ledger_text(entry), last.prev_hash);
    last.place := last.place + 1;
    INSERT INTO mpc_internal.ledger_seals (place, id, prev_hash, hash)
    VALUES (last.place, entry.id, last.prev_hash, last.hash);
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.seal_ledger() IS 'adds the committed entries of the ledger to its hash chain';

-- heads of other parties

CREATE FUNCTION mpc_internal.send_head(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mpc_internal.ledger_seals%ROWTYPE;
BEGIN
  PERFORM mpc_internal.seal_ledger();
  SELECT * INTO last FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  IF FOUND THEN
    PERFORM mpc_internal.broadcast(s.parties, jsonb_build_object(
              'type', 'head', 'study', s.study, 'version', s.version, 'digest', s.digest, 'attempt', send_head.attempt,
              'place', last.place, 'head', encode(last.hash, 'hex')))
       FROM mpc_internal.studies AS s WHERE s.study = send_head.study AND s.version = send_head.version;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.send_head(text, integer, text) IS
'seals the ledger and sends its head to the other parties of a study, whose ledgers record it';

CREATE FUNCTION mpc_internal.control_head(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(message ->> 'head', '') !~ '\A[0-9a-f]{64}\Z' OR coalesce(message ->> 'attempt', '') !~ '\A[0-9a-f]{32}\Z'
     OR coalesce(message ->> 'place', '') !~ '\A[1-9][0-9]{0,17}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent an invalid head of its ledger.', party),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  IF mpc_internal.heads_are_full(party, message ->> 'study') THEN
    RETURN '{"accepted": false, "reason": "more heads of this study than its attempts have"}';
  END IF;
  -- Only heads of studies that this node has with this party are kept, so a peer cannot fill the ledger.
  PERFORM mpc_internal.record_event(s.study, message ->> 'attempt', 'head', party, jsonb_build_object(
            'version', s.version, 'place', (message ->> 'place')::bigint, 'head', message ->> 'head'))
     FROM mpc_internal.studies AS s
    WHERE s.study = message ->> 'study' AND s.version = (message ->> 'version')::integer
      AND s.digest = message ->> 'digest' AND control_head.party = ANY (s.parties)
      AND NOT EXISTS (SELECT FROM mpc_internal.ledger AS l
                       WHERE l.study = s.study AND l.event = 'head' AND l.party = control_head.party
                         AND l.detail ->> 'place' = message ->> 'place' AND l.detail ->> 'head' = message ->> 'head');
  RETURN '{"accepted": true}';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_head(text, jsonb) IS 'records the head of a peer''s ledger in this node''s ledger';

-- public functions

CREATE FUNCTION mpc_internal.verify_ledger(
  caller oid, OUT entries bigint, OUT sealed bigint, OUT intact boolean, OUT first_broken bigint, OUT head text)
RETURNS record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.seal_ledger();
  SELECT count(*) INTO entries FROM mpc_internal.ledger;
  SELECT count(*) INTO sealed FROM mpc_internal.ledger_seals;
  SELECT encode(s.hash, 'hex') INTO head FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  SELECT min(c.expected_place) INTO first_broken
    FROM (SELECT s.place, s.hash, s.prev_hash, l AS entry,
                 lag(s.hash, 1, mpc_internal.ledger_origin()) OVER chain AS before,
                 row_number() OVER chain AS expected_place
            FROM mpc_internal.ledger_seals AS s LEFT JOIN mpc_internal.ledger AS l ON l.id = s.id
          WINDOW chain AS (ORDER BY s.place)) AS c
   WHERE c.place <> c.expected_place OR c.prev_hash <> c.before OR (c.entry).id IS NULL
      OR c.hash <> mpc_internal.ledger_hash(mpc_internal.ledger_text(c.entry), c.prev_hash);
  intact := first_broken IS NULL;
END
$$;
COMMENT ON FUNCTION mpc_internal.verify_ledger(oid) IS 'implements mpc.verify_ledger';

CREATE FUNCTION mpc.verify_ledger(OUT entries bigint, OUT sealed bigint, OUT intact boolean, OUT first_broken bigint, OUT head text)
RETURNS record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.verify_ledger() IS
'recomputes the hash chain of the ledger: intact is false when a sealed entry was changed, removed or moved, first_broken is the first wrong place in the chain. Peers keep heads of this chain, and mpc.compare_ledger on their nodes detects a rewritten or shortened chain';

CREATE FUNCTION mpc_internal.export_ledger(caller oid, entries boolean, since bigint)
RETURNS TABLE (place bigint, entry text, prev_hash text, hash text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM mpc_internal.seal_ledger();
  RETURN QUERY
    SELECT s.place, CASE WHEN entries AND l.id IN (SELECT mpc_internal.seen_entries(caller)) THEN mpc_internal.ledger_text(l) END, encode(s.prev_hash, 'hex'), encode(s.hash, 'hex')
      FROM mpc_internal.ledger_seals AS s LEFT JOIN mpc_internal.ledger AS l ON l.id = s.id
     WHERE s.place >= since ORDER BY s.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.export_ledger(oid, boolean, bigint) IS 'implements mpc.export_ledger';

CREATE FUNCTION mpc.export_ledger(entries boolean DEFAULT true, since bigint DEFAULT 1)
RETURNS TABLE (place bigint, entry text, prev_hash text, hash text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.export_ledger(boolean, bigint) IS
'the chain in a form that can be verified without this server: hash = SHA-256(prev_hash || entry), both hashes in hexadecimal, entry as UTF-8 text; the hash before place 1 is SHA-256 of "pg_mpc ledger 1". entries => false returns places and hashes only, which reveal nothing to a peer but can be compared (mpc.compare_ledger)';

CREATE FUNCTION mpc_internal.compare_ledger(caller oid, party text, exported jsonb)
RETURNS TABLE (place bigint, study text, attempt text, received_at timestamptz, head text, verdict text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  broken bigint;
BEGIN
  PERFORM mpc_internal.peer(compare_ledger.party);
  IF exported IS NULL OR jsonb_typeof(exported) <> 'array' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'an exported ledger is a JSON array',
      DETAIL = format('The JSON type given is %s.', coalesce(jsonb_typeof(exported), 'NULL')),
      HINT = 'On the node of the peer: SELECT jsonb_agg(e) FROM mpc.export_ledger(entries => false) AS e.';
  END IF;
  SELECT min(c.expected_place) INTO broken
    FROM (SELECT e.*, first_value(e.place) OVER chain - 1 + row_number() OVER chain AS expected_place,
                 CASE e.place WHEN 1 THEN encode(mpc_internal.ledger_origin(), 'hex')
                 ELSE lag(e.hash, 1, e.prev_hash) OVER chain END AS before
            FROM jsonb_to_recordset(exported) AS e (place bigint, entry text, prev_hash text, hash text)
          WINDOW chain AS (ORDER BY e.place)) AS c
   WHERE c.place <> c.expected_place OR c.prev_hash IS DISTINCT FROM c.before
      OR c.entry IS NOT NULL AND c.hash <> encode(mpc_internal.ledger_hash(c.entry, decode(c.prev_hash, 'hex')), 'hex');
  RETURN QUERY
    SELECT h.place, h.study, h.attempt, h.at, h.head,
           CASE WHEN e.hash IS NULL THEN 'missing'
                WHEN e.hash <> h.head THEN 'differs'
                WHEN broken <= h.place THEN format('chain broken at %s', broken)
                ELSE 'same' END
      FROM (SELECT (l.detail ->> 'place')::bigint AS place, l.study, l.attempt, l.at, l.detail ->> 'head' AS head
              FROM mpc_internal.ledger AS l WHERE l.detail ? 'head' AND l.party = compare_ledger.party
               AND l.id IN (SELECT mpc_internal.seen_entries(caller))) AS h
      LEFT JOIN jsonb_to_recordset(exported) AS e (place bigint, hash text) ON e.place = h.place
     ORDER BY h.place, h.at;
END
$$;
COMMENT ON FUNCTION mpc_internal.compare_ledger(oid, text, jsonb) IS 'implements mpc.compare_ledger';

CREATE FUNCTION mpc.compare_ledger(party text, exported jsonb)
RETURNS TABLE (place bigint, study text, attempt text, received_at timestamptz, head text, verdict text)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.compare_ledger(text, jsonb) IS
'compares the ledger that a peer exported (mpc.export_ledger, as a JSON array) with the heads of it in the ledger of this node, a row per head: same, missing (the chain of the peer was shortened), differs (it was rewritten), or chain broken at a place. Errors: 42704 unknown peer, 22023 not a JSON array';
