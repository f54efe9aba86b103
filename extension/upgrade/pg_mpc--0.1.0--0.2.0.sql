\echo Use "ALTER EXTENSION pg_mpc UPDATE TO '0.2.0'" to load this file. \quit

-- Engines and the coordinator report to the functions that are replaced here.
DO $$
DECLARE
  running pg_catalog.text;
BEGIN
  SELECT s.study INTO running FROM mpc_internal.studies AS s WHERE s.run_state OPERATOR(pg_catalog.=) 'running' LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = pg_catalog.format('study "%s" is running', running),
      DETAIL = 'The extension is not updated under a running study.',
      HINT = 'Wait for its end, or cancel it with mpc.cancel_study, then update again.';
  END IF;
END
$$;

-- What: the part of the next upgrade script that is written by hand: changed tables (new columns at the end, so that
--       dumps of new and of upgraded nodes fit each other), removed objects, data. Functions, views, comments and rights
--       follow by themselves (tools/lib/upgrade_script.py); t/013_upgrade.pl compares the result with a fresh install.
-- Invariants: what parties decided and what the ledger holds is never rewritten.

ALTER TABLE mpc_internal.approvals ADD COLUMN source_records bigint;

-- Attempts reserve what they may take from the budget of a source.
ALTER TABLE mpc_internal.source_uses DROP CONSTRAINT source_uses_outcome_check;
ALTER TABLE mpc_internal.source_uses ADD CONSTRAINT source_uses_outcome_check
  CHECK (outcome IN ('running', 'released', 'refused', 'ended'));

DROP FUNCTION mpc_internal.record_use(text, text, text);
DROP FUNCTION mpc_internal.require_budget(jsonb, oid);
DROP FUNCTION mpc_internal.earlier_cohorts(oid);
DROP FUNCTION mpc_internal.source_digest(text, text, oid, text[], oid);

-- What public functions do is in functions of mpc_internal that are told the calling role.
DROP FUNCTION mpc_internal.invoking_user();
DROP FUNCTION mpc_internal.start_study(text);
DROP FUNCTION mpc_internal.run_study(text);
DROP FUNCTION mpc_internal.run_step(text, text);
DROP FUNCTION mpc_internal.record_objection(text, text, text);
DROP FUNCTION mpc_internal.decide(text, integer, text, text, text, text, timestamptz, text);
DROP FUNCTION mpc_internal.owns(oid);
DROP FUNCTION mpc_internal.own_draft(text);
DROP FUNCTION mpc_internal.take_draft(text);
DROP FUNCTION mpc_internal.floor_min_matched();

-- Identifiers are looked at as an engine reads them.
DROP FUNCTION mpc.check_source(text, regclass, text);
DROP FUNCTION mpc_internal.check_identifier(regclass, text[], jsonb, text);
DROP FUNCTION mpc_internal.check_columns(regclass, text[], text);
DROP FUNCTION mpc_internal.float_of(regclass, text);
DROP FUNCTION mpc_internal.range_problem(float8, float8, float8, float8, integer);
DROP FUNCTION mpc_internal.required_matches(jsonb);
DROP FUNCTION mpc_internal.normalised(text, jsonb);
DROP FUNCTION mpc_internal.released_version(text);

-- Rehearsals.
ALTER TABLE mpc_internal.studies DROP CONSTRAINT studies_run_state_check;
ALTER TABLE mpc_internal.studies ADD CONSTRAINT studies_run_state_check
  CHECK (run_state IN ('running', 'released', 'rehearsed', 'failed', 'cancelled'));
DROP FUNCTION mpc_internal.attempt_started(text, text, boolean);

DROP FUNCTION mpc_internal.check_peer_url(text);
DROP FUNCTION mpc_internal.certificate_details(text);
DROP FUNCTION mpc_internal.own_certificate();

-- Commitments to the data that a controller brings, and what is known of earlier ones.
ALTER TABLE mpc_internal.approvals DROP CONSTRAINT approvals_decision_check;
ALTER TABLE mpc_internal.approvals ADD CONSTRAINT approvals_decision_check
  CHECK (decision IN ('approved', 'rejected', 'withdrawn', 'void'));
ALTER TABLE mpc_internal.approvals ADD COLUMN data_version bigint;
ALTER TABLE mpc_internal.approvals ADD COLUMN columns text[];
ALTER TABLE mpc_internal.approvals ADD COLUMN commitments bytea[];
ALTER TABLE mpc_internal.approvals ADD COLUMN two_valued text[];
ALTER TABLE mpc_internal.approvals ADD COLUMN commitment bytea;
ALTER TABLE mpc_internal.approvals ADD COLUMN data_number integer;
ALTER TABLE mpc_internal.approvals ADD COLUMN key_id bytea;
ALTER TABLE mpc_internal.approvals ADD COLUMN source_owner oid;
ALTER TABLE mpc_internal.approvals ADD COLUMN stated_at timestamptz;
ALTER TABLE mpc_internal.outbox ADD COLUMN refused_at timestamptz;
ALTER TABLE mpc_internal.outbox ADD COLUMN held_until timestamptz;
ALTER TABLE mpc_internal.source_uses ADD COLUMN counterpart text;
ALTER TABLE mpc_internal.source_uses ADD COLUMN data_version bigint;
ALTER TABLE mpc_internal.source_uses ADD COLUMN columns text[];
ALTER TABLE mpc_internal.source_uses ADD COLUMN modelled text;
ALTER TABLE mpc_internal.source_uses ADD COLUMN numbers bigint;

-- Wide columns of views are the last ones; results have the version of the study and the precision of each number.
ALTER TABLE mpc_internal.fits ADD COLUMN r_squared_grid float8;
ALTER TABLE mpc_internal.coefficients ADD COLUMN grid float8;
DROP FUNCTION mpc.coefficients(text);
DROP FUNCTION mpc.fit(text);
DROP VIEW mpc.approvals;
DROP VIEW mpc.study_history;
DROP VIEW mpc.parties;
DROP VIEW mpc.steps;
DROP VIEW mpc.models;
DROP VIEW mpc.ledger;
DROP VIEW mpc.stat_study_progress;
DROP VIEW mpc.source_uses;

-- what is new or has changed, from the install scripts (tools/lib/upgrade_script.py)

REVOKE ALL ON TYPE mpc.paillier_public_key, mpc.paillier_private_key, mpc.paillier_ciphertext FROM PUBLIC;

REVOKE ALL ON FUNCTION
  mpc_internal.paillier_public_key_in(cstring), mpc_internal.paillier_public_key_out(mpc.paillier_public_key),
  mpc_internal.paillier_public_key_recv(internal), mpc_internal.paillier_public_key_send(mpc.paillier_public_key),
  mpc_internal.paillier_private_key_in(cstring), mpc_internal.paillier_private_key_out(mpc.paillier_private_key),
  mpc_internal.paillier_private_key_recv(internal), mpc_internal.paillier_private_key_send(mpc.paillier_private_key),
  mpc_internal.paillier_ciphertext_in(cstring), mpc_internal.paillier_ciphertext_out(mpc.paillier_ciphertext),
  mpc_internal.paillier_ciphertext_recv(internal), mpc_internal.paillier_ciphertext_send(mpc.paillier_ciphertext)
  FROM PUBLIC;

REVOKE ALL ON FUNCTION mpc.keyed_hash(bytea, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION
  mpc_internal.paillier_add(mpc.paillier_ciphertext, mpc.paillier_ciphertext),
  mpc_internal.paillier_subtract(mpc.paillier_ciphertext, mpc.paillier_ciphertext),
  mpc_internal.paillier_multiply(mpc.paillier_ciphertext, bigint),
  mpc_internal.paillier_multiply(bigint, mpc.paillier_ciphertext),
  mpc_internal.paillier_sum_transition(bytea, mpc.paillier_ciphertext),
  mpc_internal.paillier_sum_combine(bytea, bytea), mpc_internal.paillier_sum_final(bytea),
  mpc_internal.shamir_transition(bytea, integer, numeric),
  mpc_internal.shamir_transition(bytea, integer, numeric, integer),
  mpc_internal.shamir_combine(bytea, bytea), mpc_internal.shamir_final(bytea),
  mpc.paillier_keygen(integer), mpc.paillier_encrypt(mpc.paillier_public_key, numeric, integer),
  mpc.paillier_decrypt(mpc.paillier_private_key, mpc.paillier_ciphertext),
  mpc.paillier_rerandomize(mpc.paillier_public_key, mpc.paillier_ciphertext), mpc.sum(mpc.paillier_ciphertext),
  mpc.shamir_split(numeric, integer, integer, integer), mpc.shamir_combine(integer, numeric),
  mpc.shamir_combine(integer, numeric, integer)
  FROM PUBLIC;

CREATE FUNCTION mpc_internal.library_version() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_library_version';

COMMENT ON FUNCTION mpc_internal.library_version() IS 'version of pg_mpc.so as the server has loaded it';

CREATE FUNCTION mpc_internal.certificate_details(
  certificate text, OUT fingerprint text, OUT subject text,
  OUT not_before timestamptz, OUT not_after timestamptz, OUT usable boolean, OUT weakness text) RETURNS record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_certificate_details';

COMMENT ON FUNCTION mpc_internal.certificate_details(text) IS
'parses one PEM certificate; usable says that its key usage allows TLS client and server; weakness: short RSA key, SHA-1, no subjectAltName, or NULL';

CREATE FUNCTION mpc_internal.own_certificate(
  OUT fingerprint text, OUT not_before timestamptz, OUT not_after timestamptz,
  OUT problem text, OUT hint text, OUT weakness text) RETURNS record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_own_certificate';

COMMENT ON FUNCTION mpc_internal.own_certificate() IS
'reads pg_mpc.certificate_file and pg_mpc.private_key_file as the workers do; problem is NULL when they can be used together; weakness as certificate_details';

CREATE FUNCTION mpc_internal.peer_url(url text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  port text := substring(url FROM ':([0-9]{1,5})/?\Z');
BEGIN
  IF url IS NULL OR length(url) > 512
     OR url !~ '\Ahttps://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?\Z'
     OR port::integer NOT BETWEEN 1 AND 65535 THEN
    RAISE EXCEPTION USING ERRCODE = '22023',
      MESSAGE = 'peer url is not valid',
      DETAIL = format('The url is %L.', left(url, 512)),
      HINT = 'Give scheme, host and port only, for example https://node2.example.org:7443.';
  END IF;
  RETURN rtrim(url, '/') || CASE WHEN port IS NULL THEN ':7443' ELSE '' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.peer_url(text) IS 'url of a peer with its port, 7443 when it names none; error 22023 unless it is https://host[:port]';

CREATE OR REPLACE FUNCTION mpc_internal.check_peer_certificate(
  party text, certificate text, OUT fingerprint text, OUT not_after timestamptz) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parsed record;
  holder text;
BEGIN
  IF certificate IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a peer needs a certificate',
      DETAIL = 'The certificate is NULL.',
      HINT = 'Pass the PEM text of the peer''s certificate as certificate => ''-----BEGIN CERTIFICATE-----...''.';
  END IF;
  parsed := mpc_internal.certificate_details(certificate);
  IF NOT parsed.usable THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate cannot be used for TLS',
      DETAIL = format('The certificate of subject %L does not allow both TLS server and TLS client authentication.', parsed.subject),
      HINT = 'Issue it with extendedKeyUsage = serverAuth, clientAuth.';
  END IF;
  IF parsed.not_after <= now() THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate has expired',
      DETAIL = format('It was valid until %s.', parsed.not_after),
      HINT = 'Ask the peer for a new one: it has to be installed on its node first.';
  END IF;
  IF parsed.fingerprint = (SELECT own.fingerprint FROM mpc_internal.own_certificate() AS own) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate is the one of this node',
      DETAIL = format('Its fingerprint is %s.', parsed.fingerprint),
      HINT = 'Ask the peer for its own certificate: mpc.node_status() on its node names the file.';
  END IF;
  SELECT p.party INTO holder FROM mpc_internal.peers AS p
   WHERE parsed.fingerprint IN (p.fingerprint, p.next_fingerprint) AND p.party <> check_peer_certificate.party;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42710',
      MESSAGE = format('certificate already belongs to peer "%s"', holder),
      DETAIL = format('Its fingerprint is %s; a peer is exactly its certificate.', parsed.fingerprint),
      HINT = 'Ask the peer for its own certificate, or remove the peer that holds this one with mpc.remove_peer.';
  END IF;
  fingerprint := parsed.fingerprint;
  not_after := parsed.not_after;
END
$$;

CREATE FUNCTION mpc_internal.notice_former_parties(party text, fingerprint text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  former text;
BEGIN
  FOR former IN SELECT DISTINCT l.party FROM mpc_internal.ledger AS l
                 WHERE l.event IN ('peer_added', 'peer_altered') AND l.party <> notice_former_parties.party
                   AND notice_former_parties.fingerprint IN (l.detail ->> 'fingerprint', l.detail ->> 'next_fingerprint')
                 ORDER BY l.party LOOP
    RAISE NOTICE USING MESSAGE = format('the certificate of peer "%s" was one of party "%s" at this node', party, former),
      DETAIL = format('What this node counts of a party it counts by name: versions of data, released numbers, columns, persons and early attempts begin anew for "%s".', party),
      HINT = format('If they are one party, remove this peer and add it as "%s".', former);
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.notice_former_parties(text, text) IS
'a NOTICE for every other party, also a removed one, that had this certificate according to the ledger: a renamed peer starts anew';

CREATE FUNCTION mpc_internal.add_peer(caller oid, party text, url text, certificate text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  parsed record;
BEGIN
  IF party IS NULL OR NOT mpc_internal.valid_name(party) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is not a valid party name', party),
      DETAIL = 'The name is part of specs and of messages between nodes.',
      HINT = 'A name begins with a letter a-z; letters, digits and underscores follow, 63 characters at most.';
  END IF;
  IF party = own THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is this node', party),
      DETAIL = 'A node is not its own peer.',
      HINT = 'Add the other parties only; the name of this node is the setting pg_mpc.party.';
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.peers AS p WHERE p.party = add_peer.party) THEN
    RAISE EXCEPTION USING ERRCODE = '42710', MESSAGE = format('peer "%s" already exists', party),
      DETAIL = format('Its url is %s.', (SELECT p.url FROM mpc_internal.peers AS p WHERE p.party = add_peer.party)),
      HINT = 'Use mpc.alter_peer to change its url or certificate.';
  END IF;
  IF (SELECT count(*) FROM mpc_internal.peers) >= coalesce(current_setting('pg_mpc.max_peers', true)::integer, 16) THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = 'too many peers',
      DETAIL = format('pg_mpc.max_peers is %s.', current_setting('pg_mpc.max_peers', true)),
      HINT = 'Remove a peer with mpc.remove_peer, or raise pg_mpc.max_peers and restart the server.';
  END IF;
  url := mpc_internal.peer_url(url);
  parsed := mpc_internal.check_peer_certificate(party, certificate);
  INSERT INTO mpc_internal.peers (party, url, certificate, fingerprint, not_after)
  VALUES (add_peer.party, add_peer.url, add_peer.certificate, parsed.fingerprint, parsed.not_after);
  PERFORM mpc_internal.record_event(NULL, NULL, 'peer_added', party, jsonb_build_object(
    'fingerprint', parsed.fingerprint, 'by', mpc_internal.role_text(caller)));
  PERFORM mpc_internal.notice_former_parties(party, parsed.fingerprint);
  PERFORM mpc_internal.wake_coordinator('reload');
  RETURN parsed.fingerprint;
END
$$;

COMMENT ON FUNCTION mpc_internal.add_peer(oid, text, text, text) IS 'implements mpc.add_peer';

CREATE OR REPLACE FUNCTION mpc.add_peer(party text, url text, certificate text) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.add_peer(text, text, text) IS
'makes another party known to this node: name, https url of its listener (port 7443 when it names none), PEM text of its certificate. Returns the fingerprint (hex SHA-256): compare it with the peer''s mpc.node_status() by another channel. A NOTICE names every other party that had this certificate here before: what is counted by name begins anew. Errors: 22023 name, url or certificate not usable; 42710 known already; 54000 pg_mpc.max_peers';

CREATE FUNCTION mpc_internal.alter_peer(caller oid, party text, url text, certificate text, next_certificate text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known mpc_internal.peers%ROWTYPE;
  parsed record;
BEGIN
  PERFORM mpc_internal.own_party();
  known := mpc_internal.peer(party);
  IF url IS NOT NULL THEN
    known.url := mpc_internal.peer_url(url);
  END IF;
  IF certificate IS NOT NULL THEN
    parsed := mpc_internal.check_peer_certificate(party, certificate);
    known.certificate := certificate;
    known.fingerprint := parsed.fingerprint;
    known.not_after := parsed.not_after;
    -- The change is over: only the certificates named in this call count from now on.
    known.next_certificate := NULL;
    known.next_fingerprint := NULL;
    known.next_not_after := NULL;
  END IF;
  IF next_certificate IS NOT NULL THEN
    parsed := mpc_internal.check_peer_certificate(party, next_certificate);
    IF parsed.fingerprint = known.fingerprint THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('next certificate of peer "%s" is the one it has', party),
        DETAIL = format('Its fingerprint is %s.', parsed.fingerprint),
        HINT = 'Pass the certificate that the peer is going to install as next_certificate.';
    END IF;
    known.next_certificate := next_certificate;
    known.next_fingerprint := parsed.fingerprint;
    known.next_not_after := parsed.not_after;
  END IF;
  UPDATE mpc_internal.peers AS p
     SET url = known.url, certificate = known.certificate, fingerprint = known.fingerprint, not_after = known.not_after,
         next_certificate = known.next_certificate, next_fingerprint = known.next_fingerprint,
         next_not_after = known.next_not_after
   WHERE p.party = alter_peer.party;
  PERFORM mpc_internal.record_event(NULL, NULL, 'peer_altered', party, jsonb_strip_nulls(jsonb_build_object(
    'fingerprint', known.fingerprint, 'next_fingerprint', known.next_fingerprint,
    'by', mpc_internal.role_text(caller))));
  PERFORM mpc_internal.notice_former_parties(party, CASE WHEN certificate IS NOT NULL THEN known.fingerprint END);
  PERFORM mpc_internal.notice_former_parties(party, CASE WHEN next_certificate IS NOT NULL THEN known.next_fingerprint END);
  PERFORM mpc_internal.wake_coordinator('reload');
  RETURN known.fingerprint;
END
$$;

COMMENT ON FUNCTION mpc_internal.alter_peer(oid, text, text, text, text) IS 'implements mpc.alter_peer';

CREATE OR REPLACE FUNCTION mpc.alter_peer(
  party text, url text DEFAULT NULL, certificate text DEFAULT NULL, next_certificate text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.alter_peer(text, text, text, text) IS
'changes the url or the certificate of a peer (NULL keeps it). certificate takes effect at once: connections under another one are closed. next_certificate is accepted besides it, so that the peer can change to it while studies run; the call with certificate => ends that. Returns the fingerprint in force. NOTICE and error 22023 as mpc.add_peer. Error 42704 unknown peer';

CREATE FUNCTION mpc_internal.remove_peer(caller oid, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  used text;
BEGIN
  PERFORM mpc_internal.peer(party);
  SELECT string_agg(quote_ident(s.study), ', ' ORDER BY s.study) INTO used
    FROM mpc_internal.current_studies AS s
   WHERE remove_peer.party = ANY (s.parties) AND s.state IN ('proposed', 'approved', 'running', 'rehearsed');
  IF used IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55006', MESSAGE = format('peer "%s" takes part in unfinished studies', party),
      DETAIL = format('Studies: %s.', used),
      HINT = 'Reject them or withdraw the approval first.';
  END IF;
  DELETE FROM mpc_internal.outbox AS o WHERE o.party = remove_peer.party;
  DELETE FROM mpc_internal.peers AS p WHERE p.party = remove_peer.party;
  PERFORM mpc_internal.record_event(NULL, NULL, 'peer_removed', party, jsonb_build_object('by', mpc_internal.role_text(caller)));
  PERFORM mpc_internal.wake_coordinator('reload');
END
$$;

COMMENT ON FUNCTION mpc_internal.remove_peer(oid, text) IS 'implements mpc.remove_peer';

CREATE OR REPLACE FUNCTION mpc.remove_peer(party text) RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE OR REPLACE FUNCTION mpc_internal.peer(party text) RETURNS mpc_internal.peers
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known mpc_internal.peers%ROWTYPE;
BEGIN
  SELECT * INTO known FROM mpc_internal.peers AS p WHERE p.party = peer.party;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('peer "%s" does not exist', peer.party),
      DETAIL = format('This node knows %s.', coalesce((SELECT string_agg(p.party, ', ' ORDER BY p.party)
                                                         FROM mpc_internal.peers AS p), 'no peer')),
      HINT = 'View mpc.parties lists the known peers; mpc.add_peer makes another one known.';
  END IF;
  RETURN known;
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.peer_list(
  OUT party text, OUT role text, OUT url text, OUT certificate text, OUT fingerprint text,
  OUT next_fingerprint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY SELECT p.party, v.role, p.url, p.certificate, p.fingerprint, p.next_fingerprint
    FROM mpc_internal.peers AS p JOIN mpc.parties AS v USING (party) ORDER BY p.party;
END
$$;

CREATE INDEX ledger_study_party ON mpc_internal.ledger (study, party);

CREATE OR REPLACE FUNCTION mpc_internal.control_head(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(message ->> 'head', '') !~ '\A[0-9a-f]{64}\Z' OR coalesce(message ->> 'attempt', '') !~ '\A[0-9a-f]{32}\Z'
     OR coalesce(message ->> 'place', '') !~ '\A[1-9][0-9]{0,17}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a head that is none.', party),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  IF mpc_internal.heads_are_full(party, message ->> 'study') THEN
    RETURN '{"accepted": false, "reason": "more heads of this study than its attempts have"}';
  END IF;
  -- Only of studies that this node knows with this party: a peer cannot fill the ledger with anything else.
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

CREATE OR REPLACE FUNCTION mpc.verify_ledger(OUT entries bigint, OUT sealed bigint, OUT intact boolean, OUT first_broken bigint, OUT head text)
RETURNS record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

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

CREATE OR REPLACE FUNCTION mpc.export_ledger(entries boolean DEFAULT true, since bigint DEFAULT 1)
RETURNS TABLE (place bigint, entry text, prev_hash text, hash text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

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

CREATE OR REPLACE FUNCTION mpc.compare_ledger(party text, exported jsonb)
RETURNS TABLE (place bigint, study text, attempt text, received_at timestamptz, head text, verdict text)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON TABLE mpc_internal.approvals IS
'decision of each party; may precede the proposal when messages overtake each other; source and approver are known for this node only; source_digest is keyed (47_source.sql), source_records are the complete records that it covers; columns to data_number: what data a controller brings (49_commitments.sql); key_id: mark of the source key under which source_digest was made (key_mark); source_owner: owner of the relation when it was approved (same_or_rebuilt); decided_at: when this node recorded it; stated_at: when a peer says that it decided';

COMMENT ON TABLE mpc_internal.outbox IS
'control messages that a peer has not acknowledged yet; refused_at = its first refusal for a reason that passes, held_until = until then messages of other studies go first';

CREATE INDEX outbox_party ON mpc_internal.outbox (party, id);

CREATE OR REPLACE VIEW mpc_internal.study_versions AS
SELECT s.*,
       CASE WHEN s.run_state IN ('running', 'released') THEN s.run_state
            WHEN d.rejected THEN 'rejected'
            WHEN d.withdrawn THEN 'withdrawn'
            WHEN least(s.expires_at, d.approvals_expire_at) <= now() THEN 'expired'
            WHEN s.run_state IS NOT NULL THEN s.run_state
            WHEN d.approved = 3 THEN 'approved'
            ELSE 'proposed' END AS state,
       d.objection, d.approvals_expire_at
  FROM mpc_internal.studies AS s,
       LATERAL (SELECT coalesce(bool_or(a.decision = 'rejected'), false) AS rejected,
                       coalesce(bool_or(a.decision = 'withdrawn'), false) AS withdrawn,
                       count(*) FILTER (WHERE a.decision = 'approved') AS approved,
                       min(a.expires_at) FILTER (WHERE a.decision = 'approved') AS approvals_expire_at,
                       string_agg(format('%s: "%s"', a.party, a.reason), '; ' ORDER BY a.party)
                         FILTER (WHERE a.reason IS NOT NULL) AS objection
                  FROM mpc_internal.approvals AS a
                 WHERE a.study = s.study AND a.version = s.version AND a.digest = s.digest
                   AND a.party = ANY (s.parties)) AS d;

COMMENT ON FUNCTION mpc_internal.parse_spec(text) IS
'canonical JSON (RFC 8785) of a proposed spec in the current format, with all defaults filled in; error 22023 with the JSON pointer of what is wrong. Stored specs are never filled again: study_digest and explain read them in their own format';

CREATE FUNCTION mpc_internal.require_feasible(spec text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_require_feasible';

COMMENT ON FUNCTION mpc_internal.require_feasible(text) IS
'error 54000 for a spec whose run would be refused after the match, whatever the data';

CREATE OR REPLACE FUNCTION mpc_internal.accept_spec(
  study text, spec text, OUT canonical text, OUT digest text, OUT parties text[]) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  filled jsonb;
  own text := mpc_internal.own_party();
BEGIN
  IF study IS NULL OR NOT mpc_internal.valid_name(study) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is not a valid study name', study),
      DETAIL = 'The name is part of the digest and of every message about the study.',
      HINT = 'A name begins with a letter a-z; letters, digits and underscores follow, 63 characters at most.';
  END IF;
  IF spec IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a study needs a spec',
      DETAIL = 'The spec is NULL.',
      HINT = 'Pass a JSON object with controllers, third_party and analysis, or make a draft with mpc.draft_study first.';
  END IF;
  canonical := mpc_internal.parse_spec(spec);
  PERFORM mpc_internal.require_feasible(canonical);
  digest := mpc_internal.study_digest(study, canonical);
  filled := canonical::jsonb;
  IF (filled -> 'keep_shares')::boolean THEN
    RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = 'keep_shares true is not supported',
      DETAIL = 'No shares outlive a study.',
      HINT = 'This version destroys all shares when the study ends.';
  END IF;
  parties := ARRAY(SELECT k FROM jsonb_object_keys(filled -> 'controllers') AS k ORDER BY k COLLATE "C")
             || (filled ->> 'third_party');
  IF own <> ALL (parties) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('this node, "%s", is no party of the study', own),
      DETAIL = format('The parties are %s.', array_to_string(parties, ', ')),
      HINT = 'Name this node in the spec as it is named in pg_mpc.party.';
  END IF;
END
$$;

CREATE FUNCTION mpc_internal.propose_study(caller oid, study text, spec jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  accepted record;
  held record;
  number integer;
BEGIN
  accepted := mpc_internal.accept_spec(study, coalesce(spec::text, mpc_internal.take_draft(caller, study)));
  PERFORM mpc_internal.require_peers(accepted.parties);
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = propose_study.study;
  IF held.state = 'running' AND held.digest <> accepted.digest THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', study),
      DETAIL = format('Version %s runs with digest %s; the proposal has digest %s.', held.version, held.digest, accepted.digest),
      HINT = 'Wait for its end, or cancel it with mpc.cancel_study.';
  END IF;
  number := coalesce(held.version, 0);
  -- The same spec again makes no decision void; peers that missed the proposal get it once more.
  IF held.digest IS DISTINCT FROM accepted.digest OR held.state IN ('released', 'rejected', 'withdrawn', 'expired') THEN
    number := number + 1;
    INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer, proposed_in)
    VALUES (propose_study.study, number, accepted.digest, accepted.canonical, accepted.parties,
            mpc_internal.own_party(), pg_current_xact_id());
    PERFORM mpc_internal.record_event(study, NULL, 'proposed', mpc_internal.own_party(),
                                      jsonb_build_object('version', number, 'digest', accepted.digest,
                                                         'by', mpc_internal.role_text(caller)));
    PERFORM mpc_internal.drop_unused_records();
    PERFORM mpc_internal.note_reader(study, number, caller, 'proposed');
    PERFORM mpc_internal.announce(study);
  END IF;
  -- A proposal that still waits for its peer is not queued again.
  PERFORM mpc_internal.broadcast(
    ARRAY(SELECT p FROM unnest(accepted.parties) AS p
           WHERE NOT EXISTS (SELECT FROM mpc_internal.outbox AS o
                              WHERE o.party = p AND o.message @> jsonb_build_object('type', 'propose', 'study', study, 'version', number))),
    jsonb_build_object('type', 'propose', 'study', study, 'version', number, 'spec', accepted.canonical, 'digest', accepted.digest));
  RETURN accepted.digest;
END
$$;

COMMENT ON FUNCTION mpc_internal.propose_study(oid, text, jsonb) IS 'implements mpc.propose_study';

CREATE OR REPLACE FUNCTION mpc.propose_study(study text, spec jsonb DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE FUNCTION mpc_internal.reject_study(caller oid, study text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.record_objection(caller, study, 'rejected', left(reason, 1000));
END
$$;

COMMENT ON FUNCTION mpc_internal.reject_study(oid, text, text) IS 'implements mpc.reject_study';

CREATE OR REPLACE FUNCTION mpc.reject_study(study text, reason text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE FUNCTION mpc_internal.withdraw_approval(caller oid, study text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.record_objection(caller, study, 'withdrawn', NULL);
END
$$;

COMMENT ON FUNCTION mpc_internal.withdraw_approval(oid, text) IS 'implements mpc.withdraw_approval';

CREATE OR REPLACE FUNCTION mpc.withdraw_approval(study text) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE FUNCTION mpc_internal.record_objection(caller oid, study text, decision text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held record := mpc_internal.find_study(study);
BEGIN
  IF held.state IN ('running', 'released') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = format('It is version %s, proposed by %s.', held.version, held.proposer),
      HINT = CASE held.state WHEN 'running' THEN 'Cancel it with mpc.cancel_study first.'
             ELSE 'What is released stays released; only studies to come can be refused.' END;
  END IF;
  IF decision = 'withdrawn' AND NOT EXISTS (
       SELECT FROM mpc_internal.approvals AS a
        WHERE a.study = held.study AND a.version = held.version AND a.party = own AND a.decision = 'approved') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node has not approved study "%s"', study),
      DETAIL = format('It is version %s, %s.', held.version, held.state),
      HINT = 'There is nothing to withdraw; mpc.reject_study tells the other parties that this node refuses.';
  END IF;
  PERFORM mpc_internal.decide(held.study, held.version, own, held.digest, decision, reason, NULL, caller);
  PERFORM mpc_internal.drop_unused_records();
  PERFORM mpc_internal.broadcast(held.parties, jsonb_strip_nulls(jsonb_build_object(
    'type', CASE decision WHEN 'rejected' THEN 'reject' ELSE 'withdraw' END,
    'study', held.study, 'version', held.version, 'digest', held.digest, 'reason', reason)));
  PERFORM mpc_internal.announce(study);
  RETURN (SELECT s.state FROM mpc_internal.current_studies AS s WHERE s.study = held.study);
END
$$;

COMMENT ON FUNCTION mpc_internal.record_objection(oid, text, text, text) IS 'records and sends the rejection or withdrawal of this node';

CREATE FUNCTION mpc_internal.decide(
  study text, version integer, party text, digest text, decision text, reason text, expires_at timestamptz,
  caller oid DEFAULT NULL, source_name text DEFAULT NULL, stated jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  by_role text := CASE WHEN caller IS NOT NULL THEN mpc_internal.role_text(caller) END;
BEGIN
  INSERT INTO mpc_internal.approvals AS a (study, version, party, digest, decision, reason, expires_at, source_name,
                                           decided_by, decided_in, stated_at)
  VALUES (decide.study, decide.version, decide.party, decide.digest, decide.decision, decide.reason, decide.expires_at,
          decide.source_name, by_role, pg_current_xact_id(), to_timestamp((stated ->> 'decided_at')::float8))
  ON CONFLICT ON CONSTRAINT approvals_pkey DO UPDATE
     SET digest = excluded.digest, decision = excluded.decision, reason = excluded.reason,
         decided_at = excluded.decided_at, expires_at = excluded.expires_at, decided_by = excluded.decided_by,
         decided_in = excluded.decided_in, stated_at = excluded.stated_at, source_name = excluded.source_name,
         source = NULL, source_schema = NULL, source_digest = NULL, source_records = NULL, identifier = NULL,
         approver = NULL, key_id = NULL, source_owner = NULL;
  PERFORM mpc_internal.record_event(study, NULL, decision, party, jsonb_strip_nulls(
    jsonb_build_object('version', version, 'digest', digest, 'reason', reason, 'expires_at', expires_at,
                       'by', by_role, 'source', source_name) || coalesce(stated, '{}')));
END
$$;

COMMENT ON FUNCTION mpc_internal.decide(text, integer, text, text, text, text, timestamptz, oid, text, jsonb) IS
'stores the decision of a party in place of its earlier one; caller = the role of this node that decided, NULL for a peer; stated = what a peer says of it (stated_of)';

CREATE FUNCTION mpc_internal.stated_of(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A node of an older version says neither; the head is missing when it could not be sealed at that moment.
  IF coalesce(message ->> 'decided_at', '0') !~ '\A[0-9]{1,11}(\.[0-9]{1,6})?\Z' OR coalesce(message ->> 'place', '1') !~ '\A[1-9][0-9]{0,17}\Z'
     OR coalesce(message ->> 'head', repeat('0', 64)) !~ '\A[0-9a-f]{64}\Z' OR message ? 'place' <> message ? 'head' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a decision without a proper time or head of its ledger.', party),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  RETURN nullif(jsonb_strip_nulls(jsonb_build_object('decided_at', (message ->> 'decided_at')::numeric, 'place', (message ->> 'place')::bigint,
                                                     'head', message ->> 'head')), '{}');
END
$$;

COMMENT ON FUNCTION mpc_internal.stated_of(text, jsonb) IS
'when a peer decided (decided_at, seconds since 1970) and the head of its ledger after that (place, head), of its message; NULL when it says neither; error MP004 for anything else';

CREATE FUNCTION mpc_internal.owns(caller oid, owner oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = owner)
      OR pg_has_role(caller, owner, 'MEMBER')
      OR pg_has_role(caller, 'mpc_admin', 'MEMBER')
$$;

COMMENT ON FUNCTION mpc_internal.owns(oid, oid) IS
'whether the caller may change what a role owns: members of that role and of mpc_admin; everybody when the role is gone';

CREATE FUNCTION mpc_internal.own_draft(caller oid, study text) RETURNS mpc_internal.drafts
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  draft mpc_internal.drafts%ROWTYPE;
BEGIN
  SELECT * INTO draft FROM mpc_internal.drafts AS d WHERE d.study = own_draft.study FOR UPDATE;
  IF FOUND AND NOT mpc_internal.owns(caller, draft.drafted_by) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('the draft of study "%s" belongs to role %s', study, mpc_internal.role_text(draft.drafted_by)),
      DETAIL = format('It was written at %s.', draft.drafted_at),
      HINT = 'Members of that role and of mpc_admin may change, propose or drop it.';
  END IF;
  RETURN draft;
END
$$;

COMMENT ON FUNCTION mpc_internal.own_draft(oid, text) IS 'the draft of a study or NULL; error 42501 when it is another role''s';

CREATE FUNCTION mpc_internal.take_draft(caller oid, study text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  draft mpc_internal.drafts%ROWTYPE := mpc_internal.own_draft(caller, study);
BEGIN
  DELETE FROM mpc_internal.drafts AS d WHERE d.study = draft.study;
  RETURN draft.spec;
END
$$;

COMMENT ON FUNCTION mpc_internal.take_draft(oid, text) IS 'the spec of the draft of a study, which is a draft no more; NULL without one';

CREATE OR REPLACE FUNCTION mpc_internal.spec_to_read(study text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held mpc_internal.current_studies%ROWTYPE;
  draft text := (SELECT d.spec FROM mpc_internal.drafts AS d WHERE d.study = spec_to_read.study);
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = spec_to_read.study;
  IF draft IS NULL OR held.state IN ('proposed', 'approved', 'running', 'rehearsed') THEN
    held := mpc_internal.find_study(study);
    RETURN held.spec;
  END IF;
  RETURN draft;
END
$$;

COMMENT ON FUNCTION mpc_internal.spec_to_read(text) IS
'what mpc.explain_study and mpc.check_source look at: the spec of an open study, else the draft, else the latest version';

CREATE FUNCTION mpc_internal.draft_study(caller oid, study text, spec jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  before mpc_internal.drafts%ROWTYPE := mpc_internal.own_draft(caller, study);
  accepted record;
BEGIN
  IF spec IS NULL THEN
    DELETE FROM mpc_internal.drafts AS d WHERE d.study = before.study;
    RETURN NULL;
  END IF;
  accepted := mpc_internal.accept_spec(study, spec::text);
  INSERT INTO mpc_internal.drafts AS d (study, digest, spec, drafted_by)
  VALUES (draft_study.study, accepted.digest, accepted.canonical, caller)
  ON CONFLICT ON CONSTRAINT drafts_pkey DO UPDATE
     SET digest = excluded.digest, spec = excluded.spec, drafted_at = excluded.drafted_at;
  PERFORM mpc_internal.record_event(study, NULL, 'drafted', mpc_internal.own_party(), jsonb_build_object(
    'digest', accepted.digest, 'by', mpc_internal.role_text(caller)));
  RETURN accepted.digest;
END
$$;

COMMENT ON FUNCTION mpc_internal.draft_study(oid, text, jsonb) IS 'implements mpc.draft_study';

CREATE OR REPLACE FUNCTION mpc.draft_study(study text, spec jsonb) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.draft_study(text, jsonb) IS
'keeps a spec at this node without showing it to anybody, in place of an earlier draft of that name (NULL drops it), and returns its digest. mpc.explain_study and mpc.check_source read it, mpc.propose_study(study) proposes it. Errors: 22023 and 0A000 as mpc.propose_study, 42501 the draft is another role''s';

CREATE TABLE mpc_internal.readers (
  study text NOT NULL,
  version integer CHECK (version >= 0),
  role oid NOT NULL,
  role_name text NOT NULL,
  reason text NOT NULL CHECK (reason IN ('proposed', 'approved', 'ran', 'added', 'upgraded')),
  added_at timestamptz NOT NULL DEFAULT now(),
  added_by text,
  CONSTRAINT readers_key UNIQUE NULLS NOT DISTINCT (study, role, version)
);

COMMENT ON TABLE mpc_internal.readers IS
'roles that may read a version of a study (NULL: all versions, 0: what belongs to none); the first reason for which a role became a reader of it is kept';

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.readers', '');

CREATE VIEW mpc_internal.reader_versions AS
SELECT r.role, r.study, v.version
  FROM mpc_internal.readers AS r JOIN pg_catalog.pg_roles AS p ON p.oid = r.role AND p.rolname = r.role_name,
       LATERAL (SELECT r.version WHERE r.version IS NOT NULL
                UNION ALL SELECT 0 WHERE r.version IS NULL
                UNION ALL SELECT s.version FROM mpc_internal.studies AS s WHERE s.study = r.study AND r.version IS NULL) AS v;

COMMENT ON VIEW mpc_internal.reader_versions IS 'readers with each version that they may read; 0 is what belongs to no version';

CREATE VIEW mpc_internal.readable_versions AS
SELECT DISTINCT r.study, r.version FROM mpc_internal.reader_versions AS r WHERE pg_catalog.pg_has_role(r.role, 'USAGE');

COMMENT ON VIEW mpc_internal.readable_versions IS 'versions of studies of which the current user is a reader';

CREATE VIEW mpc_internal.entry_versions AS
SELECT l.id, l.study, coalesce(l.detail ->> 'version', b.version, '0')::integer AS version
  FROM mpc_internal.ledger AS l
  LEFT JOIN (SELECT DISTINCT ON (s.study, s.attempt) s.study, s.attempt, s.detail ->> 'version' AS version
               FROM mpc_internal.ledger AS s WHERE s.event = 'started') AS b ON b.study = l.study AND b.attempt = l.attempt
 WHERE l.study IS NOT NULL;

COMMENT ON VIEW mpc_internal.entry_versions IS
'the version of a study that an entry of the ledger is about, its own or that of its attempt; 0 when it is about none';

CREATE FUNCTION mpc_internal.sees_every_study() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_has_role(current_user, 'mpc_study', 'USAGE') OR pg_has_role(current_user, 'mpc_admin', 'USAGE') $$;

COMMENT ON FUNCTION mpc_internal.sees_every_study() IS
'whether the current user sees every study of this node in the views: those who decide on studies, and mpc_admin';

CREATE FUNCTION mpc_internal.reads_every_result() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_has_role(current_user, 'mpc_admin', 'USAGE') $$;

COMMENT ON FUNCTION mpc_internal.reads_every_result() IS 'whether the current user reads the results of every study of this node';

CREATE FUNCTION mpc_internal.role_text(role oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce((SELECT quote_ident(r.rolname) FROM pg_roles AS r WHERE r.oid = $1), $1::text) $$;

COMMENT ON FUNCTION mpc_internal.role_text(oid) IS 'name of a role as SQL writes it, with quotes where they are needed; its oid when it is gone';

CREATE FUNCTION mpc_internal.note_reader(study text, version integer, role oid, reason text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO mpc_internal.readers (study, version, role, role_name, reason)
  SELECT $1, $2, p.oid, p.rolname, $4 FROM pg_roles AS p WHERE p.oid = $3
  ON CONFLICT ON CONSTRAINT readers_key DO UPDATE SET role_name = excluded.role_name
   WHERE readers.role_name <> excluded.role_name
$$;

COMMENT ON FUNCTION mpc_internal.note_reader(text, integer, oid, text) IS
'the role proposed, approved or ran this version of the study and may read it from now on';

CREATE FUNCTION mpc_internal.reads(caller oid, study text, version integer DEFAULT NULL) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pg_has_role($1, 'mpc_admin', 'USAGE')
      OR EXISTS (SELECT FROM mpc_internal.reader_versions AS r
                  WHERE r.study = $2 AND r.version = coalesce($3, r.version) AND pg_has_role($1, r.role, 'USAGE'))
$$;

COMMENT ON FUNCTION mpc_internal.reads(oid, text, integer) IS
'whether a role may read the results of a version of a study, of any version without one';

CREATE FUNCTION mpc_internal.reads_all_versions(caller oid, study text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pg_has_role($1, 'mpc_admin', 'USAGE')
      OR EXISTS (SELECT FROM mpc_internal.readers AS r JOIN pg_roles AS p ON p.oid = r.role AND p.rolname = r.role_name
                  WHERE r.study = $2 AND r.version IS NULL AND pg_has_role($1, p.oid, 'USAGE'))
$$;

COMMENT ON FUNCTION mpc_internal.reads_all_versions(oid, text) IS 'whether a role may read a study with the versions that are still to come';

CREATE FUNCTION mpc_internal.seen_entries(caller oid) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.id FROM mpc_internal.ledger AS l
   WHERE l.study IS NULL OR pg_has_role($1, 'mpc_study', 'USAGE') OR pg_has_role($1, 'mpc_admin', 'USAGE')
      OR l.id IN (SELECT e.id FROM mpc_internal.entry_versions AS e JOIN mpc_internal.reader_versions AS r USING (study, version)
                   WHERE pg_has_role($1, r.role, 'USAGE'))
$$;

COMMENT ON FUNCTION mpc_internal.seen_entries(oid) IS 'entries of the ledger that a role sees, as in view mpc.ledger';

CREATE FUNCTION mpc_internal.require_reader(caller oid, study text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF mpc_internal.reads(caller, study) THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.find_study(study);
  RAISE EXCEPTION USING ERRCODE = '42501',
    MESSAGE = format('role %s may not read study "%s"', mpc_internal.role_text(caller), study),
    DETAIL = 'Roles that proposed, approved or ran a version of a study at this node may read that version, and those that were added to it.',
    HINT = format('One of them, or a member of mpc_admin, may call mpc.add_reader(%L, ''role'').', study);
END
$$;

COMMENT ON FUNCTION mpc_internal.require_reader(oid, text) IS 'error 42501 unless the role may read the results of a version of the study';

CREATE FUNCTION mpc_internal.versions_of(caller oid, study text) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN mpc_internal.reads_all_versions($1, $2) THEN ARRAY[NULL::integer]
         ELSE ARRAY(SELECT DISTINCT r.version FROM mpc_internal.reader_versions AS r
                     WHERE r.study = $2 AND pg_has_role($1, r.role, 'USAGE') ORDER BY r.version) END
$$;

COMMENT ON FUNCTION mpc_internal.versions_of(oid, text) IS 'versions of a study that a role may read, as in table readers: {NULL} for all';

CREATE FUNCTION mpc_internal.reader_to_change(caller oid, study text, role text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_role oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = reader_to_change.role);
BEGIN
  PERFORM mpc_internal.find_study(study);
  PERFORM mpc_internal.require_reader(caller, study);
  IF found_role IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('role "%s" does not exist', role),
      DETAIL = 'The name is taken as it stands, upper and lower case included.',
      HINT = 'View pg_roles lists the roles of this server.';
  END IF;
  RETURN found_role;
END
$$;

COMMENT ON FUNCTION mpc_internal.reader_to_change(oid, text, text) IS
'oid of the role that is to be added or removed; errors 42704 unknown study or role, 42501 the caller may not read the study itself';

CREATE FUNCTION mpc_internal.add_reader(caller oid, study text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  added oid := mpc_internal.reader_to_change(caller, study, role);
  versions integer[];
BEGIN
  IF NOT (pg_has_role(added, 'mpc_reader', 'USAGE') OR pg_has_role(added, 'mpc_study', 'USAGE')) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('role %s is no member of mpc_reader', mpc_internal.role_text(added)),
      DETAIL = 'Only members of mpc_reader or mpc_study may call the functions and read the views of results.',
      HINT = format('GRANT mpc_reader TO %s;', mpc_internal.role_text(added));
  END IF;
  -- What the caller reads itself, no more: all versions, or those of which it is a reader.
  versions := mpc_internal.versions_of(caller, study);
  INSERT INTO mpc_internal.readers (study, version, role, role_name, reason, added_by)
  SELECT add_reader.study, v, added, add_reader.role, 'added', mpc_internal.role_text(caller) FROM unnest(versions) AS v
  ON CONFLICT ON CONSTRAINT readers_key DO UPDATE SET role_name = excluded.role_name;
  PERFORM mpc_internal.record_event(study, NULL, 'reader_added', NULL, jsonb_build_object(
    'role', mpc_internal.role_text(added), 'by', mpc_internal.role_text(caller), 'versions', coalesce(to_jsonb(nullif(versions, ARRAY[NULL::integer])), '"all"')));
END
$$;

COMMENT ON FUNCTION mpc_internal.add_reader(oid, text, text) IS 'implements mpc.add_reader';

CREATE FUNCTION mpc.add_reader(study text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.add_reader(text, text) IS
'lets a role of this node read a study: its results and its rows in the views. The role is named as it stands in pg_roles and has to be a member of mpc_reader or mpc_study. Whoever may read the study may call it and passes on what it may read itself: a member of mpc_admin, and whoever was added by one, all versions of the study, those to come included; a role that proposed, approved or ran some versions, those. Errors: 42704 unknown study or role, 42501 the caller may not read the study, 22023 the role is no member of mpc_reader';

CREATE FUNCTION mpc_internal.remove_reader(caller oid, study text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  removed oid := mpc_internal.reader_to_change(caller, study, role);
  versions integer[];
  taken integer[];
BEGIN
  versions := mpc_internal.versions_of(caller, study);
  WITH gone AS (
    DELETE FROM mpc_internal.readers AS r
     WHERE r.study = remove_reader.study AND r.role = removed
       AND (r.version = ANY (versions) OR mpc_internal.reads_all_versions(caller, remove_reader.study))
    RETURNING r.version)
  SELECT array_agg(g.version ORDER BY g.version) INTO taken FROM gone AS g;
  IF taken IS NULL AND EXISTS (SELECT FROM mpc_internal.readers AS r WHERE r.study = remove_reader.study AND r.role = removed) THEN
    RAISE EXCEPTION USING ERRCODE = '42501',
      MESSAGE = format('role %s may not take what role %s reads of study "%s"', mpc_internal.role_text(caller), mpc_internal.role_text(removed), study),
      DETAIL = 'They are readers of different versions, or the other one of all versions.',
      HINT = 'A reader of the same versions, or a member of mpc_admin, may do so.';
  ELSIF taken IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('role %s is no reader of study "%s"', mpc_internal.role_text(removed), study),
      DETAIL = format('Its readers are %s.', coalesce((SELECT string_agg(DISTINCT mpc_internal.role_text(r.role), ', ')
                                                         FROM mpc_internal.readers AS r WHERE r.study = remove_reader.study), 'none')),
      HINT = 'A role may also read a study because it is a member of one that is a reader, or of mpc_admin.';
  END IF;
  PERFORM mpc_internal.record_event(study, NULL, 'reader_removed', NULL, jsonb_build_object(
    'role', mpc_internal.role_text(removed), 'by', mpc_internal.role_text(caller), 'versions', coalesce(to_jsonb(nullif(taken, ARRAY[NULL::integer])), '"all"')));
END
$$;

COMMENT ON FUNCTION mpc_internal.remove_reader(oid, text, text) IS 'implements mpc.remove_reader';

CREATE FUNCTION mpc.remove_reader(study text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.remove_reader(text, text) IS
'takes the right to read a study from a role, also from one that proposed, approved or ran it (which gets it back when it does so again): of the versions that the caller may read itself. Errors: 42704 unknown study or role, or the role is no reader; 42501 the caller may read none of the versions that the role reads';

CREATE FUNCTION mpc_internal.identifier_column(source oid, named text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  exact text := (SELECT a.attname FROM pg_attribute AS a
                  WHERE a.attrelid = source AND a.attname = btrim(named) AND a.attnum > 0 AND NOT a.attisdropped);
  parsed text[];
BEGIN
  IF exact IS NULL THEN
    BEGIN
      parsed := parse_ident(named);
    EXCEPTION WHEN invalid_parameter_value THEN
      parsed := NULL;
    END;
    IF cardinality(parsed) IS DISTINCT FROM 1 THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('identifier %L is not the name of a column', btrim(named)),
        DETAIL = 'A name is written as the column is called, or as in SQL.',
        HINT = 'Separate the columns of several parts by commas; they are columns of the source, without its name.';
    END IF;
  END IF;
  RETURN coalesce(exact, parsed[1]);
END
$$;

COMMENT ON FUNCTION mpc_internal.identifier_column(oid, text) IS
'the column that a name means: the one with exactly this name, else the name folded as an SQL identifier; error 22023 when it is none';

CREATE OR REPLACE FUNCTION mpc_internal.identifier_columns(spec jsonb, source oid, identifier text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts integer := CASE jsonb_typeof(spec -> 'identifier' -> 'parts') WHEN 'array' THEN jsonb_array_length(spec -> 'identifier' -> 'parts')
                   ELSE (spec -> 'identifier' ->> 'parts')::integer END;
  names text[] := ARRAY[btrim(identifier)];
BEGIN
  IF identifier IS NULL OR btrim(identifier) = '' THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller names the column of its identifier',
      DETAIL = 'The identifier is missing or empty.',
      HINT = 'Pass identifier => ''column'', or one column per part of identifier.parts, separated by commas.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute AS a
                  WHERE a.attrelid = source AND a.attname = names[1] AND a.attnum > 0 AND NOT a.attisdropped) THEN
    names := ARRAY(SELECT mpc_internal.identifier_column(source, part)
                     FROM unnest(string_to_array(identifier, ',')) WITH ORDINALITY AS p (part, place)
                    ORDER BY place);
  END IF;
  IF cardinality(names) <> parts THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'number of identifier columns differs from the spec',
      DETAIL = format('The spec has identifier.parts %s, the columns given are: %s.', parts, array_to_string(names, ', ')),
      HINT = 'Name one column per part, separated by commas, in the order agreed on with the other controller.';
  END IF;
  RETURN names;
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.require_source(source oid, role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  relation record;
BEGIN
  IF source IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller names its source',
      DETAIL = 'The source is NULL.',
      HINT = 'Pass source => ''table or view''::regclass.';
  END IF;
  SELECT c.relkind, c.relpersistence, c.relnamespace, n.nspname INTO relation
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = source;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = 'the source does not exist',
      DETAIL = format('Its relation had the oid %s.', source),
      HINT = 'Approve the study again with the source that is meant.';
  END IF;
  IF relation.relkind NOT IN ('r', 'p', 'v', 'm', 'f') OR relation.relpersistence = 't' THEN
    RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = format('"%s" cannot be a source', source::regclass),
      DETAIL = CASE WHEN relation.relpersistence = 't' THEN 'It is temporary: only its own session can read it.'
               ELSE 'It is a relation without rows of its own.' END,
      HINT = 'A source is a table, partitioned table, foreign table, view or materialized view that other sessions can see.';
  END IF;
  IF NOT has_schema_privilege(role, relation.relnamespace, 'USAGE') THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('permission denied for schema %s', relation.nspname),
      DETAIL = format('The source is read as role %s.', mpc_internal.role_text(role)),
      HINT = 'Grant USAGE on the schema to that role.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_source(oid, oid) IS
'error unless the relation is of a kind that an engine can read as the role: 22004, 42P01, 42809, 42501';

CREATE OR REPLACE FUNCTION mpc_internal.require_binding(
  spec jsonb, party text, source oid, identifier text[], role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text;
  problem text;
  columns text[] := mpc_internal.columns_of(spec, party);
BEGIN
  PERFORM mpc_internal.require_source(source, role);
  FOREACH name IN ARRAY identifier || columns LOOP
    problem := mpc_internal.column_problem(source, name, role);
    IF problem = '42703' THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('column "%s" of source %s does not exist', name, source::regclass),
        DETAIL = CASE WHEN name = ANY (identifier) THEN 'It was named as identifier.'
                      ELSE 'The spec names it as a column of this controller.' END,
        HINT = CASE WHEN name = ANY (identifier) THEN 'Name the columns of the identifier as they are in the source.'
                    ELSE 'Bind a view that has all columns of this controller: '
                         || array_to_string(columns, ', ') || '.' END;
    ELSIF problem = '42501' THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('permission denied for column "%s" of source %s', name, source::regclass),
        DETAIL = format('The source is read as role %s, which approves.', mpc_internal.role_text(role)),
        HINT = 'Grant SELECT on the columns used, or bind a view.';
    ELSIF problem = '42804' AND name = ANY (columns) THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('column "%s" of source %s is neither numeric nor boolean', name, source::regclass),
        DETAIL = format('Its type is %s.', (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
                                             WHERE a.attrelid = source AND a.attname = name)),
        HINT = 'Bind a view that turns it into numbers, for example one 0/1 column per category.';
    END IF;
  END LOOP;
END
$$;

CREATE FUNCTION mpc_internal.require_unchanged(held mpc_internal.current_studies) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  now_held mpc_internal.current_studies%ROWTYPE;
BEGIN
  -- Without a lock: no user's transaction stops an attempt. One that starts before this commits runs on the data of the
  -- approval before, which all nodes agreed on; the peers take the new approval at its end.
  SELECT * INTO now_held FROM mpc_internal.current_studies AS s WHERE s.study = held.study;
  IF now_held.version <> held.version OR now_held.state IN ('running', 'released') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" changed while it was being approved', held.study),
      DETAIL = format('It is version %s, %s.', now_held.version, now_held.state),
      HINT = CASE now_held.state WHEN 'running' THEN 'Wait for its end, or cancel it with mpc.cancel_study.'
             ELSE 'Read it with mpc.explain_study.' END;
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_unchanged(mpc_internal.current_studies) IS
'error 55000 when the study started, was released or was proposed anew while its source was being read';

CREATE FUNCTION mpc_internal.approve_study(caller oid, study text, digest text, source regclass, identifier text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held mpc_internal.current_studies%ROWTYPE;
  names text[];
  expires timestamptz;
  counterpart text;
  pin record;
  brought text[];
BEGIN
  IF digest IS NULL OR digest !~ '\A[0-9a-f]{64}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'digest has not the form of a digest',
      DETAIL = format('The digest is %L.', left(digest, 100)),
      HINT = 'mpc.propose_study returns it, view mpc.studies shows it: 64 hexadecimal digits in lower case.';
  END IF;
  held := mpc_internal.await_proposal(study, digest);
  -- An approval that has expired is renewed here, a proposal that has is not.
  IF held.state IN ('running', 'released') OR held.expires_at <= now() THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = format('It is version %s, proposed by %s.', held.version, held.proposer),
      HINT = CASE held.state WHEN 'running' THEN 'Wait for its end, or cancel it with mpc.cancel_study.'
             ELSE 'Propose it again: a new version needs new approvals.' END;
  END IF;
  IF held.spec::jsonb -> 'format' IS NULL THEN
    PERFORM mpc_internal.require_startable(held);
  END IF;
  PERFORM mpc_internal.require_peers(held.parties);
  PERFORM mpc_internal.require_own_approval(held.study, held.version, caller);
  PERFORM mpc_internal.require_floor(held.study, held.spec::jsonb, '22023');
  IF own = held.parties[3] THEN
    IF source IS NOT NULL OR identifier IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the third party brings no source',
        DETAIL = format('In study "%s" this node, "%s", is the third party.', study, own),
        HINT = 'Approve with the digest alone.';
    END IF;
  ELSIF source IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller approves with its source',
      DETAIL = format('In study "%s" this node, "%s", brings the columns %s.', study, own,
                      array_to_string(mpc_internal.columns_of(held.spec::jsonb, own), ', ')),
      HINT = 'Pass source => ''table or view''::regclass and identifier => ''column''.';
  ELSE
    PERFORM mpc_internal.require_source(source, caller);
    names := mpc_internal.identifier_columns(held.spec::jsonb, source, identifier);
    PERFORM mpc_internal.require_binding(held.spec::jsonb, own, source, names, caller);
    counterpart := mpc_internal.counterpart_of(held.parties, own);
    brought := mpc_internal.columns_of(held.spec::jsonb, own);
    pin := mpc_internal.pin_source(held.spec, own, source, names, caller, counterpart, held.study, held.version);
    PERFORM mpc_internal.require_same_identifier(held.study, held.spec::jsonb, counterpart);
    PERFORM mpc_internal.require_versions(held.study, held.spec::jsonb, counterpart, pin.data_version);
    PERFORM mpc_internal.require_cohort(held.study, held.spec::jsonb, counterpart, pin.data_version, brought);
    PERFORM mpc_internal.require_union(held.study, held.spec::jsonb, counterpart, pin.data_version);
    PERFORM mpc_internal.notice_source(held.study, held.spec::jsonb, own, source, names, caller, pin.profile::jsonb);
  END IF;
  PERFORM mpc_internal.require_heard(held.study, held.spec::jsonb, a.party, a.columns, mpc_internal.number_at_start(a))
     FROM mpc_internal.approvals AS a
    WHERE a.study = held.study AND a.version = held.version AND a.party <> own AND a.decision = 'approved'
      AND a.commitment IS NOT NULL;
  PERFORM mpc_internal.require_unchanged(held);
  expires := now() + mpc_internal.lifetime();
  PERFORM mpc_internal.decide(held.study, held.version, own, held.digest, 'approved', NULL, expires, caller, source::text);
  PERFORM mpc_internal.note_reader(held.study, held.version, caller, 'approved');
  IF brought IS NOT NULL THEN
    UPDATE mpc_internal.approvals AS a
       SET source = approve_study.source, identifier = names, approver = caller,
           source_schema = mpc_internal.source_schema(approve_study.source, names || brought),
           source_digest = pin.digest, source_records = pin.records, data_version = pin.data_version, columns = brought,
           commitments = pin.commitments, two_valued = pin.two_valued,
           commitment = mpc_internal.commitment(mpc_internal.commitment_text(counterpart, approve_study.source, brought,
                                                                             pin.commitments, pin.two_valued)),
           data_number = mpc_internal.data_number(counterpart, pin.data_version), key_id = mpc_internal.key_mark(),
           source_owner = (SELECT c.relowner FROM pg_class AS c WHERE c.oid = approve_study.source)
     WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  ELSE
    UPDATE mpc_internal.approvals AS a SET approver = caller
     WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  END IF;
  PERFORM mpc_internal.broadcast(held.parties, jsonb_strip_nulls(jsonb_build_object(
            'type', 'approve', 'study', held.study, 'version', held.version, 'digest', held.digest,
            'expires_at', floor(extract(epoch FROM expires)), 'data', mpc_internal.data_message(a))))
     FROM mpc_internal.approvals AS a WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  PERFORM mpc_internal.notice_data(held.study, held.version, own);
  PERFORM mpc_internal.notice_relaxed(held.study, held.spec, own);
  PERFORM mpc_internal.announce(study);
  RETURN (SELECT s.state FROM mpc_internal.current_studies AS s WHERE s.study = held.study);
END
$$;

COMMENT ON FUNCTION mpc_internal.approve_study(oid, text, text, regclass, text) IS 'implements mpc.approve_study';

CREATE OR REPLACE FUNCTION mpc.approve_study(
  study text, digest text, source regclass DEFAULT NULL, identifier text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.approve_study(text, text, regclass, text) IS
'this node agrees to exactly this digest. A controller binds its table or view and the column (comma-separated columns) of the identifier; the engine reads them later as the role that approves now. The source is read once now: a study whose source has changed since is refused until it is approved again. All columns that this node ever used with the other controller, and those of this study, must not single out a record (union rule, docs/disclosure.md); the others hear a commitment to the data, and which columns have two values only. The approval holds for pg_mpc.approval_lifetime. Waits up to 10 s for a proposal on its way. Returns the state; a NOTICE names every problem of the source that mpc.check_source shows, every disclosure rule that the spec relaxes, and every party that brings other data than in earlier studies. Errors: MP005 union rule or disclosure.versions; 22023 another digest, a rule looser than a setting of this node, or data of another party that do not fit; 42704 unknown study, 42703/42501/42804 name the column, 42501 approved by another role, 55000 running, released, expired, too few changed persons, or records forgotten';

COMMENT ON FUNCTION mpc_internal.study_for_check(text) IS 'what mpc.check_source, which runs as its caller, needs of a study';

CREATE FUNCTION mpc_internal.source_profile(spec text, party text, source oid, identifier text[], columns text[]) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_source_profile';

COMMENT ON FUNCTION mpc_internal.source_profile(text, text, oid, text[], text[]) IS
'JSON of what a run would make of a source, read as the current user: rows that it keeps, with a NULL, and refused by the form of their identifier, matches that the disclosure rules require; per part of the identifier lengths, leading zeros, blanks, characters beyond ASCII, shapes of at least 10 records; per column NULLs, the figures of the rows kept, and what stands in the way of it';

CREATE FUNCTION mpc_internal.form_of(spec jsonb, part integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE jsonb_typeof(i -> 'parts') WHEN 'array' THEN i -> 'parts' -> $2 ->> 'form'
         ELSE coalesce((SELECT string_agg(r, ', ') FROM jsonb_array_elements_text(i -> 'normalise') AS r), 'as it is') END
    FROM (SELECT $1 -> 'identifier' AS i) AS s
$$;

COMMENT ON FUNCTION mpc_internal.form_of(jsonb, integer) IS 'how a part of the identifier (from 0) is normalised: its form, or the rules for all parts';

CREATE FUNCTION mpc_internal.part_problem(part jsonb, form text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Without a form that says what to do with them, these are the usual reasons why persons are not found.
  SELECT nullif(concat_ws('; ',
    CASE WHEN (part ->> 'refused')::bigint > 0 THEN format('refused: %s (%s)', part ->> 'refused', part ->> 'reasons') END,
    CASE WHEN $2 NOT LIKE '%/%' AND (part ->> 'leading_zeros')::bigint > 0 THEN format('leading zeros: %s', part ->> 'leading_zeros') END,
    CASE WHEN $2 NOT LIKE '%/%' AND (part ->> 'non_ascii')::bigint > 0 THEN format('characters beyond ASCII: %s', part ->> 'non_ascii') END,
    CASE WHEN $2 IN ('as it is', 'upper') AND (part ->> 'blanks')::bigint > 0 THEN format('blanks: %s', part ->> 'blanks') END), '')
$$;

COMMENT ON FUNCTION mpc_internal.part_problem(jsonb, text) IS 'why persons may not be found by a part of the identifier; NULL when nothing stands in the way';

CREATE FUNCTION mpc_internal.rows_problem(profile jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT nullif(concat_ws('; ',
    CASE WHEN (profile ->> 'kept')::bigint < (profile ->> 'required')::bigint
         THEN format('fewer complete rows than the %s matches that the disclosure rules require', profile ->> 'required') END,
    CASE WHEN (profile ->> 'nulls')::bigint > 0 THEN format('dropped because of a NULL: %s', profile ->> 'nulls') END,
    CASE WHEN (profile ->> 'refused')::bigint > 0 THEN format('dropped because of their identifier: %s', profile ->> 'refused') END), '')
$$;

COMMENT ON FUNCTION mpc_internal.rows_problem(jsonb) IS 'what is lost of the rows of a source, from its source_profile; NULL when nothing is';

CREATE FUNCTION mpc_internal.identifier_row(part jsonb, form text, OUT refused bigint, OUT problem text, OUT seen text) RETURNS record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (part ->> 'refused')::bigint, mpc_internal.part_problem(part, form),
         CASE WHEN (part ->> 'records')::bigint > 0
              THEN format('form %s; %s to %s characters; leading zeros %s, blanks %s, non-ASCII %s; shapes: %s', form,
                          part ->> 'shortest', part ->> 'longest', part ->> 'leading_zeros', part ->> 'blanks',
                          part ->> 'non_ascii', part ->> 'shapes') END
$$;

COMMENT ON FUNCTION mpc_internal.identifier_row(jsonb, text) IS 'what mpc.check_source says of a part of the identifier';

CREATE FUNCTION mpc_internal.source_rows(spec jsonb, party text, source oid, keys text[], caller oid, profile jsonb)
RETURNS TABLE (about text, column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  figures jsonb;
BEGIN
  about := 'rows';
  column_name := '(rows)';
  rows := profile ->> 'rows';
  nulls := profile ->> 'nulls';
  refused := profile ->> 'refused';
  problem := mpc_internal.rows_problem(profile);
  RETURN NEXT;

  about := 'identifier';
  FOR place IN 0 .. cardinality(keys) - 1 LOOP
    column_name := keys[place + 1];
    type := (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a WHERE a.attrelid = source AND a.attname = column_name);
    -- The whole identifier is judged in the row of its first part.
    nulls := CASE WHEN place = 0 THEN (profile -> 'identifier' ->> 'nulls')::bigint END;
    duplicates := CASE WHEN place = 0 THEN (profile -> 'identifier' ->> 'duplicates')::bigint END;
    SELECT p.refused, p.problem, p.seen INTO refused, problem, seen
      FROM mpc_internal.identifier_row(profile -> 'identifier' -> 'parts' -> place, mpc_internal.form_of(spec, place)) AS p;
    problem := nullif(concat_ws('; ', CASE WHEN duplicates > 0 THEN format('duplicate identifiers, surplus rows: %s', duplicates) END, problem), '');
    RETURN NEXT;
  END LOOP;

  about := 'column';
  SELECT NULL, NULL, NULL, NULL INTO duplicates, type, refused, seen;
  FOREACH column_name IN ARRAY mpc_internal.columns_of(spec, party) LOOP
    figures := profile -> 'columns' -> column_name;
    nulls := figures ->> 'nulls';
    minimum := figures ->> 'minimum';
    maximum := figures ->> 'maximum';
    mean := figures ->> 'mean';
    sd := figures ->> 'sd';
    problem := CASE WHEN figures IS NOT NULL THEN figures ->> 'problem'
                    ELSE CASE mpc_internal.column_problem(source, column_name, caller)
                         WHEN '42703' THEN 'does not exist'
                         WHEN '42501' THEN 'permission denied'
                         ELSE 'neither numeric nor boolean' END END;
    RETURN NEXT;
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.source_rows(jsonb, text, oid, text[], oid, jsonb) IS
'the rows of mpc.check_source from the source_profile of the source; about: rows, identifier or column. Columns that the profile lacks cannot be read';

CREATE FUNCTION mpc_internal.notice_source(study text, spec jsonb, party text, source oid, keys text[], caller oid, profile jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  seen record;
BEGIN
  FOR seen IN SELECT r.about, r.column_name, r.problem
                FROM mpc_internal.source_rows(spec, party, source, keys, caller, profile) AS r WHERE r.problem IS NOT NULL LOOP
    RAISE NOTICE USING
      MESSAGE = CASE seen.about WHEN 'rows' THEN format('source %s: %s', source::regclass, seen.problem)
                ELSE format('%s "%s": %s', seen.about, seen.column_name, seen.problem) END,
      DETAIL = CASE seen.about
        WHEN 'rows' THEN 'A run uses the rows without a NULL in a column that it reads, whose identifier its form keeps.'
        WHEN 'identifier' THEN 'Records that are refused are left out of the run, like those with a NULL; others are not found when the other controller writes them differently.'
        ELSE 'The column was read as a run reads it. The approval stands.' END,
      HINT = format('mpc.check_source(%L, ...) shows what it looks like.%s', study, CASE seen.about
        WHEN 'identifier' THEN ' A form of identifier.parts that both controllers agree on, such as bsn or number, brings both to the same bytes.'
        ELSE ' To change it, bind a view, or propose the study with other columns or rules.' END);
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.notice_source(text, jsonb, text, oid, text[], oid, jsonb) IS
'a NOTICE for every problem that mpc.check_source shows of a source, from the source_profile that its approval made';

CREATE FUNCTION mpc_internal.check_source(caller oid, study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held record := mpc_internal.study_for_check(study);
  keys text[];
  readable text[];
  profile jsonb;
BEGIN
  PERFORM mpc_internal.require_source(source, caller);
  keys := mpc_internal.identifier_columns(held.spec, source, identifier);
  PERFORM mpc_internal.require_binding(jsonb_build_object('controllers', '{}'::jsonb), held.party, source, keys,
                                       caller);
  readable := ARRAY(SELECT c FROM unnest(mpc_internal.columns_of(held.spec, held.party)) WITH ORDINALITY AS u (c, place)
                     WHERE mpc_internal.column_problem(source, c, caller) IS NULL ORDER BY place);
  profile := mpc_internal.source_profile(held.spec::text, held.party, source, keys, readable);
  RETURN QUERY SELECT r.column_name, r.rows, r.nulls, r.duplicates, r.minimum, r.maximum, r.mean, r.sd, r.problem, r.type, r.refused, r.seen
                 FROM mpc_internal.source_rows(held.spec, held.party, source, keys, caller, profile) AS r;
END
$$;

COMMENT ON FUNCTION mpc_internal.check_source(oid, text, regclass, text) IS 'implements mpc.check_source, as the caller';

CREATE FUNCTION mpc.check_source(study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_source_entry';

COMMENT ON FUNCTION mpc.check_source(text, regclass, text) IS
'looks at a table or view as the caller before it is approved, reading it as a run would: row "(rows)" has all rows, those with a NULL and those whose identifier its form refuses (a run drops both), then each part of the identifier with the duplicates of the whole (incomplete rows count), how many its form refuses, and what it looks like (seen: lengths, leading zeros, blanks, characters beyond ASCII, shapes of at least 10 rows with 9 for a digit and A for a letter), then each column with its NULLs and the range, mean and population standard deviation of the rows that a run keeps; problem says what is lost, what stands in the way and what may surprise, NULL where there is nothing. Columns with two values have to fit as such, whatever their type, as in a run. Nothing leaves the node';

COMMENT ON TABLE mpc_internal.source_uses IS
'attempts of this node that run, released models, were refused by a disclosure rule or ended after the match: relations read (the source first), complete records; data brought to the counterpart, outcome modelled, numbers released; never leaves this node';

CREATE FUNCTION mpc_internal.reserve_use(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  agreed jsonb;
  agreed_parties text[];
  bound mpc_internal.approvals%ROWTYPE;
BEGIN
  -- An earlier attempt whose end could not be recorded: it counts as one that went as far as is known.
  PERFORM mpc_internal.settle_use(u.study, u.attempt, 'ended') FROM mpc_internal.source_uses AS u
    WHERE u.study = reserve_use.study AND u.outcome = 'running' AND u.attempt <> reserve_use.attempt;
  SELECT s.spec, s.parties INTO agreed, agreed_parties FROM mpc_internal.studies AS s
   WHERE s.study = reserve_use.study AND s.version = reserve_use.version;
  SELECT a.* INTO bound FROM mpc_internal.approvals AS a
   WHERE a.study = reserve_use.study AND a.version = reserve_use.version AND a.party = mpc_internal.own_party()
     AND a.source IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;  -- the third party has no source
  END IF;
  LOCK TABLE mpc_internal.source_uses IN SHARE ROW EXCLUSIVE MODE;
  PERFORM mpc_internal.require_budget(study, agreed, bound.source);
  INSERT INTO mpc_internal.source_uses (study, version, attempt, outcome, models, match_told, records, counterpart, data_version,
                                        columns, modelled, numbers, relations, names)
  SELECT reserve_use.study, reserve_use.version, reserve_use.attempt, 'running', mpc_internal.models_in(agreed), false,
         bound.source_records, mpc_internal.counterpart_of(agreed_parties, bound.party), bound.data_version, bound.columns,
         mpc_internal.outcome_of(agreed),
         mpc_internal.charged_numbers(agreed, mpc_internal.counterpart_of(agreed_parties, bound.party), reserve_use.study),
         r.relations, coalesce(nullif(mpc_internal.names_of(r.relations), '{}'), ARRAY[bound.source_name])
    FROM (SELECT coalesce(mpc_internal.relations_of(bound.source), ARRAY[bound.source]) AS relations) AS r
  ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION mpc_internal.reserve_use(text, integer, text) IS
'called at the start of an attempt of this node: reserves its models, or error MP005 when they and those of the studies that run do not fit the budget';

CREATE FUNCTION mpc_internal.settle_use(study text, attempt text, outcome text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  told boolean := (SELECT s.n_matched IS NOT NULL FROM mpc_internal.studies AS s
                    WHERE s.study = settle_use.study AND s.attempt = settle_use.attempt);
BEGIN
  IF outcome = 'ended' AND NOT coalesce(told, false) THEN
    DELETE FROM mpc_internal.source_uses AS u
     WHERE u.study = settle_use.study AND u.attempt = settle_use.attempt AND u.outcome = 'running';
    RETURN;
  END IF;
  UPDATE mpc_internal.source_uses AS u
     SET outcome = settle_use.outcome, match_told = told,
         models = CASE settle_use.outcome WHEN 'released' THEN u.models ELSE 1 END,
         numbers = CASE settle_use.outcome WHEN 'released' THEN u.numbers ELSE mpc_internal.numbers_of_model(
                     (SELECT s.spec::jsonb FROM mpc_internal.studies AS s WHERE s.study = u.study AND s.version = u.version)) END,
         records = coalesce((SELECT p.records FROM mpc_internal.steps AS p
                              WHERE p.study = u.study AND p.version = u.version AND p.attempt = u.attempt
                                AND p.name = 'prepare' AND p.party = mpc_internal.own_party()), u.records)
   WHERE u.study = settle_use.study AND u.attempt = settle_use.attempt AND u.outcome = 'running';
END
$$;

COMMENT ON FUNCTION mpc_internal.settle_use(text, text, text) IS
'called at the end of an attempt of this node: its reservation becomes the models that it released, or one for an attempt without any, or nothing when the number of matched records was not told';

CREATE FUNCTION mpc_internal.lambdas_in(spec jsonb) RETURNS SETOF jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_path_query(coalesce(spec -> 'analysis', jsonb_path_query_first(spec, '$.analyses.*')), '$.lambda[*]')
$$;

COMMENT ON FUNCTION mpc_internal.lambdas_in(jsonb) IS 'lambdas of a study; a spec of format 1 has "analysis", a later one "analyses"';

CREATE OR REPLACE FUNCTION mpc_internal.models_in(spec jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT count(*)::integer FROM mpc_internal.lambdas_in($1) $$;

COMMENT ON FUNCTION mpc_internal.models_in(jsonb) IS 'models that a study releases, one per lambda';

CREATE FUNCTION mpc_internal.numbers_of_model(spec jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT 2 + sum(jsonb_array_length(c.value -> 'attributes')) FROM jsonb_each(spec -> 'controllers') AS c $$;

COMMENT ON FUNCTION mpc_internal.numbers_of_model(jsonb) IS 'numbers of one model: coefficients, intercept, R squared';

CREATE FUNCTION mpc_internal.outcome_of(spec jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT format('%s.%s', c.key, c.value ->> 'outcome') FROM jsonb_each(spec -> 'controllers') AS c WHERE c.value ? 'outcome' AND c.value ->> 'outcome' IS NOT NULL $$;

COMMENT ON FUNCTION mpc_internal.outcome_of(jsonb) IS 'party.column of the outcome';

CREATE FUNCTION mpc_internal.charged_numbers(spec jsonb, counterpart text, study text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT mpc_internal.numbers_of_model($1) * CASE $1 -> 'release' ->> 'precision' WHEN 'exact' THEN 4 ELSE 1 END
         * (mpc_internal.models_in($1) - CASE WHEN EXISTS (
              SELECT FROM mpc_internal.source_uses AS u
               WHERE u.counterpart = $2 AND (u.outcome = 'released' OR u.outcome = 'running' AND u.study <> $3)
                 AND split_part(u.modelled, '.', 1) = split_part(mpc_internal.outcome_of($1), '.', 1)) THEN 0 ELSE 1 END)
$$;

COMMENT ON FUNCTION mpc_internal.charged_numbers(jsonb, text, text) IS
'released numbers that a study counts against disclosure.released_numbers: all of its models but the first one that models an outcome of its owner, because a controller''s columns, each in turn the outcome, tell all second moments of its records that matched; exact ones count four times';

CREATE FUNCTION mpc_internal.numbers_before(counterpart text, study text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(sum(coalesce(u.numbers, u.models * mpc_internal.numbers_of_model(s.spec::jsonb))), 0)::bigint
    FROM mpc_internal.source_uses AS u JOIN mpc_internal.studies AS s USING (study, version)
   WHERE coalesce(u.counterpart, mpc_internal.counterpart_of(s.parties, mpc_internal.own_party())) = $1
     AND (u.outcome <> 'running' OR u.study <> $2)
$$;

COMMENT ON FUNCTION mpc_internal.numbers_before(text, text) IS
'released numbers that count against disclosure.released_numbers with a counterpart, other studies that run now included; of uses that an older version recorded: models times their numbers';

CREATE FUNCTION mpc_internal.require_budget(study text, spec jsonb, source oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  budget bigint := (spec -> 'disclosure' ->> 'model_budget')::bigint;
  released bigint;
  reserved bigint;
  others bigint;
BEGIN
  SELECT coalesce(sum(u.models) FILTER (WHERE u.outcome = 'released'), 0),
         coalesce(sum(u.models) FILTER (WHERE u.outcome = 'running' AND u.study <> require_budget.study), 0),
         coalesce(sum(u.models) FILTER (WHERE u.outcome IN ('refused', 'ended')), 0)
    INTO released, reserved, others FROM mpc_internal.uses_of(source) AS u;
  IF released + reserved + others + mpc_internal.models_in(spec) > budget THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005', MESSAGE = 'model budget of the source is used up',
      DETAIL = format('Source %s has %s released models and %s attempts that were refused or ended after the match, %sand the study would add %s; disclosure.model_budget is %s.',
                      source::regclass, released, others,
                      CASE WHEN reserved > 0 THEN format('studies that run now may add %s, ', reserved) ELSE '' END,
                      mpc_internal.models_in(spec), budget),
      HINT = CASE WHEN released + others + mpc_internal.models_in(spec) <= budget
                  THEN 'Wait for the end of the studies that run: what they do not use is free again.'
             ELSE 'Every model, every refusal and every match tells a little more about the same records; agree on a larger budget if that is acceptable.' END;
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_budget(text, jsonb, oid) IS
'error MP005 when the models released from a source, those that other running studies may release, and its attempts without a release would exceed disclosure.model_budget';

CREATE FUNCTION mpc_internal.beyond_floors(spec jsonb) RETURNS TABLE (rule text, agreed text, floor text, at_least boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- A setting of a rule is off below 0; at_least: the spec has to have at least as much, otherwise at most. Without a number
  -- in the spec: as many columns as it has, at most 100 released numbers (default_released_numbers in study/disclosure.h).
  SELECT r.rule, coalesce(d.agreed, 'none'), s.floor, r.at_least
    FROM (VALUES ('min_matched', true), ('max_parameter_ratio', false), ('min_level_count', true), ('max_dominance', false),
                 ('model_budget', false), ('min_cohort_change', true), ('min_lambda', true), ('max_leverage', false), ('max_vif', false),
                 ('max_columns', false), ('versions', false), ('released_numbers', false)) AS r (rule, at_least),
         LATERAL (SELECT coalesce(current_setting('pg_mpc.' || r.rule, true), CASE r.rule WHEN 'min_matched' THEN '100' ELSE '-1' END)) AS s (floor),
         LATERAL (SELECT coalesce($1 -> 'disclosure' ->> r.rule, CASE r.rule
                           WHEN 'max_columns' THEN (mpc_internal.numbers_of_model($1) - 2)::text
                           WHEN 'released_numbers' THEN '100' END)) AS d (agreed)
   WHERE s.floor::numeric >= 0
     AND CASE WHEN d.agreed IS NULL THEN r.rule IN ('min_lambda', 'max_vif')
              WHEN r.at_least THEN d.agreed::numeric < s.floor::numeric ELSE d.agreed::numeric > s.floor::numeric END
  UNION ALL
  SELECT 'own_moments', 'true', 'off', false
   WHERE NOT coalesce(current_setting('pg_mpc.own_moments', true), 'on')::boolean AND ($1 -> 'disclosure' -> 'own_moments')::boolean
  UNION ALL
  SELECT 'precision', p.agreed, p.floor, false
    FROM (SELECT $1 -> 'release' ->> 'precision', coalesce(current_setting('pg_mpc.precision', true), '')) AS p (agreed, floor)
   WHERE p.floor <> '' AND array_position('{exact,statistical,coarse}', p.agreed) < array_position('{exact,statistical,coarse}', p.floor)
$$;

COMMENT ON FUNCTION mpc_internal.beyond_floors(jsonb) IS 'rules of a spec that are looser than the settings of this node allow';

CREATE OR REPLACE FUNCTION mpc_internal.require_floor(study text, spec jsonb, sqlstate text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  beyond record;
BEGIN
  SELECT b.*, CASE b.rule WHEN 'precision' THEN 'release.' ELSE 'disclosure.' END || b.rule AS key INTO beyond
    FROM mpc_internal.beyond_floors(spec) AS b LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = require_floor.sqlstate,
      MESSAGE = format('%s of study "%s" is %s of this node', beyond.key, study,
                       CASE WHEN beyond.at_least THEN 'below the floor' ELSE 'beyond the limit' END),
      DETAIL = format('The spec has %s, pg_mpc.%s of node "%s" is %s.', beyond.agreed, beyond.rule, mpc_internal.own_party(), beyond.floor),
      HINT = format('Propose a new version with a stricter %s, or ask the administrator of this node about its setting.', beyond.key);
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_floor(text, jsonb, text) IS
'error (22023 at approval, 55000 at start) when a rule of the spec is looser than this node''s setting of that rule';

CREATE OR REPLACE FUNCTION mpc_internal.notice_relaxed(study text, spec text, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rule record;
BEGIN
  FOR rule IN SELECT substr(e.name, 7) AS key, substr(e.learns, 10) AS statement FROM mpc_internal.explain_spec(spec, party) AS e
               WHERE e.name LIKE 'rule: %' AND e.learns LIKE 'relaxed: %' LOOP
    RAISE NOTICE USING MESSAGE = format('study "%s" relaxes %s%s', study, CASE WHEN rule.key NOT LIKE 'release.%' THEN 'disclosure.' END, rule.key),
      DETAIL = rule.statement || '.',
      HINT = 'mpc.reject_study refuses the study; a stricter rule is a new version.';
  END LOOP;
END
$$;

CREATE FUNCTION mpc_internal.budget_of(
  relations oid[], names text[], counterpart text, OUT numbers_used bigint, OUT numbers_left bigint, OUT models_left bigint) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  -- The defaults of model_budget and released_numbers (study/disclosure.h); m = matched records that were told last.
  SELECT used, CASE WHEN m IS NOT NULL THEN greatest(0, least(100, m / 10) - used) END, greatest(0, 100 - models)
    FROM (SELECT CASE WHEN $3 IS NOT NULL THEN mpc_internal.numbers_before($3, '') END AS used,
                 (SELECT sum(u.models) FROM mpc_internal.source_uses AS u WHERE u.relations && $1 OR u.names && $2) AS models,
                 (SELECT s.n_matched FROM mpc_internal.source_uses AS u JOIN mpc_internal.studies AS s USING (study, version)
                   WHERE u.counterpart = $3 AND u.match_told AND s.n_matched IS NOT NULL ORDER BY u.used_at DESC LIMIT 1) AS m) AS b
$$;

COMMENT ON FUNCTION mpc_internal.budget_of(oid[], text[], text) IS
'what is used and left now: released numbers of all sources with a counterpart, models of the sources that share a relation; running studies count';

CREATE VIEW mpc.source_uses WITH (security_barrier) AS
SELECT u.study, u.version, u.outcome, u.models, u.numbers, u.records, u.counterpart, u.match_told, b.numbers_used, b.numbers_left,
       b.models_left, u.used_at, u.names AS relations, u.columns, u.attempt
  FROM mpc_internal.source_uses AS u
  LEFT JOIN LATERAL mpc_internal.budget_of(u.relations, u.names, u.counterpart) AS b ON mpc_internal.sees_every_study()
 WHERE (mpc_internal.sees_every_study() OR (u.study, u.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r));

COMMENT ON VIEW mpc.source_uses IS
'what has been used of the budget of this node''s sources, and what is left: a row per attempt that runs (it reserves its models), released models, was refused by a disclosure rule or ended after the match (the latter two count as one), with the relations that it read. Sources that have a relation in common share their models; all sources share the numbers of a counterpart. records = complete records of this node''s own source; numbers = released numbers that count against disclosure.released_numbers with the counterpart. As of now, running studies included: numbers_used of that counterpart; numbers_left at the default limit, a tenth of the number of matches told last and at most 100, NULL before it was told; models_left of the default model_budget for the sources of the row. A study whose spec has other limits has more or less. These three are NULL for readers who do not see every study';

CREATE FUNCTION mpc_internal.pin_source(
  spec text, party text, source oid, identifier text[], role oid, counterpart text, study text, version integer,
  OUT digest bytea, OUT records bigint, OUT data_version bigint, OUT commitments bytea[], OUT two_valued text[],
  OUT profile text) RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_pin_source';

COMMENT ON FUNCTION mpc_internal.pin_source(text, text, oid, text[], oid, text, text, integer) IS
'reads a source as the role, as an engine would: keyed digest and number of its complete records, the data version that it is for the counterpart (whose records it keeps when it is a new one), a commitment per column, the columns with two values, and what it looks like (source_profile)';

CREATE FUNCTION mpc_internal.require_same_key(approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF approval.key_id <> mpc_internal.key_mark() THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'the source key of this node is new',
      DETAIL = format('Study "%s" was approved under another key, which stayed where it was at a promotion, a restore or pg_upgrade: whether source %s is as it was cannot be told.',
                      approval.study, approval.source_name),
      HINT = 'Approve the study again. Those of earlier studies with the same counterpart may have to be read again with mpc.keep_records.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_same_key(mpc_internal.approvals) IS
'error 55000 when the digest of the source was made under another key than the one that this node has now';

CREATE FUNCTION mpc_internal.same_or_rebuilt(approval mpc_internal.approvals) RETURNS oid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rebuilt oid := to_regclass(approval.source_name);
  difference text;
BEGIN
  IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = approval.source) THEN
    RETURN approval.source;
  END IF;
  -- Whoever owns a relation decides what code runs when it is read (rules of a view, policies): it must be who did before.
  difference := CASE
    WHEN rebuilt IS NULL THEN 'There is no relation of that name now.'
    WHEN approval.source_owner IS DISTINCT FROM (SELECT c.relowner FROM pg_class AS c WHERE c.oid = rebuilt)
      THEN 'There is a new relation of that name, whose owner is another role or was not recorded.'
    WHEN approval.source_schema IS DISTINCT FROM
         mpc_internal.source_schema(rebuilt, ARRAY(SELECT jsonb_object_keys(approval.source_schema -> 'columns')))
      THEN 'There is a new relation of that name, of another kind or with other columns.' END;
  IF difference IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = format('source %s was dropped after it was approved', approval.source_name),
      DETAIL = difference,
      HINT = 'Look at it with mpc.check_source, then approve the study again.';
  END IF;
  UPDATE mpc_internal.approvals AS a SET source = rebuilt
   WHERE a.study = approval.study AND a.version = approval.version AND a.party = approval.party;
  PERFORM mpc_internal.record_event(approval.study, NULL, 'source_rebuilt', approval.party, jsonb_build_object(
    'version', approval.version, 'source', approval.source_name));
  RETURN rebuilt;
END
$$;

COMMENT ON FUNCTION mpc_internal.same_or_rebuilt(mpc_internal.approvals) IS
'the relation of an approval or, when it was dropped, the new one of its name: with the same owner, kind and columns. Its contents are compared by the engine. Error 42P01 when there is none';

CREATE OR REPLACE FUNCTION mpc_internal.require_same_source(approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  approved jsonb := approval.source_schema -> 'columns';
  current jsonb;
  difference text;
BEGIN
  current := mpc_internal.source_schema(approval.source, ARRAY(SELECT jsonb_object_keys(approved)));
  IF current IS NULL OR NOT current -> 'columns' ?& ARRAY(SELECT jsonb_object_keys(approved)) THEN
    RETURN;  -- require_binding names what is missing
  END IF;
  -- The oid of a relation may come back with another relation, after a restore above all: the name is compared too.
  difference := CASE
    WHEN approval.source::regclass::text <> approval.source_name
      THEN format('It was %s, its name is %s now.', approval.source_name, approval.source::regclass)
    WHEN current -> 'kind' <> approval.source_schema -> 'kind' THEN 'It is another kind of relation now.'
    ELSE (SELECT format('Column "%s" was of type %s and is of type %s now.', a.key, a.value, current -> 'columns' ->> a.key)
            FROM jsonb_each_text(approved) AS a WHERE a.value <> current -> 'columns' ->> a.key ORDER BY a.key LIMIT 1) END;
  IF difference IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('source %s has changed since it was approved', approval.source_name),
      DETAIL = difference,
      HINT = 'Look at it with mpc.check_source, then approve the study again.';
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.require_own_approval(study text, version integer, caller oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given mpc_internal.approvals%ROWTYPE;
BEGIN
  SELECT * INTO given FROM mpc_internal.approvals AS a
   WHERE a.study = require_own_approval.study AND a.version = require_own_approval.version
     AND a.party = mpc_internal.own_party() AND a.decision = 'approved';
  IF FOUND AND NOT mpc_internal.owns(caller, given.approver) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('study "%s" was approved by role %s', study, given.decided_by),
      DETAIL = coalesce(format('It bound source %s.', given.source_name), 'The approval is in force.'),
      HINT = 'Members of that role and of mpc_admin may approve it again; every member of mpc_study may withdraw the approval first.';
  END IF;
END
$$;

CREATE TABLE mpc_internal.data_versions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  counterpart text NOT NULL,
  study text NOT NULL,
  version integer NOT NULL,
  columns text[] NOT NULL,
  commitments bytea[] NOT NULL,
  key_id bytea NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT now(),
  forgotten boolean NOT NULL DEFAULT false
);

COMMENT ON SEQUENCE mpc_internal.data_versions_id_seq IS 'ids of data versions';

COMMENT ON TABLE mpc_internal.data_versions IS
'columns of this node as they were committed to a counterpart, with the study that brought them first; key_id = mark of the source key under which commitments and persons were hashed';

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.data_versions', 'WHERE id IN (SELECT u.data_version FROM mpc_internal.source_uses AS u)');

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.data_versions_id_seq', '');

CREATE TABLE mpc_internal.kept_records (
  data_version bigint NOT NULL,
  person bytea NOT NULL,
  numbers float8[] NOT NULL,
  CONSTRAINT kept_records_pkey PRIMARY KEY (data_version, person)
);

COMMENT ON TABLE mpc_internal.kept_records IS
'own records of each data version, NULL for a missing value; what the union rule and the rule about persons look at. Personal data of this node''s own source; deleted with mpc.forget_records';

CREATE TABLE mpc_internal.heard_data (
  party text NOT NULL,
  counterpart text NOT NULL,
  number integer NOT NULL,
  columns text[] NOT NULL,
  commitments bytea[] NOT NULL,
  study text NOT NULL,
  passed boolean NOT NULL DEFAULT false,
  heard_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE mpc_internal.heard_data IS
'what peers committed to in attempts of this node that got as far as the match: data they bring again to the same counterpart are known by it; passed = a study with all of these columns was released, so the rules over the joint design have seen them together';

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.heard_data', '');

CREATE FUNCTION mpc_internal.design_figures(
  query text, OUT records bigint, OUT columns integer, OUT max_leverage float8, OUT sum_squares float8,
  OUT max_vif float8) RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_design_figures';

COMMENT ON FUNCTION mpc_internal.design_figures(text) IS
'leverage and variance inflation of the design whose records a query gives, one float8[] per row (src/study/design.h)';

CREATE FUNCTION mpc_internal.commitment(committed text) RETURNS bytea
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_commitment';

COMMENT ON FUNCTION mpc_internal.commitment(text) IS 'HMAC-SHA-256 of a text under the source key of this node';

CREATE FUNCTION mpc_internal.covers(columns text[], commitments bytea[], wanted text[], wanted_commitments bytea[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT c, k FROM unnest($3, $4) AS n (c, k) EXCEPT SELECT c, k FROM unnest($1, $2) AS e (c, k))
$$;

COMMENT ON FUNCTION mpc_internal.covers(text[], bytea[], text[], bytea[]) IS
'whether every wanted column is among the columns, with the same commitment';

CREATE FUNCTION mpc_internal.used_data_versions(counterpart text) RETURNS TABLE (id bigint, number bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT u.data_version, row_number() OVER (ORDER BY min(u.used_at), u.data_version)
    FROM mpc_internal.source_uses AS u WHERE u.counterpart = $1 AND u.data_version IS NOT NULL GROUP BY u.data_version
$$;

COMMENT ON FUNCTION mpc_internal.used_data_versions(text) IS 'data versions that this node used with a counterpart, numbered in the order of their first use';

CREATE FUNCTION mpc_internal.data_number(counterpart text, data_version bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((SELECT u.number FROM mpc_internal.used_data_versions($1) AS u WHERE u.id = $2),
                  (SELECT count(*) + 1 FROM mpc_internal.used_data_versions($1)))
$$;

COMMENT ON FUNCTION mpc_internal.data_number(text, bigint) IS 'which version of this node''s data it is, or would be, for the counterpart';

CREATE FUNCTION mpc_internal.same_values(one bigint, one_place integer, other bigint, other_place integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(bool_and(a.numbers[$2] = b.numbers[$4]), false)
    FROM mpc_internal.kept_records AS a JOIN mpc_internal.kept_records AS b USING (person)
   WHERE a.data_version = $1 AND b.data_version = $3 AND a.numbers[$2] IS NOT NULL AND b.numbers[$4] IS NOT NULL
$$;

COMMENT ON FUNCTION mpc_internal.same_values(bigint, integer, bigint, integer) IS
'whether a column of two data versions is the same for every person that both have: the later one only has more, or fewer, records';

CREATE FUNCTION mpc_internal.union_query(counterpart text, candidate bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  ids bigint[] := ARRAY(SELECT u.id FROM mpc_internal.used_data_versions(union_query.counterpart) AS u WHERE u.id <> candidate ORDER BY u.number)
                  || candidate;
  term record;
  expressions text[] := '{}';
  names text[] := '{}';
  known bytea[] := '{}';
  versions bigint[] := '{}';
  places integer[] := '{}';
  same integer;
BEGIN
  FOR term IN SELECT d.id, c.name, c.commitment, c.place::integer AS place FROM unnest(ids) WITH ORDINALITY AS i (id, number)
                JOIN mpc_internal.data_versions AS d ON d.id = i.id,
                LATERAL unnest(d.columns, d.commitments) WITH ORDINALITY AS c (name, commitment, place)
               ORDER BY i.number, c.place LOOP
    CONTINUE WHEN term.commitment = ANY (known);
    known := known || term.commitment;
    SELECT max(g.i) INTO same FROM generate_subscripts(names, 1) AS g (i)
     WHERE names[g.i] = term.name AND versions[g.i] <> term.id
       AND mpc_internal.same_values(versions[g.i], places[g.i], term.id, term.place);
    IF same IS NOT NULL THEN
      expressions[same] := format('coalesce(%s, v%s.numbers[%s])', expressions[same], term.id, term.place);
      CONTINUE;
    END IF;
    expressions := expressions || format('v%s.numbers[%s]', term.id, term.place);
    names := names || term.name;
    versions := versions || term.id;
    places := places || term.place;
  END LOOP;
  RETURN format('SELECT ARRAY[%s]::float8[] FROM %s', array_to_string(expressions, ', '), (
    SELECT string_agg(format('%s(SELECT person, numbers FROM mpc_internal.kept_records WHERE data_version = %s) AS v%s%s',
                             CASE WHEN i.number > 1 THEN ' FULL JOIN ' ELSE '' END, i.id, i.id,
                             CASE WHEN i.number > 1 THEN ' USING (person)' ELSE '' END), '' ORDER BY i.number)
      FROM unnest(ids) WITH ORDINALITY AS i (id, number)));
END
$$;

COMMENT ON FUNCTION mpc_internal.union_query(text, bigint) IS
'query of the design of all columns that this node used with a counterpart and those of a candidate, a float8[] per person; a column whose values are the same for all common persons counts once';

CREATE FUNCTION mpc_internal.require_union(study text, spec jsonb, counterpart text, candidate bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules jsonb := spec -> 'disclosure';
  most_leverage float8 := coalesce((rules ->> 'max_leverage')::float8, 0.4);
  most_vif float8 := CASE WHEN rules ? 'max_vif' THEN coalesce((rules ->> 'max_vif')::float8, 'infinity') ELSE 200 END;
  figures record;
  most_columns float8;
  most_squares float8;
BEGIN
  PERFORM mpc_internal.require_kept(require_union.counterpart, candidate);
  figures := mpc_internal.design_figures(mpc_internal.union_query(require_union.counterpart, candidate));
  most_columns := coalesce((rules ->> 'max_columns')::float8, floor(figures.records / 10.0));
  most_squares := figures.columns * greatest(0.05, 2.0 * figures.columns / greatest(figures.records, 1)) + 0.3;
  IF most_leverage < 1 AND (figures.max_leverage > most_leverage OR figures.sum_squares > most_squares)
     OR figures.max_vif > most_vif OR figures.columns > most_columns THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005',
      MESSAGE = format('the columns of this node in studies with %s could single out a record', counterpart),
      DETAIL = format('All columns used with it and those of this study: %s that vary over %s records, at most %s allowed; largest leverage of a record %s, allowed %s; sum of squared leverages %s, allowed %s; largest variance inflation %s, allowed %s. Nobody else is told.',
                      figures.columns, figures.records, most_columns, round(figures.max_leverage::numeric, 3), most_leverage,
                      round(figures.sum_squares::numeric, 2), round(most_squares::numeric, 2), round(figures.max_vif::numeric), most_vif),
      HINT = 'Use columns that were used before, unchanged; take the logarithm of skewed ones; leave out columns that hold almost the same or differ in few records only. The limits are disclosure.max_leverage, max_vif and max_columns of the spec.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_union(text, jsonb, text, bigint) IS
'union rule: error MP005 with this node''s own figures when all columns used with a counterpart, and those of this study, could single out a record; 55000 when records of earlier ones were deleted';

CREATE FUNCTION mpc_internal.cohort(data_version bigint, columns text[]) RETURNS SETOF bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.person
    FROM mpc_internal.kept_records AS r,
         (SELECT array_agg(array_position(d.columns, c)) AS places FROM mpc_internal.data_versions AS d, unnest($2) AS c
           WHERE d.id = $1) AS p
   WHERE r.data_version = $1 AND NOT EXISTS (SELECT FROM unnest(p.places) AS place WHERE r.numbers[place] IS NULL)
$$;

COMMENT ON FUNCTION mpc_internal.cohort(bigint, text[]) IS 'persons of a data version whose records are complete in these columns';

CREATE FUNCTION mpc_internal.require_cohort(study text, spec jsonb, counterpart text, data_version bigint, columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  least bigint := (spec -> 'disclosure' ->> 'min_cohort_change')::bigint;
  records bigint := (SELECT count(*) FROM mpc_internal.cohort(require_cohort.data_version, require_cohort.columns));
  earlier record;
  changed bigint;
BEGIN
  IF least <= 1 THEN
    RETURN;
  END IF;
  FOR earlier IN SELECT u.data_version, u.columns, min(u.study) AS study, min(u.version) AS version FROM mpc_internal.source_uses AS u
                   JOIN mpc_internal.data_versions AS d ON d.id = u.data_version
                  WHERE u.counterpart = require_cohort.counterpart AND (u.match_told OR u.outcome = 'refused' OR u.outcome = 'running' AND u.study <> require_cohort.study)
                    AND (u.data_version, u.columns) IS DISTINCT FROM (require_cohort.data_version, require_cohort.columns)
                  GROUP BY u.data_version, u.columns LOOP
    SELECT count(*) INTO changed FROM mpc_internal.cohort(earlier.data_version, earlier.columns) AS a (person)
      FULL JOIN mpc_internal.cohort(require_cohort.data_version, require_cohort.columns) AS b (person) USING (person)
     WHERE a.person IS NULL OR b.person IS NULL;
    IF changed > 0 AND changed < greatest(least, ceil(records / 100.0)) THEN
      RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'the source has changed by too few persons since an earlier study',
        DETAIL = format('Its %s complete records and those of study "%s", version %s, differ in %s persons; at least %s have to differ (disclosure.min_cohort_change %s, or one in a hundred). The other parties are not told.',
                        records, earlier.study, earlier.version, changed, greatest(least, ceil(records / 100.0)), least),
        HINT = 'Two results would tell about the few persons by which they differ. Bind the unchanged records, or wait until more have changed.';
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_cohort(text, jsonb, text, bigint, text[]) IS
'error 55000 when the persons of this study differ from those of an earlier one with the counterpart in a few only';

CREATE FUNCTION mpc_internal.require_same_identifier(study text, spec jsonb, counterpart text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules jsonb := spec -> 'disclosure';
  earlier record;
BEGIN
  IF (rules ->> 'min_cohort_change')::bigint <= 1 AND (rules ->> 'max_leverage')::float8 >= 1 THEN
    RETURN;  -- both rules that know persons are off
  END IF;
  SELECT s.study, s.version INTO earlier
    FROM mpc_internal.source_uses AS u JOIN mpc_internal.data_versions AS d ON d.id = u.data_version
    JOIN mpc_internal.studies AS s ON s.study = d.study AND s.version = d.version
   -- Where the match was refused, perhaps because of its identifiers, nothing was told.
   WHERE u.counterpart = require_same_identifier.counterpart AND (u.match_told OR u.outcome = 'running')
     AND (s.spec::jsonb -> 'identifier') - 'examples' <> (require_same_identifier.spec -> 'identifier') - 'examples' ORDER BY u.used_at LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" finds persons by another identifier than earlier studies with %s', study, counterpart),
      DETAIL = format('Study "%s", version %s, normalised identifiers differently. A person has another identity then, and the rules about persons cannot compare the two.',
                      earlier.study, earlier.version),
      HINT = 'Propose it with the identifier of the earlier studies, or with disclosure.min_cohort_change 0 and max_leverage 1, which all parties are shown.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_same_identifier(text, jsonb, text) IS
'error 55000 when the identifier of a spec has other parts or rules than that of data used with the counterpart before: its persons could not be compared with theirs';

CREATE FUNCTION mpc_internal.require_versions(study text, spec jsonb, counterpart text, data_version bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number bigint := mpc_internal.data_number(counterpart, data_version);
  most bigint := coalesce((spec -> 'disclosure' ->> 'versions')::bigint, 3);
BEGIN
  IF number > most THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005', MESSAGE = format('this node would bring version %s of its data to %s', number, counterpart),
      DETAIL = format('The data differ from all data used in earlier studies with it: in a column, a value or a person; disclosure.versions is %s.', most),
      HINT = 'Bind data that were used before, or columns of them: a snapshot (materialized view) that all studies share.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_versions(text, jsonb, text, bigint) IS
'error MP005 when the data would be one version more than disclosure.versions for the counterpart';

CREATE FUNCTION mpc_internal.counterpart_of(parties text[], party text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE $2 WHEN $1[1] THEN $1[2] WHEN $1[2] THEN $1[1] END $$;

COMMENT ON FUNCTION mpc_internal.counterpart_of(text[], text) IS 'the other controller; NULL for the third party';

CREATE FUNCTION mpc_internal.require_data(held mpc_internal.current_studies, approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other text := mpc_internal.counterpart_of(held.parties, approval.party);
  newer text;
BEGIN
  IF approval.data_version IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" was approved under an older version of pg_mpc', held.study),
      DETAIL = 'The approval does not say what data it commits to.', HINT = 'Approve it again.';
  END IF;
  PERFORM mpc_internal.require_kept(other, 0);
  IF NOT mpc_internal.is_kept(approval.data_version) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the records of study "%s" are not kept any more', held.study),
      DETAIL = 'mpc.forget_records or a restore removed them since the approval.', HINT = 'Approve it again.';
  END IF;
  PERFORM mpc_internal.require_versions(held.study, held.spec::jsonb, other, approval.data_version);
  PERFORM mpc_internal.require_same_identifier(held.study, held.spec::jsonb, other);
  PERFORM mpc_internal.require_cohort(held.study, held.spec::jsonb, other, approval.data_version, approval.columns);
  -- The union was looked at when the study was approved: only data used since then are news.
  SELECT string_agg(DISTINCT u.study, ', ') INTO newer FROM mpc_internal.source_uses AS u
   WHERE u.counterpart = other AND u.data_version <> approval.data_version
     AND NOT EXISTS (SELECT FROM mpc_internal.source_uses AS e WHERE e.data_version = u.data_version AND e.used_at <= approval.decided_at)
     AND u.study <> held.study;
  IF newer IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('other columns were used with %s since study "%s" was approved', other, held.study),
      DETAIL = format('They belong to study %s. The union rule has not checked them together with the columns of this study.', newer),
      HINT = 'Approve the study again.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_data(mpc_internal.current_studies, mpc_internal.approvals) IS
'at the start: error 55000 or MP005 when data used with the counterpart since the approval forbid the study';

CREATE FUNCTION mpc_internal.key_mark() RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT mpc_internal.commitment('pg_mpc key mark') $$;

COMMENT ON FUNCTION mpc_internal.key_mark() IS
'mark of the source key of this node: after a restore without the file, or pg_upgrade, the key is another one';

CREATE FUNCTION mpc_internal.is_kept(data_version bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- A source without records keeps none.
  SELECT coalesce((SELECT NOT d.forgotten AND d.key_id = mpc_internal.key_mark() FROM mpc_internal.data_versions AS d WHERE d.id = $1), false)
         AND (EXISTS (SELECT FROM mpc_internal.kept_records AS r WHERE r.data_version = $1)
              OR NOT EXISTS (SELECT FROM mpc_internal.source_uses AS u WHERE u.data_version = $1 AND u.records > 0))
$$;

COMMENT ON FUNCTION mpc_internal.is_kept(bigint) IS
'whether the records of a data version are there and can be compared: not after mpc.forget_records, after a restore from a dump, or under another source key';

CREATE FUNCTION mpc_internal.require_kept(counterpart text, candidate bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone text := (SELECT string_agg(DISTINCT u.study, ', ') FROM mpc_internal.source_uses AS u
                 WHERE u.counterpart = require_kept.counterpart AND u.data_version IS NOT NULL
                   AND u.data_version <> candidate AND NOT mpc_internal.is_kept(u.data_version));
BEGIN
  IF gone IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the records used with %s before are not kept any more', counterpart),
      DETAIL = format('mpc.forget_records, a restore or another source key removed those of study %s; what they and this study''s columns tell together cannot be checked.', gone),
      HINT = 'Call mpc.keep_records for each of these studies with its source, unchanged, or run no further studies with this counterpart.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_kept(text, bigint) IS
'error 55000 when records of data used with the counterpart are gone, other than those of the candidate, which the caller keeps now';

CREATE FUNCTION mpc_internal.unused_data_versions(study text, version integer) RETURNS TABLE (id bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT d.id FROM mpc_internal.data_versions AS d
   WHERE NOT EXISTS (SELECT FROM mpc_internal.source_uses AS u WHERE u.data_version = d.id)
     AND NOT EXISTS (SELECT FROM mpc_internal.approvals AS a
                      WHERE a.data_version = d.id AND a.party = mpc_internal.own_party() AND a.decision = 'approved'
                        AND (a.study, a.version) IS DISTINCT FROM ($1, $2) AND a.expires_at > now()
                        AND a.version = (SELECT max(s.version) FROM mpc_internal.studies AS s WHERE s.study = a.study))
$$;

COMMENT ON FUNCTION mpc_internal.unused_data_versions(text, integer) IS
'data versions that no attempt used and that no approval in force names, other than that of the study and version given, which is being replaced';

CREATE FUNCTION mpc_internal.drop_unused_records() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM mpc_internal.unused_data_versions(NULL, NULL)) THEN
    RETURN;
  END IF;
  BEGIN
    LOCK TABLE mpc_internal.data_versions IN SHARE ROW EXCLUSIVE MODE NOWAIT;
  EXCEPTION WHEN lock_not_available THEN
    RETURN;  -- an approval is under way, and looks at them itself
  END;
  PERFORM mpc_internal.delete_data_versions(NULL, NULL);
END
$$;

COMMENT ON FUNCTION mpc_internal.drop_unused_records() IS
'deletes the records of unused data versions, unless somebody approves at this moment: called when a study is rejected, withdrawn, replaced or ended, and once an hour for approvals that expired';

CREATE FUNCTION mpc_internal.delete_data_versions(study text, version integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unused bigint[] := ARRAY(SELECT u.id FROM mpc_internal.unused_data_versions(study, version) AS u);
BEGIN
  DELETE FROM mpc_internal.kept_records AS r WHERE r.data_version = ANY (unused);
  DELETE FROM mpc_internal.data_versions AS d WHERE d.id = ANY (unused);
END
$$;

COMMENT ON FUNCTION mpc_internal.delete_data_versions(text, integer) IS
'deletes the unused data versions; the caller holds the lock on the table. study, version: an approval that is being replaced, or NULL';

CREATE FUNCTION mpc_internal.data_version_of(
  counterpart text, study text, version integer, columns text[], commitments bytea[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_version mpc_internal.data_versions%ROWTYPE;
  mark bytea := mpc_internal.key_mark();
  fresh bigint;
BEGIN
  -- Until the end of the transaction: what one approval binds, no other deletes as unused.
  LOCK TABLE mpc_internal.data_versions IN SHARE ROW EXCLUSIVE MODE;
  SELECT d.* INTO found_version FROM mpc_internal.data_versions AS d
   WHERE d.counterpart = data_version_of.counterpart
     AND (mpc_internal.covers(d.columns, d.commitments, data_version_of.columns, data_version_of.commitments)
          AND (mpc_internal.is_kept(d.id)
               OR mpc_internal.covers(data_version_of.columns, data_version_of.commitments, d.columns, d.commitments))
          -- Under another key nothing can be compared: names decide here. The counterpart sees new commitments.
          OR d.key_id <> mark AND d.columns <@ data_version_of.columns AND d.columns @> data_version_of.columns)
   ORDER BY mpc_internal.is_kept(d.id) DESC,
            EXISTS (SELECT FROM mpc_internal.source_uses AS u
                     WHERE u.study = data_version_of.study AND u.version = data_version_of.version AND u.data_version = d.id) DESC,
            d.study = data_version_of.study DESC, d.id LIMIT 1;
  IF FOUND AND mpc_internal.is_kept(found_version.id) THEN
    RETURN found_version.id;
  ELSIF FOUND THEN
    DELETE FROM mpc_internal.kept_records AS r WHERE r.data_version = found_version.id;
    UPDATE mpc_internal.data_versions AS d
       SET forgotten = false, key_id = mark, columns = data_version_of.columns, commitments = data_version_of.commitments
     WHERE d.id = found_version.id;
    RETURN -found_version.id;
  END IF;
  PERFORM mpc_internal.delete_data_versions(study, version);
  INSERT INTO mpc_internal.data_versions AS d (counterpart, study, version, columns, commitments, key_id)
  VALUES (data_version_of.counterpart, data_version_of.study, data_version_of.version, data_version_of.columns,
          data_version_of.commitments, mark) RETURNING d.id INTO fresh;
  RETURN -fresh;
END
$$;

COMMENT ON FUNCTION mpc_internal.data_version_of(text, text, integer, text[], bytea[]) IS
'data version of a counterpart that has these columns with these contents; a new one, or one whose records were forgotten, is negative: its records are to be kept now';

CREATE FUNCTION mpc_internal.forget_records(caller oid, counterpart text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  deleted bigint;
BEGIN
  PERFORM mpc_internal.own_party();
  DELETE FROM mpc_internal.kept_records AS r USING mpc_internal.data_versions AS d
   WHERE d.id = r.data_version AND d.counterpart = forget_records.counterpart;
  GET DIAGNOSTICS deleted = ROW_COUNT;
  UPDATE mpc_internal.data_versions AS d SET forgotten = true WHERE d.counterpart = forget_records.counterpart;
  PERFORM mpc_internal.record_event(NULL, NULL, 'records_forgotten', counterpart, jsonb_build_object(
    'records', deleted, 'by', mpc_internal.role_text(caller)));
  RETURN deleted;
END
$$;

COMMENT ON FUNCTION mpc_internal.forget_records(oid, text) IS 'implements mpc.forget_records';

CREATE FUNCTION mpc.forget_records(counterpart text) RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.forget_records(text) IS
'deletes the records of this node''s own sources that it keeps for the rules over everything that it used with a counterpart, and returns how many. Consequence: no study with that counterpart is approved or starts until mpc.keep_records has read the sources of the earlier ones again, unchanged. Deletes rows of a table: dead rows stay until VACUUM, and in the write-ahead log';

CREATE FUNCTION mpc_internal.keep_records(caller oid, study text, source regclass, identifier text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  used record;
  names text[];
  pin record;
  records bigint;
BEGIN
  PERFORM mpc_internal.find_study(study);
  SELECT u.version, u.counterpart, u.data_version, s.spec INTO used
    FROM mpc_internal.source_uses AS u JOIN mpc_internal.studies AS s USING (study, version)
   WHERE u.study = keep_records.study AND NOT mpc_internal.is_kept(u.data_version) ORDER BY u.used_at DESC LIMIT 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" misses no records', study),
      DETAIL = 'This node brought no data to it, no attempt of it got as far as the match, or its records are kept.',
      HINT = 'Error 55000 of mpc.approve_study names the studies whose records are missing.';
  END IF;
  PERFORM mpc_internal.require_own_approval(study, used.version, caller);
  PERFORM mpc_internal.require_source(source, caller);
  names := mpc_internal.identifier_columns(used.spec::jsonb, source, identifier);
  PERFORM mpc_internal.require_binding(used.spec::jsonb, own, source, names, caller);
  pin := mpc_internal.pin_source(used.spec, own, source, names, caller, used.counterpart, study, used.version);
  IF pin.data_version <> used.data_version THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('source %s is not what study "%s" used', source, study),
      DETAIL = 'A column, a value or a person differs.',
      HINT = 'Pass the source, and the columns of its identifier, as they were when the study ran.';
  END IF;
  records := (SELECT count(*) FROM mpc_internal.kept_records AS r WHERE r.data_version = used.data_version);
  PERFORM mpc_internal.record_event(study, NULL, 'records_kept', used.counterpart, jsonb_build_object(
    'version', used.version, 'records', records, 'by', mpc_internal.role_text(caller), 'source', source::text));
  RETURN records;
END
$$;

COMMENT ON FUNCTION mpc_internal.keep_records(oid, text, regclass, text) IS 'implements mpc.keep_records';

CREATE FUNCTION mpc.keep_records(study text, source regclass, identifier text) RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.keep_records(text, regclass, text) IS
'reads the source of an earlier study of this node again, after mpc.forget_records, a restore, or the loss of the source key, and keeps its records for the rules over everything that was used with the counterpart. Returns how many records. Under the same source key the contents are compared with the commitment; under another one only the names of the columns can be. Errors: 42704 unknown study, 55000 it misses no records, 22023 other contents, 42501 the approval was another role''s, and those of mpc.approve_study about the source';

CREATE FUNCTION mpc_internal.commitment_text(
  counterpart text, source oid, columns text[], commitments bytea[], two_valued text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('counterpart', $1, 'columns', to_jsonb($3), 'two_valued', to_jsonb($5),
           'types', (mpc_internal.source_schema($2, $3) -> 'columns'),
           'commitments', (SELECT jsonb_agg(encode(k, 'hex') ORDER BY place) FROM unnest($4) WITH ORDINALITY AS c (k, place)),
           'views', (SELECT coalesce(jsonb_agg(v.definition ORDER BY v.definition COLLATE "C"), '[]')
                       FROM (SELECT pg_get_viewdef(r) AS definition FROM unnest(mpc_internal.relations_of($2)) AS r
                               JOIN pg_class AS c ON c.oid = r AND c.relkind IN ('v', 'm')) AS v))::text
$$;

COMMENT ON FUNCTION mpc_internal.commitment_text(text, oid, text[], bytea[], text[]) IS 'what the approval of a controller commits to, as text';

CREATE FUNCTION mpc_internal.data_message(approval mpc_internal.approvals) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('columns', to_jsonb(approval.columns), 'two_valued', to_jsonb(approval.two_valued),
           'commitment', encode(approval.commitment, 'hex'),
           'commitments', (SELECT jsonb_agg(encode(k, 'hex') ORDER BY place) FROM unnest(approval.commitments) WITH ORDINALITY AS c (k, place)))
   WHERE approval.commitment IS NOT NULL
$$;

COMMENT ON FUNCTION mpc_internal.data_message(mpc_internal.approvals) IS 'part of the message approve that says what data a controller brings; NULL for the third party';

CREATE FUNCTION mpc_internal.read_data(
  party text, data jsonb, OUT columns text[], OUT commitments bytea[], OUT two_valued text[], OUT commitment bytea) RETURNS record
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lists boolean := coalesce(jsonb_typeof(data -> 'columns') = 'array' AND jsonb_typeof(data -> 'commitments') = 'array'
                            AND jsonb_typeof(data -> 'two_valued') = 'array', false);
BEGIN
  IF data IS NULL THEN
    RETURN;
  END IF;
  IF lists AND jsonb_array_length(data -> 'columns') <= 1000 AND jsonb_array_length(data -> 'two_valued') <= 1000
     AND jsonb_array_length(data -> 'commitments') = jsonb_array_length(data -> 'columns')
     AND NOT EXISTS (SELECT FROM jsonb_array_elements((data -> 'columns') || (data -> 'two_valued')) AS e (name)
                      WHERE jsonb_typeof(e.name) <> 'string' OR NOT mpc_internal.valid_name(e.name #>> '{}'))
     AND NOT EXISTS (SELECT FROM jsonb_array_elements((data -> 'commitments') || jsonb_build_array(data -> 'commitment')) AS e (hash)
                      WHERE coalesce(e.hash #>> '{}', '') !~ '\A[0-9a-f]{64}\Z') THEN
    columns := ARRAY(SELECT jsonb_array_elements_text(data -> 'columns'));
    two_valued := ARRAY(SELECT jsonb_array_elements_text(data -> 'two_valued'));
    commitments := ARRAY(SELECT decode(h, 'hex') FROM jsonb_array_elements_text(data -> 'commitments') AS h);
    commitment := decode(data ->> 'commitment', 'hex');
    RETURN;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
    DETAIL = format('Party %s sent an approval whose data are not columns, commitments and two-valued columns.', party),
    HINT = 'The nodes may run different versions of pg_mpc.';
END
$$;

COMMENT ON FUNCTION mpc_internal.read_data(text, jsonb) IS 'the data part of a peer''s message approve; error MP004 for another shape';

CREATE FUNCTION mpc_internal.heard_number(party text, counterpart text, columns text[], commitments bytea[]) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Commitments to two counterparts cannot be compared: the third party counts for each of them.
  SELECT coalesce((SELECT min(h.number) FROM mpc_internal.heard_data AS h
                    WHERE h.party = $1 AND h.counterpart = $2 AND mpc_internal.covers(h.columns, h.commitments, $3, $4)
                      AND (h.passed OR NOT EXISTS (
                             SELECT FROM mpc_internal.heard_data AS o
                              WHERE o.party = h.party AND o.counterpart = h.counterpart AND o.number = h.number
                                AND (o.passed OR NOT mpc_internal.covers(o.columns, o.commitments, $3, $4))))),
                  (SELECT coalesce(max(h.number), 0) + 1 FROM mpc_internal.heard_data AS h WHERE h.party = $1 AND h.counterpart = $2))
$$;

COMMENT ON FUNCTION mpc_internal.heard_number(text, text, text[], bytea[]) IS
'data number of what a peer brings to a counterpart: that of data that it brought before, or the next one. Columns of a study that was released are known together and in parts; of one that was refused or ended, only one part can follow, because the rules never let all of them through together';

CREATE FUNCTION mpc_internal.require_heard(study text, spec jsonb, party text, columns text[], number integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most integer := coalesce((spec -> 'disclosure' ->> 'versions')::integer, 3);
BEGIN
  IF mpc_internal.columns_of(spec, party) IS NOT NULL AND columns IS DISTINCT FROM mpc_internal.columns_of(spec, party) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('party %s does not bring the columns of study "%s"', party, study),
      DETAIL = format('The spec has %s.', array_to_string(mpc_internal.columns_of(spec, party), ', ')),
      HINT = 'The nodes may run different versions of pg_mpc.';
  ELSIF number > most THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('party %s would bring version %s of its data to study "%s"', party, number, study),
      DETAIL = format('The data differ from all data in earlier studies of node "%s" with it, in a column, a value or a person; disclosure.versions is %s.',
                      mpc_internal.own_party(), most),
      HINT = 'Bind data that were used before, or columns of them.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_heard(text, jsonb, text, text[], integer) IS
'error 22023 when the data of a party are not the columns of the spec, or one version more than disclosure.versions';

CREATE FUNCTION mpc_internal.number_at_start(given mpc_internal.approvals) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Other studies that run now may tell the match first: their data count as brought before.
  SELECT n.number + CASE WHEN n.number <= n.highest THEN 0 ELSE (
           SELECT count(DISTINCT (a.columns, a.commitments))::integer FROM mpc_internal.approvals AS a
             JOIN mpc_internal.studies AS s ON s.study = a.study AND s.version = a.version AND s.run_state = 'running'
            WHERE a.party = given.party AND a.study <> given.study AND mpc_internal.counterpart_of(s.parties, given.party) = o.other
              AND mpc_internal.heard_number(given.party, o.other, a.columns, a.commitments) = n.number
              AND NOT mpc_internal.covers(a.columns, a.commitments, given.columns, given.commitments)) END
    FROM (SELECT mpc_internal.counterpart_of(s.parties, given.party) AS other FROM mpc_internal.studies AS s
           WHERE s.study = given.study AND s.version = given.version) AS o,
         LATERAL (SELECT mpc_internal.heard_number(given.party, o.other, given.columns, given.commitments) AS number,
                         coalesce((SELECT max(h.number) FROM mpc_internal.heard_data AS h
                                    WHERE h.party = given.party AND h.counterpart = o.other), 0) AS highest) AS n
$$;

COMMENT ON FUNCTION mpc_internal.number_at_start(mpc_internal.approvals) IS
'data number of what a peer''s approval brings if the study starts now, after all studies that run';

CREATE FUNCTION mpc_internal.require_commitments(held mpc_internal.current_studies) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given mpc_internal.approvals%ROWTYPE;
  number integer;
BEGIN
  FOR given IN SELECT a.* FROM mpc_internal.approvals AS a
                WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.decision = 'approved'
                  AND a.party = ANY (held.parties[1:2]) AND a.party <> mpc_internal.own_party() LOOP
    IF given.commitment IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('party %s has approved study "%s" without a commitment', given.party, held.study),
        DETAIL = 'Its approval does not say what data it brings.',
        HINT = 'Ask it to approve again; its node may run another version of pg_mpc.';
    END IF;
    -- The approval may have come before the spec that it is about, and studies may have run since.
    number := mpc_internal.number_at_start(given);
    PERFORM mpc_internal.require_heard(held.study, held.spec::jsonb, given.party, given.columns, number);
    IF number > greatest(given.data_number, 1) THEN
      RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('party %s now brings version %s of its data to study "%s"', given.party, number, held.study),
        DETAIL = format('It was version %s when this node was told; other studies with it have run since, or run now.', given.data_number),
        HINT = 'Approve the study again, or reject it.';
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_commitments(mpc_internal.current_studies) IS
'at the start: error 55000 when the approval of another controller has no commitment, or its data are a later version than this node was told; 22023 when they do not fit the spec';

CREATE FUNCTION mpc_internal.dropped_columns(party text, counterpart text, before timestamptz, columns text[], commitments bytea[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_agg(DISTINCT e.name ORDER BY e.name), '{}')
    FROM mpc_internal.heard_data AS h, LATERAL unnest(h.columns, h.commitments) AS e (name, commitment)
   WHERE h.party = $1 AND h.counterpart = $2 AND h.heard_at <= $3
     AND NOT EXISTS (SELECT FROM unnest($4, $5) AS n (name, commitment) WHERE n.name = e.name AND n.commitment = e.commitment)
$$;

COMMENT ON FUNCTION mpc_internal.dropped_columns(text, text, timestamptz, text[], bytea[]) IS
'columns of earlier studies of a peer with a counterpart that are not, or not with the same contents, among those that it brings now';

CREATE FUNCTION mpc_internal.void_own_approval(study text, version integer, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held mpc_internal.studies%ROWTYPE;
BEGIN
  SELECT s.* INTO held FROM mpc_internal.studies AS s JOIN mpc_internal.approvals AS a
      ON a.study = s.study AND a.version = s.version AND a.digest = s.digest AND a.party = own AND a.decision = 'approved'
   WHERE s.study = void_own_approval.study AND s.version = void_own_approval.version AND s.run_state IS DISTINCT FROM 'released';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.decide(study, version, own, held.digest, 'void', reason, NULL);
  PERFORM mpc_internal.broadcast(held.parties, jsonb_build_object(
    'type', 'void', 'study', study, 'version', version, 'digest', held.digest, 'reason', reason));
END
$$;

COMMENT ON FUNCTION mpc_internal.void_own_approval(text, integer, text) IS
'this node''s approval does not count any more, until it approves again; the other parties are told';

CREATE FUNCTION mpc_internal.hear_data(party text, study text, version integer, data jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  heard record := mpc_internal.read_data(party, data);
  before record;
  agreed jsonb;
  other text;
  number integer;
BEGIN
  SELECT a.commitment, a.data_number INTO before FROM mpc_internal.approvals AS a
   WHERE a.study = hear_data.study AND a.version = hear_data.version AND a.party = hear_data.party;
  SELECT s.spec, mpc_internal.counterpart_of(s.parties, party) INTO agreed, other
    FROM mpc_internal.studies AS s WHERE s.study = hear_data.study AND s.version = hear_data.version;
  number := CASE WHEN heard.commitment IS NOT NULL AND other IS NOT NULL
                 THEN mpc_internal.heard_number(party, other, heard.columns, heard.commitments) END;
  IF agreed IS NOT NULL THEN
    PERFORM mpc_internal.require_heard(study, agreed, party, heard.columns, number);
  END IF;
  UPDATE mpc_internal.approvals AS a
     SET columns = heard.columns, commitments = heard.commitments, two_valued = heard.two_valued,
         commitment = heard.commitment, data_number = number
   WHERE a.study = hear_data.study AND a.version = hear_data.version AND a.party = hear_data.party;
  IF before.commitment <> heard.commitment THEN
    PERFORM mpc_internal.void_own_approval(study, version, format('the data of %s changed after this approval', party));
  ELSIF number > coalesce(before.data_number, 1) THEN
    PERFORM mpc_internal.void_own_approval(study, version, format('%s brings version %s of its data', party, number));
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.hear_data(text, text, integer, jsonb) IS
'stores what data a peer brings; voids this node''s approval when they are others than before, or a new version; errors MP004, 22023';

CREATE FUNCTION mpc_internal.committed_data(study text, version integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(string_agg(a.party || ' ' || encode(a.commitment, 'hex'), ', ' ORDER BY a.party COLLATE "C"), 'none')
    FROM mpc_internal.approvals AS a WHERE a.study = $1 AND a.version = $2 AND a.commitment IS NOT NULL
$$;

COMMENT ON FUNCTION mpc_internal.committed_data(text, integer) IS
'what the controllers committed to as this node knows it: a study starts only when all nodes know the same, whatever is still on its way';

CREATE FUNCTION mpc_internal.data_hash(study text, version integer) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256(convert_to(mpc_internal.committed_data($1, $2), 'UTF8')) $$;

COMMENT ON FUNCTION mpc_internal.data_hash(text, integer) IS 'SHA-256 of committed_data';

CREATE FUNCTION mpc_internal.keep_heard_data(study text, version integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO mpc_internal.heard_data (party, counterpart, number, columns, commitments, study)
  SELECT a.party, a.other, a.number, a.columns, a.commitments, $1
    FROM (SELECT g.party, o.other, mpc_internal.heard_number(g.party, o.other, g.columns, g.commitments) AS number, g.columns, g.commitments
            FROM mpc_internal.approvals AS g JOIN mpc_internal.studies AS s USING (study, version),
                 LATERAL (SELECT mpc_internal.counterpart_of(s.parties, g.party)) AS o (other)
           WHERE g.study = $1 AND g.version = $2 AND g.commitment IS NOT NULL AND g.party <> mpc_internal.own_party()
             AND o.other IS NOT NULL) AS a
   WHERE NOT EXISTS (SELECT FROM mpc_internal.heard_data AS h
                      WHERE h.party = a.party AND h.counterpart = a.other AND h.number = a.number
                        AND mpc_internal.covers(h.columns, h.commitments, a.columns, a.commitments)
                        AND (h.passed OR mpc_internal.covers(a.columns, a.commitments, h.columns, h.commitments)))
$$;

COMMENT ON FUNCTION mpc_internal.keep_heard_data(text, integer) IS 'the number of matches was told: what the peers committed to is known from now on';

CREATE FUNCTION mpc_internal.pass_heard_data(study text, version integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE mpc_internal.heard_data AS h SET passed = true FROM mpc_internal.approvals AS a JOIN mpc_internal.studies AS s USING (study, version)
   WHERE a.study = $1 AND a.version = $2 AND h.party = a.party AND h.counterpart = mpc_internal.counterpart_of(s.parties, a.party)
     AND a.commitment IS NOT NULL
     AND mpc_internal.covers(h.columns, h.commitments, a.columns, a.commitments)
     AND mpc_internal.covers(a.columns, a.commitments, h.columns, h.commitments)
$$;

COMMENT ON FUNCTION mpc_internal.pass_heard_data(text, integer) IS 'a study was released: the rules let all columns of its peers through together';

CREATE FUNCTION mpc_internal.notice_data(study text, version integer, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other record;
BEGIN
  UPDATE mpc_internal.approvals AS a
     SET data_number = mpc_internal.number_at_start(a)
   WHERE a.study = notice_data.study AND a.version = notice_data.version AND a.party <> notice_data.party
     AND a.commitment IS NOT NULL AND a.decision = 'approved';
  FOR other IN SELECT a.party, a.data_number,
                      array_to_string(mpc_internal.dropped_columns(a.party, mpc_internal.counterpart_of(s.parties, a.party), a.decided_at,
                                                                   a.columns, a.commitments), ', ') AS dropped
                 FROM mpc_internal.approvals AS a JOIN mpc_internal.studies AS s USING (study, version)
                WHERE a.study = notice_data.study AND a.version = notice_data.version AND a.party <> notice_data.party
                  AND a.data_number > 1 AND a.decision = 'approved' ORDER BY a.party LOOP
    RAISE NOTICE USING MESSAGE = format('%s brings version %s of its data to study "%s"', other.party, other.data_number, study),
      DETAIL = CASE other.dropped WHEN '' THEN 'It keeps all columns of its earlier studies with this node, so the rules look at them and the new ones together.'
               ELSE format('Of its earlier studies with this node it leaves out, or brings with another value or person: %s. No rule looks at those and the new ones together: two results may tell about what changed.',
                           other.dropped) END,
      HINT = 'mpc.reject_study refuses the study.';
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.notice_data(text, integer, text) IS 'brings the data numbers of the other parties up to date; a NOTICE for every party that brings other data than before says what it leaves out';

CREATE OR REPLACE FUNCTION mpc_internal.control(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  kind text := message ->> 'type';
BEGIN
  PERFORM mpc_internal.peer(party);
  PERFORM mpc_internal.peer_seen(party);
  IF kind = 'hello' THEN
    RETURN jsonb_build_object('party', mpc_internal.own_party());
  END IF;
  IF NOT coalesce(mpc_internal.valid_name(message ->> 'study'), false)
     OR coalesce(message ->> 'digest', '') !~ '\A[0-9a-f]{64}\Z'
     OR coalesce(message ->> 'version', '1') !~ '\A[1-9][0-9]{0,8}\Z'
     OR coalesce(message ->> 'skipped', '0') !~ '\A[0-9]{1,9}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a message of type %L.', party, left(kind, 20)),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  RETURN CASE kind
    WHEN 'propose' THEN mpc_internal.control_propose(party, message)
    WHEN 'approve' THEN mpc_internal.control_decision(party, message, 'approved')
    WHEN 'reject' THEN mpc_internal.control_decision(party, message, 'rejected')
    WHEN 'withdraw' THEN mpc_internal.control_decision(party, message, 'withdrawn')
    WHEN 'void' THEN mpc_internal.control_decision(party, message, 'void')
    WHEN 'ready' THEN mpc_internal.control_ready(party, message)
    WHEN 'head' THEN mpc_internal.control_head(party, message)
    WHEN 'outcome' THEN mpc_internal.control_outcome(party, message)
    ELSE mpc_internal.control_unknown(party, kind) END;
END
$$;

COMMENT ON FUNCTION mpc_internal.control(text, jsonb) IS
'handles a control message of an authenticated peer and returns the answer; types propose, approve, reject, withdraw, void, ready, head, outcome, hello';

CREATE FUNCTION mpc_internal.require_member(party text, study text, parties text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF party <> ALL (parties) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('"%s" is no party of study "%s"', party, study),
      DETAIL = 'Only its parties may propose it again, decide on it or run it; what it is stays with them.',
      HINT = 'If another study is meant, give it another name.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_member(text, text, text[]) IS
'error 42501, which says nothing about the study to others, unless the party is one of the parties; unknown parties (NULL) are not checked';

CREATE OR REPLACE FUNCTION mpc_internal.control_propose(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text := message ->> 'study';
  number integer := coalesce((message ->> 'version')::integer, 1);
  accepted record := mpc_internal.accept_spec(message ->> 'study', message ->> 'spec');
  held record;
BEGIN
  IF accepted.digest <> message ->> 'digest' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('digest of study "%s" does not fit its spec', name),
      DETAIL = format('Node "%s" computes %s%s.', mpc_internal.own_party(), accepted.digest,
                      '; the filled specs differ first at ' || nullif(mpc_internal.spec_difference(
                        accepted.canonical, message ->> 'spec'), '')),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  PERFORM mpc_internal.require_member(party, name, accepted.parties);
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = name;
  -- A name belongs to the parties of its latest version: nobody else replaces what they agree on.
  PERFORM mpc_internal.require_member(party, name, held.parties);
  IF held.version = number AND held.digest = accepted.digest THEN
    RETURN '{"accepted": true}';
  ELSIF EXISTS (SELECT FROM mpc_internal.studies AS s
                 WHERE s.study = name AND s.version = number AND s.digest = accepted.digest) THEN
    RETURN '{"accepted": true, "reason": "a newer version replaced it"}';
  ELSIF held.version >= number THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('node "%s" holds another spec of study "%s"', mpc_internal.own_party(), name),
      DETAIL = format('It holds version %s with digest %s; the specs differ first at %s.', held.version, held.digest,
                      mpc_internal.spec_difference(held.spec, accepted.canonical)),
      HINT = 'Propose the study once more: the new version replaces both.';
  ELSIF held.state = 'running' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', name),
      DETAIL = format('Node "%s" runs version %s of it.', mpc_internal.own_party(), held.version),
      HINT = 'The proposal is delivered when the study has ended.';
  END IF;
  -- Versions come in order; those that this node is no party of are left out, and counted.
  IF number > coalesce(held.version, 0) + 1 + least(coalesce((message ->> 'skipped')::integer, 0), 100) THEN
    RETURN jsonb_build_object('accepted', false, 'held', coalesce(held.version, 0),
                              'reason', 'versions before it are missing');
  END IF;
  PERFORM mpc_internal.require_room_for_version(party, name);
  IF (SELECT count(*) FROM mpc_internal.studies AS s
       WHERE s.proposer = party AND s.run_state IS NULL AND s.expires_at > now()) >= 1000 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many open proposals of "%s"', party),
      DETAIL = format('Node "%s" keeps at most 1000 of one party.', mpc_internal.own_party()),
      HINT = 'Every proposal counts until it has run or has expired: wait for one of them.';
  END IF;
  INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer)
  VALUES (name, number, accepted.digest, accepted.canonical, accepted.parties, party);
  PERFORM mpc_internal.record_event(name, NULL, 'proposed', party,
                                    jsonb_build_object('version', number, 'digest', accepted.digest));
  PERFORM mpc_internal.drop_unused_records();
  PERFORM mpc_internal.announce(name);
  RETURN '{"accepted": true}';
END
$$;

COMMENT ON FUNCTION mpc_internal.control_propose(text, jsonb) IS
'stores the proposal of a peer; answers {"held": version} when versions before it are missing here; error 22023 names the first difference when this node holds another spec of that version';

CREATE OR REPLACE FUNCTION mpc_internal.control_decision(party text, message jsonb, decision text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text := message ->> 'study';
  held record;
  number integer;
  decided text := decision;
  objection text := mpc_internal.peer_text(message ->> 'reason');
  until timestamptz := CASE WHEN decision = 'approved' AND coalesce(message ->> 'expires_at', '') ~ '\A[0-9]{1,11}\Z'
                       THEN to_timestamp((message ->> 'expires_at')::float8) END;
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = name;
  number := coalesce((message ->> 'version')::integer, held.version, 1);
  -- A version that is not here yet may have other parties.
  IF number <= held.version THEN
    PERFORM mpc_internal.require_member(party, name, held.parties);
  END IF;
  IF number < held.version THEN
    RETURN '{"accepted": false, "reason": "a newer version replaced the one decided on"}';
  ELSIF number = held.version AND held.digest <> message ->> 'digest' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('node "%s" holds another spec of study "%s"', mpc_internal.own_party(), name),
      DETAIL = format('It holds version %s with digest %s.', held.version, held.digest),
      HINT = 'Propose the study once more: the new version replaces both.';
  ELSIF number IS DISTINCT FROM held.version AND (SELECT count(*) FROM mpc_internal.approvals AS a
         WHERE a.party = control_decision.party
           AND NOT EXISTS (SELECT FROM mpc_internal.studies AS s WHERE s.study = a.study AND s.version = a.version)) >= 100 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many decisions of "%s" on unknown studies', party),
      DETAIL = format('Node "%s" keeps at most 100 of one party.', mpc_internal.own_party()),
      HINT = 'Propose the studies first: decisions on them follow.';
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.approvals AS a
              WHERE a.study = name AND a.version = number AND a.party = control_decision.party
                AND ROW(a.digest, a.decision, a.reason, a.expires_at)
                    IS NOT DISTINCT FROM ROW(message ->> 'digest', decided, objection, until)
                AND (decided <> 'approved' OR encode(a.commitment, 'hex') IS NOT DISTINCT FROM message -> 'data' ->> 'commitment')) THEN
    RETURN '{"accepted": true}';
  END IF;
  IF held.state = 'running' AND number = held.version AND decided = 'approved' AND EXISTS (
       SELECT FROM mpc_internal.approvals AS a
        WHERE a.study = name AND a.version = number AND a.party = control_decision.party AND a.decision = 'approved'
          AND encode(a.commitment, 'hex') IS DISTINCT FROM message -> 'data' ->> 'commitment') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', name),
      DETAIL = format('Node "%s" runs it on the data of the approval before.', mpc_internal.own_party()),
      HINT = 'The approval is delivered when the study has ended.';
  END IF;
  PERFORM mpc_internal.require_room_for_decision(party, name, number, decided, number IS NOT DISTINCT FROM held.version);
  -- A decision may overtake its proposal: it is kept and counts once the proposal with this digest is here.
  PERFORM mpc_internal.decide(name, number, party, message ->> 'digest', decided, objection, until,
                              stated => mpc_internal.stated_of(party, message));
  IF decided = 'approved' THEN
    PERFORM mpc_internal.hear_data(party, name, number, message -> 'data');
  END IF;
  PERFORM mpc_internal.announce(name);
  RETURN '{"accepted": true}';
END
$$;

COMMENT ON FUNCTION mpc_internal.control_decision(text, jsonb, text) IS 'stores the decision of a peer, unless it has it already';

CREATE FUNCTION mpc_internal.startable(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT state IN ('proposed', 'approved', 'running', 'rehearsed', 'failed', 'cancelled') $$;

COMMENT ON FUNCTION mpc_internal.startable(text) IS
'whether an attempt can begin, or go on, in this state of a study; whether all have approved is asked apart';

CREATE FUNCTION mpc_internal.require_startable(held mpc_internal.current_studies) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Of the two that can expire: approvals can be renewed, a proposal cannot.
  renewable boolean := held.state = 'expired' AND held.expires_at > now();
BEGIN
  IF held.spec::jsonb -> 'format' IS NULL AND held.state <> 'released' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the spec of study "%s" has an older format', held.study),
      DETAIL = format('Version %s was proposed under a version of pg_mpc that had fewer rules; it can be read and explained, and is started no more.', held.version),
      HINT = 'Propose it again: a new version needs new approvals.';
  END IF;
  IF mpc_internal.startable(held.state) THEN
    RETURN;
  END IF;
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', held.study, held.state),
    DETAIL = CASE WHEN renewable THEN format('Approvals have expired: %s.', mpc_internal.expired_approvals(held.study, held.version))
             ELSE coalesce(held.objection, format('It is version %s, proposed by %s.', held.version, held.proposer)) END,
    HINT = CASE WHEN held.state = 'released' THEN 'Read its results with mpc.coefficients; propose it again for another run.'
           WHEN renewable THEN 'Approve it again on those nodes with mpc.approve_study.'
           WHEN held.state = 'expired' THEN 'Propose it again: a new version needs new approvals.'
           ELSE 'A party that objected may still approve it, mpc.approvals says which; another spec is a new version.' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_startable(mpc_internal.current_studies) IS
'error 55000 with the way out for a study that is released, rejected, withdrawn or expired';

CREATE OR REPLACE FUNCTION mpc_internal.control_ready(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held record;
  reason text;
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = message ->> 'study';
  -- Whoever is no party of it gets the same answer whether there is such a study or not.
  reason := CASE
    WHEN held.study IS NULL OR party <> ALL (held.parties) THEN 'has not received the proposal'
    WHEN held.digest <> message ->> 'digest' THEN format('holds version %s with digest %s', held.version, held.digest)
    WHEN NOT mpc_internal.startable(held.state)
      THEN format('says that the study is %s', held.state)
    ELSE (SELECT CASE a.decision WHEN 'approved' THEN CASE WHEN message ->> 'data' <> mpc_internal.committed_data(held.study, held.version) THEN 'holds another commitment to the data of a controller' END
                      WHEN 'void' THEN 'has to approve again: ' || a.reason ELSE 'has not approved the study' END
            FROM (SELECT 1) AS one LEFT JOIN mpc_internal.approvals AS a
              ON a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = mpc_internal.own_party()) END;
  RETURN jsonb_strip_nulls(jsonb_build_object('ready', reason IS NULL, 'reason', reason));
END
$$;

COMMENT ON FUNCTION mpc_internal.control_ready(text, jsonb) IS
'{"ready": true} when this node approved the digest and holds the same commitments (data, if given: committed_data), else why not, to a party of the study; reads tables only';

CREATE OR REPLACE FUNCTION mpc_internal.start_job(study text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held mpc_internal.current_studies%ROWTYPE := mpc_internal.find_study(study);
  approval mpc_internal.approvals%ROWTYPE;
  place integer;
BEGIN
  PERFORM mpc_internal.require_startable(held);
  SELECT * INTO approval FROM mpc_internal.approvals AS a
   WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = own
     AND a.decision = 'approved';
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node has not approved study "%s"', study),
      DETAIL = coalesce((SELECT format('Its approval does not count any more: %s.', a.reason) FROM mpc_internal.approvals AS a
                          WHERE a.study = held.study AND a.version = held.version AND a.party = own AND a.decision = 'void'),
                        format('It is version %s with digest %s, proposed by %s.', held.version, held.digest, held.proposer)),
      HINT = 'Read it with mpc.explain_study, then use mpc.approve_study.';
  END IF;
  PERFORM mpc_internal.require_peers(held.parties);
  place := array_position(held.parties, own) - 1;
  IF place < 2 THEN
    PERFORM mpc_internal.require_approver(held.study, approval);
    PERFORM mpc_internal.require_same_key(approval);
    approval.source := mpc_internal.same_or_rebuilt(approval);
    PERFORM mpc_internal.require_same_source(approval);
    PERFORM mpc_internal.require_binding(held.spec::jsonb, own, approval.source, approval.identifier, approval.approver);
    PERFORM mpc_internal.require_budget(held.study, held.spec::jsonb, approval.source);
    PERFORM mpc_internal.require_data(held, approval);
  END IF;
  PERFORM mpc_internal.require_floor(held.study, held.spec::jsonb, '55000');
  PERFORM mpc_internal.require_early_attempts(held.study, held.parties);
  PERFORM mpc_internal.require_commitments(held);
  RETURN jsonb_build_object(
    'study', held.study, 'version', held.version, 'digest', held.digest, 'spec', held.spec,
    'data', mpc_internal.committed_data(held.study, held.version),
    'party', own, 'party_index', place, 'role', CASE WHEN place < 2 THEN 'controller' ELSE 'third_party' END,
    'source', CASE WHEN place < 2 THEN jsonb_build_object(
      'relation', approval.source::bigint, 'identifier', to_jsonb(approval.identifier),
      'approver', approval.approver::bigint, 'digest', encode(approval.source_digest, 'hex'), 'records', approval.source_records,
      'numbers_before', mpc_internal.numbers_before(mpc_internal.counterpart_of(held.parties, own), held.study),
      'numbers', mpc_internal.charged_numbers(held.spec::jsonb, mpc_internal.counterpart_of(held.parties, own), held.study)) END,
    'peers', (SELECT jsonb_agg(jsonb_build_object('party', p.party, 'url', p.url, 'certificate', p.certificate,
                       'fingerprint', p.fingerprint, 'next_fingerprint', coalesce(p.next_fingerprint, ''),
                       'index', array_position(held.parties, p.party) - 1)
                       ORDER BY array_position(held.parties, p.party))
                FROM mpc_internal.peers AS p WHERE p.party = ANY (held.parties)));
END
$$;

COMMENT ON FUNCTION mpc_internal.start_job(text) IS
'everything an engine of this node needs; error 55000, 42501, 42703, 42704, 53400 or MP005 when the study cannot start here';

CREATE OR REPLACE FUNCTION mpc_internal.record_request(study text, what text, role oid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  SELECT mpc_internal.record_event(s.study, NULL, 'asked', mpc_internal.own_party(), jsonb_build_object(
           'version', s.version, 'what', $2, 'by', mpc_internal.role_text($3)))
    FROM mpc_internal.current_studies AS s WHERE s.study = $1;
  SELECT mpc_internal.note_reader(s.study, s.version, $3, 'ran') FROM mpc_internal.current_studies AS s
   WHERE s.study = $1 AND $2 IN ('start', 'prepare') AND s.state <> 'released'
$$;

CREATE FUNCTION mpc_internal.attempt_started(
  study text, attempt text, manual boolean, rehearsal boolean DEFAULT false, relied_on jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  held mpc_internal.current_studies%ROWTYPE := mpc_internal.find_study(study);
BEGIN
  -- A withdrawal may have been committed since the job was made.
  PERFORM mpc_internal.require_startable(held);
  -- What is counted per attempt would count an id that a peer gives out again once only.
  IF EXISTS (SELECT FROM mpc_internal.ledger AS l
              WHERE l.study = held.study AND l.attempt = attempt_started.attempt AND l.event = 'started')
     OR EXISTS (SELECT FROM mpc_internal.early_attempts AS e WHERE e.attempt = attempt_started.attempt) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('attempt of study "%s" has an id that was used before', study),
      DETAIL = format('Its id is %s.', attempt), HINT = 'Start the study again.';
  END IF;
  PERFORM mpc_internal.reserve_use(held.study, held.version, attempt);
  UPDATE mpc_internal.studies AS s
     SET run_state = 'running', attempt = attempt_started.attempt, manual = attempt_started.manual,
         started_at = clock_timestamp(), finished_at = NULL, n_matched = NULL,
         sqlstate = NULL, last_error = NULL, error_detail = NULL, error_hint = NULL
   WHERE s.study = held.study AND s.version = held.version;
  PERFORM mpc_internal.record_event(study, attempt, 'relied_on', mpc_internal.own_party(), jsonb_build_object(
    'version', held.version, 'digest', held.digest, 'data', encode(mpc_internal.data_hash(held.study, held.version), 'hex'),
    'said', relied_on, 'approvals', (
      SELECT jsonb_object_agg(a.party, a.decided_at) FROM mpc_internal.approvals AS a
       WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.decision = 'approved')));
  PERFORM mpc_internal.record_event(study, attempt, 'started', mpc_internal.own_party(),
                                    jsonb_strip_nulls(jsonb_build_object(
                                      'version', held.version, 'digest', held.digest, 'manual', manual, 'rehearsal', nullif(rehearsal, false))));
  PERFORM mpc_internal.send_head(study, held.version, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;

COMMENT ON FUNCTION mpc_internal.attempt_started(text, text, boolean, boolean, jsonb) IS 'the attempt, or the rehearsal, is in force; relied_on: what each peer said right before, ready or start; the study is running, its models reserved. Errors: 55000 withdrawn meanwhile or an id that was used before, MP005 budget';

CREATE OR REPLACE FUNCTION mpc_internal.attempt_matched(study text, attempt text, n bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
  UPDATE mpc_internal.studies AS s SET n_matched = n
   WHERE s.study = attempt_matched.study AND s.attempt = attempt_matched.attempt AND s.run_state = 'running';
  IF FOUND THEN
    PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, jsonb_build_object('what', '["match count"]'::jsonb, 'records', n));
    PERFORM mpc_internal.keep_heard_data(s.study, s.version) FROM mpc_internal.studies AS s
      WHERE s.study = attempt_matched.study AND s.attempt = attempt_matched.attempt;
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.attempt_released(study text, attempt text, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
BEGIN
  UPDATE mpc_internal.studies AS s
     SET run_state = 'released', finished_at = clock_timestamp(),
         n_matched = coalesce((result ->> 'matched')::bigint, s.n_matched)
   WHERE s.study = attempt_released.study AND s.attempt = attempt_released.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.settle_release(study, number, attempt, result, jsonb_array_length(coalesce(result -> 'fits', '[]')), NULL);
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.attempt_failed(
  study text, attempt text, sqlstate text, message text, detail text, hint text, cancelled boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
  result record := mpc_internal.doubt(attempt, sqlstate);
BEGIN
  UPDATE mpc_internal.studies AS s
     SET run_state = CASE WHEN attempt_failed.cancelled THEN 'cancelled' ELSE 'failed' END,
         finished_at = clock_timestamp(), sqlstate = attempt_failed.sqlstate, last_error = attempt_failed.message,
         error_detail = nullif(attempt_failed.detail, ''),
         error_hint = CASE WHEN result.in_doubt THEN 'Another recipient may have the result. This node asks for it, for 30 days: look at the state again later.'
                      ELSE nullif(attempt_failed.hint, '') END
   WHERE s.study = attempt_failed.study AND s.attempt = attempt_failed.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF sqlstate = 'MP005' THEN
    PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, '{"what": ["one bit: a rule of the spec refused"]}');
    PERFORM mpc_internal.settle_use(study, attempt, 'refused');
  ELSIF result.counts THEN
    PERFORM mpc_internal.settle_use(study, attempt, 'released');
  ELSE
    PERFORM mpc_internal.settle_use(study, attempt, 'ended');
    PERFORM mpc_internal.note_early_attempt(study, number, attempt);
  END IF;
  PERFORM mpc_internal.record_event(study, attempt, CASE WHEN cancelled THEN 'cancelled' ELSE 'failed' END,
                                    mpc_internal.own_party(), jsonb_build_object('version', number, 'sqlstate', sqlstate));
  PERFORM mpc_internal.send_head(study, number, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;

CREATE FUNCTION mpc_internal.stated_with(kind text, queued_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mpc_internal.ledger_seals%ROWTYPE;
BEGIN
  IF kind NOT IN ('approve', 'reject', 'withdraw', 'void') THEN
    RETURN '{}';
  END IF;
  -- The entry of the decision is committed, as the message is.
  PERFORM mpc_internal.seal_ledger();
  IF NOT EXISTS (SELECT FROM mpc_internal.ledger AS l WHERE NOT EXISTS (SELECT FROM mpc_internal.ledger_seals AS s WHERE s.id = l.id)) THEN
    SELECT * INTO last FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  END IF;
  -- The time as text: a JSON number is a double on its way, which may show as another one with more digits.
  RETURN jsonb_strip_nulls(jsonb_build_object('decided_at', extract(epoch FROM queued_at)::text, 'place', last.place, 'head', encode(last.hash, 'hex')));
END
$$;

COMMENT ON FUNCTION mpc_internal.stated_with(text, timestamptz) IS
'what a decision carries to the peers: when this node took it, and the head of its ledger after that (left out while an entry cannot be sealed)';

CREATE OR REPLACE FUNCTION mpc_internal.outbox_pending(OUT id bigint, OUT party text, OUT message jsonb) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT o.id, p.party, o.message || mpc_internal.stated_with(o.message ->> 'type', o.queued_at)
    FROM mpc_internal.peers AS p,
         LATERAL (SELECT n.id, n.message, n.queued_at FROM mpc_internal.outbox AS n
                   WHERE n.party = p.party
                     AND NOT EXISTS (SELECT FROM mpc_internal.outbox AS h
                                      WHERE h.party = p.party AND h.id <= n.id AND h.held_until > clock_timestamp()
                                        AND h.message ->> 'study' IS NOT DISTINCT FROM n.message ->> 'study')
                   ORDER BY n.id LIMIT 1) AS o
   ORDER BY o.id
$$;

COMMENT ON FUNCTION mpc_internal.outbox_pending() IS
'the next message of each peer: what one peer does not take keeps no other waiting; one that is held keeps only those of its study waiting';

CREATE OR REPLACE FUNCTION mpc_internal.outbox_refused(id bigint, error jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  refused mpc_internal.outbox%ROWTYPE;
  state text := error ->> 'sqlstate';
BEGIN
  -- What passes by itself (locks, resources, shutdown, a peer whose database is not there yet) is tried again, for as
  -- long as a proposal or an approval lives. After a day the messages of other studies go first; this one, and those of
  -- its study after it, are tried every quarter of an hour.
  IF coalesce((error ->> 'passing')::boolean, false) THEN
    UPDATE mpc_internal.outbox AS o
       SET error = outbox_refused.error, refused_at = coalesce(o.refused_at, clock_timestamp()),
           held_until = CASE WHEN o.refused_at < clock_timestamp() - interval '1 day'
                        THEN clock_timestamp() + interval '15 minutes' END
     WHERE o.id = outbox_refused.id AND (o.refused_at IS NULL OR o.refused_at > clock_timestamp() - mpc_internal.lifetime());
    IF FOUND THEN
      RETURN;
    END IF;
  END IF;
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = outbox_refused.id RETURNING * INTO refused;
  IF refused.id IS NULL THEN
    RETURN;  -- its peer was removed meanwhile
  END IF;
  UPDATE mpc_internal.studies AS s
     SET sqlstate = state, error_detail = error ->> 'detail', error_hint = error ->> 'hint',
         last_error = format('refused by %s', error ->> 'message')
   WHERE s.study = refused.message ->> 'study' AND s.version = (refused.message ->> 'version')::integer
     AND s.run_state IS NULL;
  PERFORM mpc_internal.record_refusal(refused.party, refused.message, state, error ->> 'message');
END
$$;

COMMENT ON FUNCTION mpc_internal.outbox_refused(bigint, jsonb) IS
'the peer answered with an error: kept for another try when it passes by itself, at most for pg_mpc.approval_lifetime, otherwise shown in mpc.studies.last_error';

CREATE FUNCTION mpc_internal.peer_text(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  -- Controls, marks of direction, separators and joiners without a width.
  SELECT nullif(left(btrim(replace(regexp_replace($1,
           '[\s\u0001-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+', ' ', 'g'),
           '"', '''')), 300), '')
$$;

COMMENT ON FUNCTION mpc_internal.peer_text(text) IS
'text that a peer wrote, fit to be shown in quotes: one line, at most 300 printable characters';

CREATE FUNCTION mpc_internal.entries_of(party text, study text, events text[]) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*) FROM mpc_internal.ledger AS l WHERE l.party = $1 AND l.study = $2 AND l.event = ANY ($3)
$$;

COMMENT ON FUNCTION mpc_internal.entries_of(text, text, text[]) IS
'entries of these events that the ledger has of a party and a study';

CREATE FUNCTION mpc_internal.heads_are_full(party text, study text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT mpc_internal.entries_of($1, $2, '{head}')
      >= 20 + 2 * mpc_internal.entries_of(mpc_internal.own_party(), $2, '{started}')
$$;

COMMENT ON FUNCTION mpc_internal.heads_are_full(text, text) IS
'a party sends a head at the start and at the end of an attempt: true when it sent more than the attempts of this node explain';

CREATE FUNCTION mpc_internal.require_room_for_version(party text, study text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF mpc_internal.entries_of(party, study, '{proposed}') >= 100 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many versions of study "%s" proposed by "%s"', study, party),
      DETAIL = format('Node "%s" keeps at most 100 of one party.', mpc_internal.own_party()),
      HINT = 'Propose further specs under another name, or let another party propose.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_room_for_version(text, text) IS 'error 54000 at the 101st version that a peer proposes of a study';

CREATE FUNCTION mpc_internal.require_room_for_decision(party text, study text, version integer, decision text, known boolean)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most integer := CASE WHEN known THEN 100 ELSE 3 END;
BEGIN
  IF (SELECT count(*) FROM mpc_internal.ledger AS l
       WHERE l.party = require_room_for_decision.party AND l.study = require_room_for_decision.study
         AND l.event IN ('approved', 'rejected', 'withdrawn', 'void')
         AND l.detail ->> 'version' = require_room_for_decision.version::text) < most
     -- An approval can always be taken back; what follows is refused.
     OR decision <> 'approved' AND EXISTS (
          SELECT FROM mpc_internal.approvals AS a
           WHERE a.study = require_room_for_decision.study AND a.version = require_room_for_decision.version
             AND a.party = require_room_for_decision.party AND a.decision = 'approved') THEN
    RETURN;
  END IF;
  RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many decisions of "%s" on study "%s"', party, study),
    DETAIL = format('Node "%s" keeps at most %s on one version.', mpc_internal.own_party(), most),
    HINT = 'Propose the study again: decisions on the new version count anew.';
END
$$;

COMMENT ON FUNCTION mpc_internal.require_room_for_decision(text, text, integer, text, boolean) IS
'error 54000 when a peer has decided 100 times on a version (3 times on one that this node does not know), except for taking back an approval';

CREATE FUNCTION mpc_internal.record_refusal(party text, message jsonb, sqlstate text, said text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF mpc_internal.entries_of(party, message ->> 'study', '{message_refused}') < 100 THEN
    PERFORM mpc_internal.record_event(message ->> 'study', NULL, 'message_refused', party,
      jsonb_strip_nulls(jsonb_build_object('version', message -> 'version', 'type', message ->> 'type',
                                           'sqlstate', record_refusal.sqlstate, 'message', said)));
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.record_refusal(text, jsonb, text, text) IS
'a peer refused a message of this node: in the ledger, the first 100 of a peer and study';

CREATE FUNCTION mpc_internal.outbox_gap(id bigint, held integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  refused mpc_internal.outbox%ROWTYPE;
  name text;
  number integer;
BEGIN
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = outbox_gap.id RETURNING * INTO refused;
  name := refused.message ->> 'study';
  number := (refused.message ->> 'version')::integer;
  -- Once: a peer that misses versions again does not want them.
  IF refused.message ->> 'type' = 'propose' AND held < number AND NOT refused.message ? 'skipped' THEN
    INSERT INTO mpc_internal.outbox (party, message)
    SELECT refused.party, jsonb_build_object('type', 'propose', 'study', name, 'version', s.version, 'spec', s.spec,
             'digest', s.digest, 'skipped', s.version - 1 - lag(s.version, 1, held) OVER (ORDER BY s.version))
      FROM mpc_internal.studies AS s
     WHERE s.study = name AND s.version > held AND s.version <= number AND refused.party = ANY (s.parties)
     ORDER BY s.version;
  ELSIF refused.id IS NOT NULL THEN
    PERFORM mpc_internal.record_refusal(refused.party, refused.message, '54000',
                                        format('party %s misses versions before this one', refused.party));
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.outbox_gap(bigint, integer) IS
'the peer holds this version of a study (0: none) and misses some before the one proposed: they are sent first, in order; of versions with other parties it gets the number only';

CREATE TABLE mpc_internal.early_attempts (
  attempt text PRIMARY KEY,
  ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  study text NOT NULL,
  parties text[] NOT NULL,
  charged text[] NOT NULL DEFAULT '{}'
);

COMMENT ON TABLE mpc_internal.early_attempts IS
'attempts of the last day that ended before the match was announced; parties = the peers in them, charged = those of them that started or ended them';

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.early_attempts', '');

CREATE FUNCTION mpc_internal.most_early_attempts() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.early_attempts', true), '50')::bigint $$;

COMMENT ON FUNCTION mpc_internal.most_early_attempts() IS
'early attempts that this node takes part in per day with the same parties; 0 = any number';

CREATE FUNCTION mpc_internal.peers_of(parties text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT array_agg(p ORDER BY p COLLATE "C") FROM unnest(parties) AS p WHERE p <> mpc_internal.own_party() $$;

COMMENT ON FUNCTION mpc_internal.peers_of(text[]) IS 'the parties other than this node, in byte order';

CREATE FUNCTION mpc_internal.require_early_attempts(study text, parties text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most bigint := mpc_internal.most_early_attempts();
  peers text[] := mpc_internal.peers_of(parties);
  since timestamptz := clock_timestamp() - interval '1 day';
  peer text;
BEGIN
  IF most = 0 THEN
    RETURN;
  END IF;
  IF (SELECT count(*) FROM mpc_internal.early_attempts AS e WHERE e.parties = peers AND e.ended_at > since) >= most THEN
    RAISE EXCEPTION USING ERRCODE = '53400',
      MESSAGE = format('too many attempts with parties "%s" ended before the match', array_to_string(peers, '" and "')),
      DETAIL = format('There were %s in the last 24 hours at node "%s"; study "%s" would be one more.', most, mpc_internal.own_party(), study),
      HINT = 'mpc.study_history shows how they ended. Wait, or ask the administrator of this node about pg_mpc.early_attempts.';
  END IF;
  FOREACH peer IN ARRAY peers LOOP
    IF (SELECT count(*) FROM mpc_internal.early_attempts AS e WHERE peer = ANY (e.charged) AND e.ended_at > since) >= 2 * most THEN
      RAISE EXCEPTION USING ERRCODE = '53400',
        MESSAGE = format('too many attempts that party "%s" started or ended were over before the match', peer),
        DETAIL = format('There were %s in the last 24 hours in all its studies at node "%s"; study "%s" would be one more.',
                        2 * most, mpc_internal.own_party(), study),
        HINT = 'mpc.study_history shows how they ended. Wait, or ask the administrator of this node about pg_mpc.early_attempts.';
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_early_attempts(text, text[]) IS
'error 53400 when too many attempts with the same parties, or that one of them started or ended, were over before the match within a day';

CREATE FUNCTION mpc_internal.note_early_attempt(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM mpc_internal.early_attempts AS e WHERE e.ended_at <= clock_timestamp() - interval '1 day';
  INSERT INTO mpc_internal.early_attempts (attempt, study, parties)
  SELECT note_early_attempt.attempt, s.study, mpc_internal.peers_of(s.parties)
    FROM mpc_internal.studies AS s
   WHERE s.study = note_early_attempt.study AND s.version = note_early_attempt.version AND s.n_matched IS NULL
  ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION mpc_internal.note_early_attempt(text, integer, text) IS
'called at the end of an attempt without a result: counts it unless the number of matched records was announced';

CREATE FUNCTION mpc_internal.charge_early_attempt(attempt text, started_by text, ended_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  UPDATE mpc_internal.early_attempts AS e
     SET charged = ARRAY(SELECT p FROM unnest(e.parties) AS p WHERE p IN ($2, $3))
   WHERE e.attempt = $1
$$;

COMMENT ON FUNCTION mpc_internal.charge_early_attempt(text, text, text) IS
'called by the coordinator after the end of an attempt: the peer that started it and the peer that says that it ended it; NULL for this node, or unknown';

CREATE TABLE mpc_internal.awaited_results (
  attempt text PRIMARY KEY,
  study text NOT NULL,
  version integer NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  asking boolean NOT NULL DEFAULT false,
  without text[] NOT NULL DEFAULT '{}',
  room bytea,
  matched bigint,
  data bytea
);

ALTER TABLE mpc_internal.awaited_results ALTER COLUMN room SET STORAGE EXTERNAL;

COMMENT ON TABLE mpc_internal.awaited_results IS
'attempts whose result this node promised to store and has not; asking = its engine has ended, recipients are asked; without = those that have no result; room = zeros, as many bytes as the result may take; matched = records of the attempt; data = data_hash of what it runs on';

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.awaited_results', '');

CREATE FUNCTION mpc_internal.result_lifetime() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT interval '30 days' $$;

COMMENT ON FUNCTION mpc_internal.result_lifetime() IS 'for so long a holder gives a result to another recipient, and a node in doubt asks';

CREATE FUNCTION mpc_internal.is_recipient(spec jsonb, party text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT spec -> 'recipients' ? party $$;

COMMENT ON FUNCTION mpc_internal.is_recipient(jsonb, text) IS 'whether the party receives the result of a study with this spec';

CREATE FUNCTION mpc_internal.result_bytes(spec jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT (mpc_internal.models_in(spec) * (mpc_internal.numbers_of_model(spec) + 2) * 160)::integer $$;

COMMENT ON FUNCTION mpc_internal.result_bytes(jsonb) IS 'what the rows of a result and their index entries take at most, for names of usual length';

CREATE FUNCTION mpc_internal.attempt_promised(study text, attempt text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  INSERT INTO mpc_internal.awaited_results (attempt, study, version, room, matched, data)
  SELECT s.attempt, s.study, s.version, decode(repeat('00', mpc_internal.result_bytes(s.spec::jsonb)), 'hex'), s.n_matched,
         mpc_internal.data_hash(s.study, s.version)
    FROM mpc_internal.studies AS s WHERE s.study = $1 AND s.attempt = $2 AND s.run_state = 'running'
  ON CONFLICT DO NOTHING
$$;

COMMENT ON FUNCTION mpc_internal.attempt_promised(text, text) IS
'this node can store the result of the attempt: it has just written as much. Nothing is opened before';

CREATE FUNCTION mpc_internal.attempt_computed(attempt text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$ UPDATE mpc_internal.awaited_results AS a SET asking = true, room = NULL WHERE a.attempt = $1 $$;

COMMENT ON FUNCTION mpc_internal.attempt_computed(text) IS
'the engine of this node, which is no recipient, has ended well: the study is released when a recipient says that it has stored the result';

CREATE FUNCTION mpc_internal.doubt(attempt text, sqlstate text, OUT counts boolean, OUT in_doubt boolean) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  SELECT count(r.party) > 0, count(r.party) FILTER (WHERE r.party <> ALL (a.without)) > 0 INTO counts, in_doubt
    FROM mpc_internal.awaited_results AS a JOIN mpc_internal.studies AS s USING (study, version),
         jsonb_array_elements_text(s.spec::jsonb -> 'recipients') AS r (party)
   WHERE a.attempt = doubt.attempt AND r.party <> mpc_internal.own_party()
     -- A refusal and a solver that does not converge are outcomes that all three reach before anything is opened.
     AND doubt.sqlstate NOT IN ('MP005', 'MP006');
  DELETE FROM mpc_internal.awaited_results AS a WHERE a.attempt = doubt.attempt AND NOT in_doubt;
  UPDATE mpc_internal.awaited_results AS a SET asking = true, room = NULL WHERE a.attempt = doubt.attempt;
END
$$;

COMMENT ON FUNCTION mpc_internal.doubt(text, text) IS
'called when an attempt ends without its result at this node. counts: the result may have been opened to another party, so the budget counts it, whatever that party says of it; in_doubt: a recipient has not said yet whether it has the result';

CREATE FUNCTION mpc_internal.awaited_results(OUT attempt text, OUT party text, OUT message jsonb) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  DELETE FROM mpc_internal.awaited_results AS a WHERE a.since < clock_timestamp() - mpc_internal.result_lifetime();
  SELECT a.attempt, r.party, jsonb_build_object('type', 'outcome', 'study', s.study, 'version', s.version,
                                                'digest', s.digest, 'attempt', a.attempt)
    FROM mpc_internal.awaited_results AS a JOIN mpc_internal.studies AS s USING (study, version),
         jsonb_array_elements_text(s.spec::jsonb -> 'recipients') AS r (party) JOIN mpc_internal.peers AS p USING (party)
   WHERE a.asking AND r.party <> mpc_internal.own_party() AND r.party <> ALL (a.without)
   ORDER BY a.since, a.attempt, r.party
$$;

COMMENT ON FUNCTION mpc_internal.awaited_results() IS 'whom this node has to ask about which attempt';

CREATE FUNCTION mpc_internal.result_of(study text, version integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'matched', (SELECT s.n_matched FROM mpc_internal.studies AS s WHERE s.study = $1 AND s.version = $2),
    'fits', (SELECT jsonb_agg(to_jsonb(f) - '{study,version,released_at,bytes_sent}'::text[] ORDER BY f.lambda)
               FROM mpc_internal.fits AS f WHERE f.study = $1 AND f.version = $2),
    'coefficients', (SELECT jsonb_agg(to_jsonb(c) - '{study,version,place}'::text[] ORDER BY c.lambda, c.place)
                       FROM mpc_internal.coefficients AS c WHERE c.study = $1 AND c.version = $2))
$$;

COMMENT ON FUNCTION mpc_internal.result_of(text, integer) IS
'a stored result as mpc_internal.store_result takes it, without what is this node''s own (traffic, bytes sent)';

CREATE FUNCTION mpc_internal.control_outcome(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held mpc_internal.studies%ROWTYPE;
  spec jsonb;
  answer jsonb := '{"state": "ended"}';
BEGIN
  -- Whoever is no party of it gets the same answer whether there is such a study or not.
  SELECT s.* INTO held FROM mpc_internal.studies AS s
   WHERE s.study = message ->> 'study' AND s.version = (message ->> 'version')::integer AND s.digest = message ->> 'digest'
     AND s.attempt = message ->> 'attempt' AND control_outcome.party = ANY (s.parties);
  spec := held.spec::jsonb;
  IF held.run_state = 'running' THEN
    RETURN '{"state": "open"}';
  ELSIF held.run_state = 'released' AND mpc_internal.is_recipient(spec, mpc_internal.own_party()) THEN
    answer := '{"state": "released"}';
    IF mpc_internal.is_recipient(spec, party) AND held.finished_at > clock_timestamp() - mpc_internal.result_lifetime() THEN
      answer := answer || jsonb_build_object('result', mpc_internal.result_of(held.study, held.version));
    END IF;
  END IF;
  RETURN answer;
END
$$;

COMMENT ON FUNCTION mpc_internal.control_outcome(text, jsonb) IS
'what became of an attempt here, to a party of the study: open (it has not ended), released, with the result for a recipient, or ended without a result, which is final';

CREATE FUNCTION mpc_internal.belongs(spec jsonb, n_matched bigint, result jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lambdas float8[] := ARRAY(SELECT l::float8 FROM mpc_internal.lambdas_in(spec) AS l ORDER BY 1);
  names text[] := ARRAY(SELECT format('%s.%s', c.key, n) FROM jsonb_each(spec -> 'controllers') AS c,
                                jsonb_array_elements_text(c.value -> 'attributes') AS n UNION ALL SELECT '.(intercept)' ORDER BY 1);
BEGIN
  RETURN coalesce((result ->> 'matched')::bigint = n_matched, false)
     AND ARRAY(SELECT f.lambda FROM jsonb_to_recordset(result -> 'fits') AS f (lambda float8) ORDER BY 1) = lambdas
     AND NOT EXISTS (SELECT FROM jsonb_to_recordset(result -> 'fits') AS f (n bigint, parameters integer)
                      WHERE f.n IS DISTINCT FROM n_matched OR f.parameters IS DISTINCT FROM cardinality(names))
     AND NOT EXISTS (SELECT FROM unnest(lambdas) AS l (lambda)
                      WHERE ARRAY(SELECT format('%s.%s', c.party, c.attribute)
                                    FROM jsonb_to_recordset(result -> 'coefficients') AS c (lambda float8, attribute text, party text)
                                   WHERE c.lambda = l.lambda ORDER BY 1) <> names)
     AND NOT EXISTS (SELECT FROM jsonb_to_recordset(result -> 'coefficients') AS c (coefficient float8, selected boolean)
                      WHERE c.coefficient IS NULL OR c.selected IS NULL)
     AND coalesce(jsonb_array_length(result -> 'coefficients') = cardinality(lambdas) * cardinality(names), false);
EXCEPTION WHEN data_exception THEN
  RETURN false;  -- a text where a number is expected, an object where a list is
END
$$;

COMMENT ON FUNCTION mpc_internal.belongs(jsonb, bigint, jsonb) IS
'whether a result has the models, attributes and records of the study with this spec';

CREATE FUNCTION mpc_internal.require_own_result(party text, spec jsonb, n_matched bigint, result jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT mpc_internal.belongs(spec, n_matched, result) THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = format('party %s sent a result that does not belong to this study', party),
      DETAIL = 'Its lambdas, its attributes or its number of records are not those of the spec and of the match.',
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.require_own_result(text, jsonb, bigint, jsonb) IS
'error MP004 unless a result that a peer gives has the models, attributes and records of the study';

CREATE FUNCTION mpc_internal.settle_release(study text, version integer, attempt text, result jsonb, models integer, giver text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  agreed bytea;
BEGIN
  DELETE FROM mpc_internal.awaited_results AS a WHERE a.attempt = settle_release.attempt RETURNING a.data INTO agreed;
  IF result IS NOT NULL THEN
    PERFORM mpc_internal.store_result(study, version, result);
  END IF;
  PERFORM mpc_internal.settle_use(study, attempt, 'released');
  -- A party may have approved with other data since an attempt that was in doubt: those have passed no rule.
  IF agreed IS NULL OR agreed = mpc_internal.data_hash(study, version) THEN
    PERFORM mpc_internal.pass_heard_data(study, version);
  END IF;
  PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, (
    SELECT jsonb_build_object('what', '["iterations", "coefficients", "intercept", "r_squared"]'::jsonb,
                              'to', s.spec::jsonb -> 'recipients', 'models', mpc_internal.models_in(s.spec::jsonb))
      FROM mpc_internal.studies AS s WHERE s.study = settle_release.study AND s.version = settle_release.version));
  PERFORM mpc_internal.record_event(study, attempt, 'released', mpc_internal.own_party(), jsonb_strip_nulls(jsonb_build_object(
    'version', version, 'models', models, 'from', giver)));
  PERFORM mpc_internal.send_head(study, version, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;

COMMENT ON FUNCTION mpc_internal.settle_release(text, integer, text, jsonb, integer, text) IS
'what follows from a released attempt at this node: the result, if it is a recipient, the budget, the ledger; giver = the party whose copy it is, NULL: the own engine''s';

CREATE FUNCTION mpc_internal.outcome_received(attempt text, party text, answer jsonb, own_result jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  awaited mpc_internal.awaited_results%ROWTYPE;
  held mpc_internal.studies%ROWTYPE;
  spec jsonb;
  own boolean;
BEGIN
  SELECT a.* INTO awaited FROM mpc_internal.awaited_results AS a WHERE a.attempt = outcome_received.attempt AND a.asking FOR UPDATE;
  SELECT s.* INTO held FROM mpc_internal.studies AS s WHERE s.study = awaited.study AND s.version = awaited.version FOR UPDATE;
  spec := held.spec::jsonb;
  own := mpc_internal.is_recipient(spec, mpc_internal.own_party());
  -- While another attempt of it runs here, the answer has to wait: one version has one result.
  IF held.study IS NULL OR NOT mpc_internal.is_recipient(spec, party) OR answer ->> 'state' = 'open'
     OR held.run_state = 'running' AND held.attempt <> awaited.attempt THEN
    RETURN NULL;
  ELSIF answer ->> 'state' = 'released' THEN
    IF own AND answer -> 'result' IS NULL THEN
      RETURN NULL;
    END IF;
    IF held.run_state = 'released' THEN
      -- By a later attempt, which an honest holder of this one would have refused. What is released stays.
      DELETE FROM mpc_internal.awaited_results AS a WHERE a.attempt = awaited.attempt;
      RETURN NULL;
    END IF;
    IF own THEN
      PERFORM mpc_internal.require_own_result(party, spec, awaited.matched, answer -> 'result');
    END IF;
    UPDATE mpc_internal.studies AS s
       SET run_state = 'released', attempt = awaited.attempt, n_matched = awaited.matched, finished_at = clock_timestamp(),
           sqlstate = NULL, last_error = NULL, error_detail = NULL, error_hint = NULL
     WHERE s.study = held.study AND s.version = held.version;
    PERFORM mpc_internal.settle_release(held.study, held.version, awaited.attempt, CASE WHEN own THEN answer -> 'result' ELSE own_result END,
                                        mpc_internal.models_in(spec), party);
    RETURN 'released';
  ELSIF answer ->> 'state' = 'ended' THEN
    UPDATE mpc_internal.awaited_results AS a SET without = a.without || party
     WHERE a.attempt = awaited.attempt AND party <> ALL (a.without) RETURNING * INTO awaited;
    IF EXISTS (SELECT FROM jsonb_array_elements_text(spec -> 'recipients') AS r (party)
                WHERE r.party <> mpc_internal.own_party() AND r.party <> ALL (awaited.without)) THEN
      RETURN NULL;
    END IF;
    -- The budget goes on counting the release: a recipient that has the result may say that it has not.
    IF held.run_state = 'running' THEN
      UPDATE mpc_internal.awaited_results AS a SET asking = false WHERE a.attempt = awaited.attempt;
    ELSE
      DELETE FROM mpc_internal.awaited_results AS a WHERE a.attempt = awaited.attempt;
    END IF;
    RETURN 'failed';
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = format('party %s sent an answer that the protocol does not allow', party),
    DETAIL = 'The question was what became of an attempt.', HINT = 'The nodes may run different versions of pg_mpc.';
END
$$;

COMMENT ON FUNCTION mpc_internal.outcome_received(text, text, jsonb, jsonb) IS
'a recipient has said what became of an attempt that this node awaits the result of: returns released or failed when that is decided, NULL while it is not. own_result = what the engine of this node, which is no recipient, knows itself';

COMMENT ON FUNCTION mpc_internal.coordinator_status() IS
'party, database, extension, listener (connected), address_problems, engines, max_studies, peers, and problem when the certificate is not loaded; error 55000 when the coordinator does not answer';

COMMENT ON FUNCTION mpc_internal.progress() IS 'rows of view mpc.stat_study_progress';

CREATE FUNCTION mpc_internal.request_start(study text, caller oid) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_start_study';

COMMENT ON FUNCTION mpc_internal.request_start(text, oid) IS
'asks the coordinator to start a study in the name of a role; returns the id of the attempt';

CREATE FUNCTION mpc_internal.request_cancel(study text, caller oid) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_cancel_study';

COMMENT ON FUNCTION mpc_internal.request_cancel(text, oid) IS 'asks the coordinator to cancel a study in the name of a role';

CREATE FUNCTION mpc_internal.request_run(study text, caller oid)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_run_study';

COMMENT ON FUNCTION mpc_internal.request_run(text, oid) IS
'starts a study in the name of a role and waits for its end: a NOTICE and a row per finished step of this node';

CREATE FUNCTION mpc_internal.request_step(study text, step text, caller oid)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step';

COMMENT ON FUNCTION mpc_internal.request_step(text, text, oid) IS
'lets the engine of this node do one step by hand and waits for it, at most pg_mpc.step_timeout';

CREATE FUNCTION mpc_internal.start_study(caller oid, study text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN mpc_internal.request_start(study, caller);
END
$$;

COMMENT ON FUNCTION mpc_internal.start_study(oid, text) IS 'implements mpc.start_study';

CREATE OR REPLACE FUNCTION mpc.start_study(study text) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.start_study(text) IS
'starts an approved study on all three nodes and returns the id of the attempt; joins the attempt that already runs. Acts at once, outside the transaction. Errors: 42704 unknown study or peer. 55000 the study is not approved here, released, withdrawn, rejected, expired or run by hand. 55000 the source, its data or the source key changed since the approval. 55000 a setting of this node is stricter than a rule of the spec. 55000 a peer, which is named, is not ready, cannot start the study, or has another version of the protocol. 42P01 the source was dropped. 42501, 42703, 42804 the role that approved can no longer read a column. MP005 the budget of the source is used up. 53400 too many attempts ended before the match. 54000 too many studies run, or no worker is free. 25001 approved in this transaction. MP003 a peer cannot be reached';

CREATE FUNCTION mpc_internal.wait_for_study(caller oid, study text, timeout interval) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  final text;
BEGIN
  IF study IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM mpc_internal.require_committed(study);
  final := mpc_internal.await_study(study, timeout);
  IF final IS NULL THEN
    SELECT s.state INTO final FROM mpc_internal.current_studies AS s WHERE s.study = wait_for_study.study;
  END IF;
  RETURN final;
END
$$;

COMMENT ON FUNCTION mpc_internal.wait_for_study(oid, text, interval) IS 'implements mpc.wait_for_study';

CREATE OR REPLACE FUNCTION mpc.wait_for_study(study text, timeout interval DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE FUNCTION mpc_internal.cancel_study(caller oid, study text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT mpc_internal.request_cancel(study, caller) $$;

COMMENT ON FUNCTION mpc_internal.cancel_study(oid, text) IS 'implements mpc.cancel_study';

CREATE OR REPLACE FUNCTION mpc.cancel_study(study text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE FUNCTION mpc_internal.run_study(caller oid, study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN QUERY SELECT * FROM mpc_internal.request_run(study, caller);
END
$$;

COMMENT ON FUNCTION mpc_internal.run_study(oid, text) IS 'implements mpc.run_study';

CREATE OR REPLACE FUNCTION mpc.run_study(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE FUNCTION mpc_internal.run_step(caller oid, study text, step_name text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF step_name = 'prepare' THEN
    PERFORM mpc_internal.require_committed(study);
  END IF;
  RETURN QUERY SELECT * FROM mpc_internal.request_step(study, step_name, caller);
END
$$;

COMMENT ON FUNCTION mpc_internal.run_step(oid, text, text) IS 'implements the functions of the steps, which are named like their step';

CREATE OR REPLACE FUNCTION mpc.prepare(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.agree_key(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.scramble(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.push(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.match(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.mask(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.unmask(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.share(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE OR REPLACE FUNCTION mpc.lasso(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';

CREATE FUNCTION mpc_internal.request_ping(
  peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text, OUT clock_ahead_ms float8)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_ping_peer';

COMMENT ON FUNCTION mpc_internal.request_ping(text) IS 'asks the coordinator to ping a peer; clock_ahead_ms: by how much its clock is ahead of this one, NULL when it does not say';

CREATE FUNCTION mpc_internal.ping_peer(caller oid, peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text)
RETURNS record
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT p.party, p.ok, p.round_trip_ms, p.cause FROM mpc_internal.request_ping($2) AS p $$;

COMMENT ON FUNCTION mpc_internal.ping_peer(oid, text) IS 'implements mpc.ping_peer';

CREATE OR REPLACE FUNCTION mpc.ping_peer(peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

GRANT EXECUTE ON FUNCTION mpc_internal.progress() TO mpc_reader, mpc_study, mpc_admin;

CREATE FUNCTION mpc_internal.attempt_rehearsed(study text, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
BEGIN
  UPDATE mpc_internal.studies AS s SET run_state = 'rehearsed', finished_at = clock_timestamp()
   WHERE s.study = attempt_rehearsed.study AND s.attempt = attempt_rehearsed.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.settle_use(study, attempt, 'ended');
  PERFORM mpc_internal.record_event(study, attempt, 'rehearsed', mpc_internal.own_party(), jsonb_build_object('version', number));
  PERFORM mpc_internal.send_head(study, number, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;

COMMENT ON FUNCTION mpc_internal.attempt_rehearsed(text, text) IS
'the rehearsal is over: charged to the budget like an attempt that ended after the match; the study may be started';

CREATE FUNCTION mpc_internal.request_rehearsal(study text, caller oid) RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_rehearse';

COMMENT ON FUNCTION mpc_internal.request_rehearsal(text, oid) IS
'rehearses a study in the name of a role and waits for its end: the number of matched records, and a NOTICE per finished step of this node';

CREATE FUNCTION mpc_internal.rehearse(caller oid, study text, OUT n_matched bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  n_matched := mpc_internal.request_rehearsal(study, caller);
END
$$;

COMMENT ON FUNCTION mpc_internal.rehearse(oid, text) IS 'implements mpc.rehearse';

CREATE FUNCTION mpc.rehearse(study text, OUT n_matched bigint) RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.rehearse(text) IS
'rehearses an approved study on all three nodes: sources are read, identifiers hashed under a joint key and matched at the third party; then it ends, state rehearsed, and the number of matched records is returned, which all three parties learn. No key pair, ciphertext or share is made, and the study can be started afterwards. It counts on the budget of both sources like an attempt that ended after the match: one model, and the numbers of one model. A match that a study would refuse is refused (MP005), without its number. Acts at once, outside the transaction; cancelling the query ends it. Errors: as mpc.start_study, and 55000 while the study runs';

GRANT EXECUTE ON FUNCTION mpc.rehearse(text) TO mpc_study;

CREATE FUNCTION mpc_internal.released_digits(value float8, grid float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN $1 = 0 OR $1 IN ('NaN', 'Infinity', '-Infinity') THEN $1
         ELSE round($1::numeric, least(8 - floor(log(abs($1))),
                                       CASE WHEN $2 > 0 THEN greatest(ceil(-log($2)) + 2, 0) END)::integer)::float8 END
$$;

COMMENT ON FUNCTION mpc_internal.released_digits(float8, float8) IS
'a released number with two decimal places more than its grid needs, and at most nine significant digits; without a grid, for models of 0.1, these nine';

CREATE OR REPLACE FUNCTION mpc_internal.store_result(study text, version integer, result jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO mpc_internal.fits (study, version, lambda, n, parameters, nonzero, iterations, converged, r_squared,
                                 adjusted_r_squared, rounds, bytes_sent, r_squared_grid)
  SELECT $1, $2, f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged, f.r_squared,
         f.adjusted_r_squared, f.rounds, f.bytes_sent, f.r_squared_grid
    FROM jsonb_to_recordset(coalesce($3 -> 'fits', '[]')) AS f (
           lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
           r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, r_squared_grid float8);
  INSERT INTO mpc_internal.coefficients (study, version, lambda, place, attribute, party, coefficient, selected, grid)
  SELECT $1, $2, c.lambda, row_number() OVER (PARTITION BY c.lambda ORDER BY c.ordinality), c.attribute,
         nullif(c.party, ''), c.coefficient, c.selected, c.grid
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'coefficients', '[]')) AS (
           lambda float8, attribute text, party text, coefficient float8, selected boolean, grid float8)) WITH ORDINALITY AS c;
  INSERT INTO mpc_internal.traffic (study, version, place, phase, rounds, elements, bytes_sent)
  SELECT $1, $2, t.ordinality, t.phase, t.rounds, t.elements, t.bytes_sent
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'traffic', '[]')) AS (
           phase text, rounds bigint, elements bigint, bytes_sent bigint)) WITH ORDINALITY AS t
$$;

CREATE FUNCTION mpc_internal.released_version(caller oid, study text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer;
  held mpc_internal.study_versions%ROWTYPE;
BEGIN
  PERFORM mpc_internal.require_reader(caller, study);
  SELECT max(f.version) INTO number FROM (SELECT DISTINCT r.version FROM mpc_internal.fits AS r WHERE r.study = released_version.study) AS f
   WHERE mpc_internal.reads(caller, study, f.version);
  IF number IS NOT NULL THEN
    RETURN number;
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.fits AS f WHERE f.study = released_version.study) THEN
    RAISE EXCEPTION USING ERRCODE = '42501',
      MESSAGE = format('role %s may not read the released version of study "%s"', mpc_internal.role_text(caller), study),
      DETAIL = format('Of its versions it may read %s.', array_to_string(mpc_internal.versions_of(caller, study), ', ')),
      HINT = format('Whoever reads the released version, or a member of mpc_admin, may call mpc.add_reader(%L, ''role'').', study);
  END IF;
  PERFORM mpc_internal.find_study(study);
  SELECT * INTO held FROM mpc_internal.study_versions AS s
   WHERE s.study = released_version.study AND mpc_internal.reads(caller, s.study, s.version) ORDER BY s.version DESC LIMIT 1;
  IF held.state = 'released' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node is no recipient of study "%s"', study),
      DETAIL = format('Its recipients are %s.', (SELECT string_agg(r, ', ') FROM
                      jsonb_array_elements_text(held.spec::jsonb -> 'recipients') AS r)),
      HINT = 'Read the result on the node of a recipient.';
  END IF;
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" has no result', study),
    DETAIL = format('Its state is %s.', held.state),
    HINT = CASE WHEN held.state IN ('proposed', 'approved', 'running', 'rehearsed') THEN 'Run it with mpc.run_study, or wait for it with mpc.wait_for_study.'
           WHEN held.state IN ('failed', 'cancelled') THEN 'View mpc.studies says why in last_error; mpc.run_study may run it again.'
           ELSE 'Propose it again: a new version needs new approvals.' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.released_version(oid, text) IS
'latest released version of a study among those that the role may read, also while a later one is proposed; errors 42704 unknown study, 42501 no reader of the released version, 55000 not released or not released to this node';

CREATE FUNCTION mpc_internal.coefficients(caller oid, study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT c.lambda, c.attribute, c.party, mpc_internal.released_digits(c.coefficient, c.grid), c.selected, c.version
                 FROM mpc_internal.coefficients AS c
                WHERE c.study = coefficients.study AND c.version = number ORDER BY c.lambda, c.place;
END
$$;

COMMENT ON FUNCTION mpc_internal.coefficients(oid, text) IS 'implements mpc.coefficients';

CREATE FUNCTION mpc.coefficients(study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.coefficients(text) IS
'coefficients of a released study in original units (outcome units per attribute unit), a row per lambda and attribute; the intercept has attribute "(intercept)" and no party. Numbers are shown with two decimal places more than the precision needs that they were released with, and with at most nine significant digits; mpc.predict uses them as they were released. version is that of the study. Of several released versions, here and in mpc.fit, mpc.transcript and mpc.predict, it is the latest that the caller may read; view mpc.models has them all. Errors: 42704 unknown study, 42501 no reader of a released version, 55000 not released';

CREATE FUNCTION mpc_internal.fit(caller oid, study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged,
                      mpc_internal.released_digits(f.r_squared, f.r_squared_grid),
                      mpc_internal.released_digits(f.adjusted_r_squared, f.r_squared_grid), f.rounds, f.bytes_sent, f.version
                 FROM mpc_internal.fits AS f
                WHERE f.study = fit.study AND f.version = number ORDER BY f.lambda;
END
$$;

COMMENT ON FUNCTION mpc_internal.fit(oid, text) IS 'implements mpc.fit';

CREATE FUNCTION mpc.fit(study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.fit(text) IS
'measures of fit of a released study, a row per lambda: n matched records, parameters with the intercept, R squared, and what the run took at this node; version is that of the study. Errors: as mpc.coefficients';

CREATE FUNCTION mpc_internal.transcript(caller oid, study text)
RETURNS TABLE (phase text, rounds bigint, elements bigint, bytes_sent bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT t.phase, t.rounds, t.elements, t.bytes_sent FROM mpc_internal.traffic AS t
                WHERE t.study = transcript.study AND t.version = number ORDER BY t.place;
END
$$;

COMMENT ON FUNCTION mpc_internal.transcript(oid, text) IS 'implements mpc.transcript';

CREATE OR REPLACE FUNCTION mpc.transcript(study text)
RETURNS TABLE (phase text, rounds bigint, elements bigint, bytes_sent bigint)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.transcript(text) IS
'what this node sent in steps 7 and 8 of a released study, by phase of the computation: rounds it took part in (phases share rounds, so their sum exceeds the rounds in mpc.fit), field elements without those inside comparison keys, bytes before encryption. Errors: as mpc.coefficients';

CREATE FUNCTION mpc_internal.predict(caller oid, study text, attributes jsonb, lambda float8) RETURNS float8
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer;
  chosen float8;
  term record;
  key text;
  used text[] := '{}';
  missing text[] := '{}';
  total float8 := 0;
BEGIN
  number := mpc_internal.released_version(caller, study);
  chosen := mpc_internal.one_lambda(study, number, lambda);
  IF attributes IS NULL THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(attributes) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'attributes are given as one JSON object',
      DETAIL = format('The JSON type given is %s.', jsonb_typeof(attributes)),
      HINT = 'For example ''{"age": 71, "sbp": 140}''.';
  END IF;
  FOR term IN SELECT c.attribute, c.party, c.coefficient, count(*) OVER (PARTITION BY c.attribute) > 1 AS shared
                FROM mpc_internal.coefficients AS c
               WHERE c.study = predict.study AND c.version = number AND c.lambda = chosen ORDER BY c.place LOOP
    IF term.party IS NULL THEN
      total := total + term.coefficient;
      CONTINUE;
    END IF;
    key := format('%s.%s', term.party, term.attribute);
    IF NOT term.shared AND NOT attributes ? key THEN
      key := term.attribute;
    END IF;
    used := used || key;
    IF coalesce(attributes -> key, 'null') = 'null' THEN
      missing := missing || key;
    ELSE
      total := total + term.coefficient * mpc_internal.predictor_value(study, key, attributes -> key);
    END IF;
  END LOOP;
  IF cardinality(missing) > 0 THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('attributes without a value: %s', array_to_string(missing, ', ')),
      DETAIL = format('The model of study "%s" needs a value for each of its attributes.', study),
      HINT = 'Add them to the JSON object.';
  END IF;
  IF attributes - used <> '{}' THEN
    RAISE EXCEPTION USING ERRCODE = '22023',
      MESSAGE = format('attributes that the model does not have: %s', (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(attributes - used) AS k)),
      DETAIL = format('The attributes of study "%s" are %s.', study, array_to_string(used, ', ')),
      HINT = 'Leave them out of the JSON object: - removes a key.';
  END IF;
  RETURN total;
END
$$;

COMMENT ON FUNCTION mpc_internal.predict(oid, text, jsonb, float8) IS 'implements mpc.predict';

CREATE OR REPLACE FUNCTION mpc.predict(study text, attributes jsonb, lambda float8 DEFAULT NULL) RETURNS float8
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

CREATE OR REPLACE VIEW mpc.studies WITH (security_barrier) AS
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
'decision of each party on each version (approved, rejected, withdrawn, or void: approved before the data of another party changed) and until when an approval holds; source and decided_by are known for this node only. data_number: which version of its data a controller brings (1 as in earlier studies), two_valued: its columns with at most two values, commitment: what its approval commits to. decided_at: when the party decided, by its own clock; received_at: when this node received it, NULL for its own decisions';

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
'life cycle of every study: who did what when, as the ledger has it; role is the role of this node that drafted, proposed, decided, or asked for a start or a cancellation, NULL for other parties; id is the entry of the ledger';

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
       m.attribute, m.party, m.coefficient
  FROM mpc_internal.fits AS f,
       LATERAL (SELECT array_agg(c.attribute ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS attribute,
                       array_agg(c.party ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS party,
                       array_agg(d.coefficient ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS coefficient,
                       min(d.coefficient) FILTER (WHERE c.party IS NULL) AS intercept
                  FROM mpc_internal.coefficients AS c, LATERAL (SELECT mpc_internal.released_digits(c.coefficient, c.grid)) AS d (coefficient)
                 WHERE c.study = f.study AND c.version = f.version AND c.lambda = f.lambda) AS m
 WHERE mpc_internal.reads_every_result() OR (f.study, f.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r);

COMMENT ON VIEW mpc.models IS
'a row per released model: attribute, party and coefficient are arrays in the same order, the intercept stands apart. Numbers are shown as in mpc.coefficients';

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
'running engines of this node and how far they are; total is 0 where it is unknown or not this node''s to know; rounds = messages exchanged in steps 7 and 8 and how many a study of this kind typically takes; seconds = time in this phase; awaited = the peer whose message is awaited, if that takes noticeably long';

CREATE FUNCTION mpc_internal.pending(caller oid, study text)
RETURNS TABLE (party text, missing text, since timestamptz, last_reached timestamptz, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held mpc_internal.current_studies%ROWTYPE := mpc_internal.find_study(study);
BEGIN
  IF held.state IN ('running', 'released') THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT m.party,
         CASE WHEN a.decision = 'approved' THEN 'its approval has expired'
              WHEN a.decision = 'void' THEN 'has to approve again'
              WHEN a.decision = 'rejected' THEN 'has rejected it'
              WHEN a.decision = 'withdrawn' THEN 'has withdrawn its approval'
              WHEN EXISTS (SELECT FROM mpc_internal.outbox AS o
                            WHERE o.party = m.party AND o.message ->> 'type' = 'propose' AND o.message ->> 'study' = held.study)
              THEN 'has not received the proposal'
              ELSE 'has not decided' END,
         CASE WHEN a.decision = 'approved' THEN a.expires_at ELSE coalesce(a.decided_at, held.proposed_at) END,
         p.last_seen, a.reason
    FROM unnest(held.parties) WITH ORDINALITY AS m (party, place)
    LEFT JOIN mpc_internal.approvals AS a
      ON a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = m.party
    LEFT JOIN mpc_internal.peers AS p ON p.party = m.party
   WHERE a.decision IS DISTINCT FROM 'approved' OR a.expires_at <= now()
   ORDER BY m.place;
END
$$;

COMMENT ON FUNCTION mpc_internal.pending(oid, text) IS 'implements mpc.pending';

CREATE FUNCTION mpc.pending(study text)
RETURNS TABLE (party text, missing text, since timestamptz, last_reached timestamptz, reason text)
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.pending(text) IS
'what the latest version of a study waits for, as far as this node knows: a row per party whose approval is missing, with what is missing, since when, when that party last answered or called (NULL for this node), and the reason that it gave. No row for a study that runs, was released, or has all approvals. Error 42704 unknown study';

CREATE FUNCTION mpc_internal.explain_spec(spec text, party text, own_records bigint)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_explain_spec';

COMMENT ON FUNCTION mpc_internal.explain_spec(text, text, bigint) IS
'mpc.explain_study for a spec, seen from a controller whose source has this many complete records';

CREATE FUNCTION mpc_internal.approved_records(study text, spec text) RETURNS bigint
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT a.source_records FROM mpc_internal.current_studies AS s
    JOIN mpc_internal.approvals AS a ON a.study = s.study AND a.version = s.version AND a.digest = s.digest
   WHERE s.study = $1 AND s.spec = $2 AND a.party = mpc_internal.own_party() AND a.decision = 'approved'
$$;

COMMENT ON FUNCTION mpc_internal.approved_records(text, text) IS
'complete records of the source that this node approved for the spec; NULL when it has not, is the third party, or approved under a version that did not count';

CREATE FUNCTION mpc_internal.spec_to_explain(caller oid, study text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_has_role(caller, 'mpc_study', 'USAGE') OR pg_has_role(caller, 'mpc_admin', 'USAGE') THEN
    RETURN mpc_internal.spec_to_read(study);
  END IF;
  -- No draft, and no version of somebody else.
  PERFORM mpc_internal.require_reader(caller, study);
  RETURN (SELECT s.spec FROM mpc_internal.studies AS s
           WHERE s.study = spec_to_explain.study AND mpc_internal.reads(caller, s.study, s.version) ORDER BY s.version DESC LIMIT 1);
END
$$;

COMMENT ON FUNCTION mpc_internal.spec_to_explain(oid, text) IS
'the spec of a study that a role may look at: of the open study, the draft or the latest version, for a reader of some versions the latest of them; errors 42704 unknown study, 42501 no reader of it';

CREATE FUNCTION mpc_internal.explain_study(caller oid, study text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  spec text := mpc_internal.spec_to_explain(caller, study);
  own_records bigint := mpc_internal.approved_records(study, spec);
BEGIN
  IF own_records IS NULL THEN
    RETURN QUERY SELECT * FROM mpc_internal.explain_spec(spec, mpc_internal.own_party());
  ELSE
    RETURN QUERY SELECT * FROM mpc_internal.explain_spec(spec, mpc_internal.own_party(), own_records);
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.explain_study(oid, text) IS 'implements mpc.explain_study';

CREATE OR REPLACE FUNCTION mpc.explain_study(study text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.explain_study(text) IS
'what a study does, before it is approved: per step who sends what to whom, who learns what, and what is destroyed; records, bytes and seconds are estimates from expected_records of the spec, NULL without it. Once this node, a controller, has approved, those of its own rows follow from the complete records of the source that it bound: they are seen at this node only. Rows of step 0 state what holds for the whole study: disclosure rules, what becomes public, statistical distance, trust, and what the estimates come from. A role that may read some versions only sees the latest of them. Errors: 42704 unknown study, 42501 no reader of it';

CREATE FUNCTION mpc_internal.explain_study(caller oid, study text, source regclass, identifier text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held record := mpc_internal.study_for_check(study);
  keys text[];
  own_records bigint;
BEGIN
  PERFORM mpc_internal.require_source(source, caller);
  keys := mpc_internal.identifier_columns(held.spec, source, identifier);
  PERFORM mpc_internal.require_binding(held.spec, held.party, source, keys, caller);
  own_records := mpc_internal.source_profile(held.spec::text, held.party, source, keys,
                                             mpc_internal.columns_of(held.spec, held.party))::jsonb ->> 'kept';
  RETURN QUERY SELECT * FROM mpc_internal.explain_spec(held.spec::text, held.party, own_records);
END
$$;

COMMENT ON FUNCTION mpc_internal.explain_study(oid, text, regclass, text) IS 'implements mpc.explain_study with a source, as the caller';

CREATE FUNCTION mpc.explain_study(study text, source regclass, identifier text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_source_entry';

COMMENT ON FUNCTION mpc.explain_study(text, regclass, text) IS
'mpc.explain_study for a controller that has not approved yet: its own rows follow from the complete records of this table or view, which is counted now, as the caller. Nothing is stored and nothing leaves the node. Errors: 42704 unknown study, 22023 the third party brings no source, 22004, 42P01, 42809, 42501, 42703, 42804 as mpc.approve_study';

CREATE FUNCTION mpc_internal.explain_spec_text(spec text) RETURNS TABLE (party text, text text)
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_explain_spec_text';

COMMENT ON FUNCTION mpc_internal.explain_spec_text(text) IS
'mpc.explain_text for a canonical spec: a text per party, controllers first; the same at every node';

CREATE FUNCTION mpc_internal.explain_text(caller oid, study text) RETURNS TABLE (party text, text text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  spec text := mpc_internal.spec_to_explain(caller, study);
BEGIN
  RETURN QUERY
  SELECT e.party, format(E'Study "%s"\nDigest %s\n\n%s', study, mpc_internal.study_digest(study, spec), e.text)
    FROM mpc_internal.explain_spec_text(spec) WITH ORDINALITY AS e (party, text, place)
   ORDER BY e.party <> mpc_internal.own_party(), e.place;
END
$$;

COMMENT ON FUNCTION mpc_internal.explain_text(oid, text) IS 'implements mpc.explain_text';

CREATE FUNCTION mpc.explain_text(study text) RETURNS TABLE (party text, text text)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.explain_text(text) IS
'mpc.explain_study in sentences, a text per party, for the person who has to sign; this node''s party comes first. It names the digest, what each party brings, who sends what to whom in which step, what each party learns, what is released, what is destroyed and when, the status of the data, the disclosure rules and what has to be trusted. It follows from the spec alone and is the same at every node. In psql \g (format=unaligned tuples_only) prints it plainly. Errors: as mpc.explain_study';

CREATE FUNCTION mpc_internal.standby_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_is_in_recovery() THEN
    status := 'warning';
    detail := 'this server is a standby: results, models and the ledger can be read, nothing else works here';
    hint := 'Work on the primary. After a promotion controllers approve their open studies again: the source key is new.';
  ELSE
    status := 'ok';
    detail := 'this server is no standby';
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.standby_check() IS 'row "standby" of mpc.node_status';

CREATE FUNCTION mpc_internal.encoding_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  encoding text := current_setting('server_encoding');
BEGIN
  status := CASE encoding WHEN 'SQL_ASCII' THEN 'warning' ELSE 'ok' END;
  detail := format('the encoding of this database is %s', encoding);
  hint := CASE encoding WHEN 'SQL_ASCII'
               THEN 'Nothing says what bytes beyond ASCII mean: identifiers that have them are refused, texts of peers show question marks. Use a database in UTF8.' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.encoding_check() IS 'row "encoding" of mpc.node_status';

CREATE FUNCTION mpc_internal.read_only_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  read_only boolean := (SELECT s.reset_val = 'on' FROM pg_settings AS s WHERE s.name = 'default_transaction_read_only');
BEGIN
  status := 'ok';
  detail := CASE WHEN read_only THEN 'default_transaction_read_only is on: the workers of pg_mpc write all the same, transactions of sessions do not'
            ELSE 'transactions can write' END;
  hint := CASE WHEN read_only THEN 'Who proposes, approves or rejects sets default_transaction_read_only = off in the session.' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.read_only_check() IS
'row "read-only" of mpc.node_status: a note only, as what the coordinator writes does not depend on the setting';

CREATE FUNCTION mpc_internal.workers_say() RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.coordinator_status();
EXCEPTION WHEN OTHERS THEN
  IF SQLSTATE LIKE '57%' THEN
    RAISE;
  END IF;
  RETURN jsonb_build_object('unavailable', SQLERRM);
END
$$;

COMMENT ON FUNCTION mpc_internal.workers_say() IS
'coordinator_status, or an object whose only key, unavailable, says why the coordinator does not answer';

CREATE OR REPLACE FUNCTION mpc_internal.certificate_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own record := mpc_internal.own_certificate();
  workers jsonb := CASE WHEN NOT pg_is_in_recovery() THEN mpc_internal.workers_say() -> 'problem' END;
  days integer := floor(extract(epoch FROM own.not_after - now()) / 86400);
BEGIN
  status := 'problem';
  IF own.problem IS NOT NULL THEN
    detail := own.problem;
    hint := own.hint;
  ELSIF workers IS NOT NULL THEN
    -- This session could read the files, the coordinator could not when it last tried.
    detail := concat_ws(': ', workers ->> 'message', nullif(workers ->> 'detail', ''));
    hint := 'Listener and coordinator try again every two seconds. If this stays, look at the files named and at the server log.';
  ELSIF own.not_before > now() OR days < 0 THEN
    detail := format('valid from %s until %s', own.not_before, own.not_after);
    hint := 'Install a certificate that is valid now, reload the configuration, and give it to all peers (mpc.alter_peer).';
  ELSE
    status := CASE WHEN days < 30 THEN 'problem' WHEN own.weakness IS NOT NULL THEN 'warning' ELSE 'ok' END;
    detail := format('fingerprint %s, %s days to expiry on %s', own.fingerprint, days, own.not_after)
              || coalesce('; weak: ' || own.weakness, '');
    hint := CASE WHEN days < 30 THEN 'Renew it in time: all peers have to know the new certificate (mpc.alter_peer).'
                 WHEN own.weakness IS NOT NULL THEN 'Peers whose TLS library has stricter rules refuse it: make another one (docs/operations.md, certificates).' END;
  END IF;
END
$$;

CREATE FUNCTION mpc_internal.version_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  library text := mpc_internal.library_version();
  installed text := (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'pg_mpc');
BEGIN
  status := CASE installed WHEN library THEN 'ok' ELSE 'problem' END;
  detail := CASE installed WHEN library THEN format('library and extension have version %s', library)
            ELSE format('the library that the server has loaded has version %s, the extension in this database version %s', library, installed) END;
  hint := CASE WHEN installed <> library
               THEN 'Run ALTER EXTENSION pg_mpc UPDATE; if the library is the older one, install the new package and restart the server first.' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.version_check() IS 'row "version" of mpc.node_status';

CREATE OR REPLACE FUNCTION mpc_internal.workers_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  answer jsonb := mpc_internal.workers_say();
  addresses text := (SELECT string_agg(a.problem, '; ') FROM jsonb_array_elements_text(answer -> 'address_problems') AS a (problem));
BEGIN
  IF answer ? 'unavailable' THEN
    status := 'problem';
    detail := answer ->> 'unavailable';
    hint := 'The server log says why the background workers of pg_mpc do not run.';
  ELSIF NOT (answer ->> 'listener')::boolean THEN
    status := 'problem';
    detail := 'the coordinator is running, the listener is not';
    hint := 'The server log says why: most often the port is taken or the certificate cannot be read.';
  ELSIF addresses IS NOT NULL THEN
    status := 'warning';
    detail := format('listener and coordinator are running, but not all addresses work: %s', addresses);
    hint := 'Correct pg_mpc.listen_addresses, or what keeps the node from that address, and restart the server.';
  ELSE
    status := 'ok';
    detail := 'listener and coordinator are running';
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.slots_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  slots integer := current_setting('max_worker_processes')::integer;
  -- The listener has no entry in pg_stat_activity.
  used integer := 1 + (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type NOT IN (
    'client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'startup',
    'walwriter', 'walsender', 'walreceiver', 'archiver', 'slotsync worker', 'walsummarizer', 'io worker', 'standalone backend'));
BEGIN
  status := CASE WHEN used < slots THEN 'ok' ELSE 'problem' END;
  detail := format('%s of max_worker_processes %s in use', used, slots);
  hint := CASE WHEN used >= slots THEN 'Raise max_worker_processes and restart the server: every running study needs one, beside two of pg_mpc and one of PostgreSQL itself.' END;
END
$$;

CREATE OR REPLACE FUNCTION mpc_internal.peer_check(peer mpc_internal.peers, OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  answer record;
  weakness text := (mpc_internal.certificate_details(peer.certificate)).weakness;
  renew boolean := coalesce(peer.next_not_after, peer.not_after) < now() + interval '30 days';
  clock text;
BEGIN
  SELECT * INTO answer FROM mpc_internal.request_ping(peer.party);
  IF abs(answer.clock_ahead_ms) > 60000 THEN
    clock := format('its clock is %s s %s', round(abs(answer.clock_ahead_ms) / 1000),
                    CASE WHEN answer.clock_ahead_ms > 0 THEN 'ahead of this one' ELSE 'behind this one' END);
  END IF;
  status := CASE WHEN NOT answer.ok OR renew THEN 'problem' WHEN weakness IS NOT NULL OR clock IS NOT NULL THEN 'warning' ELSE 'ok' END;
  detail := CASE WHEN answer.ok THEN format('answers at %s; its certificate expires on %s', peer.url, peer.not_after)
            ELSE answer.cause END || coalesce('; its certificate is weak: ' || weakness, '') || coalesce('; ' || clock, '');
  hint := CASE WHEN answer.cause LIKE 'this node''s own certificate is not loaded%' THEN 'Row "certificate" says what to do.'
               WHEN answer.ok AND renew THEN 'Ask the peer for its next certificate: mpc.alter_peer(..., next_certificate => ...) accepts both.'
               WHEN clock IS NOT NULL THEN 'Both servers need the right time (NTP): certificates, approvals and ledger entries have dates.'
               WHEN answer.ok AND weakness IS NOT NULL THEN 'Ask the peer for another certificate (docs/operations.md, certificates).'
               WHEN NOT answer.ok THEN 'Both nodes need each other''s certificate and url; mpc.node_status() on the peer''s node shows its side.' END;
END
$$;

CREATE FUNCTION mpc_internal.messages_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- A peer that is down for a night, or locked for a moment, is no problem of this node.
  stuck boolean := EXISTS (SELECT FROM mpc_internal.outbox AS o
                            WHERE o.queued_at < clock_timestamp() - interval '1 day' OR o.refused_at < clock_timestamp() - interval '1 hour');
BEGIN
  status := CASE WHEN stuck THEN 'problem' ELSE 'ok' END;
  SELECT coalesce(string_agg(format('%s for %s since %s%s', w.messages, w.party, w.since, w.refused), '; ' ORDER BY w.party), 'no message waits for a peer')
    INTO detail
    FROM (SELECT o.party, count(*) AS messages, date_trunc('second', min(o.queued_at)) AS since,
                 CASE WHEN count(o.refused_at) > 0
                 THEN format(', %s refused (%s)', count(o.refused_at), string_agg(DISTINCT o.error ->> 'sqlstate', ', ')) END AS refused
            FROM mpc_internal.outbox AS o GROUP BY o.party) AS w;
  hint := CASE WHEN stuck THEN 'Messages to peers wait: mpc.node_status() on the node of the peer, and the rows of the peers here, say why. They are tried again by themselves.' END;
END
$$;

COMMENT ON FUNCTION mpc_internal.messages_check() IS
'row "messages" of mpc.node_status: a problem when a message has waited for a day, or was refused for an hour';

CREATE FUNCTION mpc_internal.node_status(caller oid) RETURNS TABLE ("check" text, status text, detail text, hint text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  peer mpc_internal.peers%ROWTYPE;
BEGIN
  IF NOT mpc_internal.preloaded() THEN
    RETURN QUERY SELECT 'preload', 'problem', 'pg_mpc is not preloaded',
      'Add pg_mpc to the line shared_preload_libraries = ''pg_mpc'' of postgresql.conf and restart the server; the last assignment in the file wins.';
    RETURN;
  END IF;
  RETURN QUERY SELECT 'preload', 'ok', 'the server loaded pg_mpc at its start', NULL;
  RETURN QUERY SELECT 'version', v.* FROM mpc_internal.version_check() AS v;
  RETURN QUERY SELECT 'party', CASE WHEN p IS NULL THEN 'problem' ELSE 'ok' END, coalesce(p, 'pg_mpc.party is not set'),
      CASE WHEN p IS NULL THEN 'Set pg_mpc.party = ''name'' in postgresql.conf and restart the server.' END
    FROM mpc_internal.configured_party() AS p;
  RETURN QUERY SELECT 'database', CASE WHEN d = current_database() THEN 'ok' ELSE 'problem' END,
      format('pg_mpc.database is %s', d),
      CASE WHEN d <> current_database() THEN 'Studies live in that database: connect there, or change the setting and restart the server.' END
    FROM mpc_internal.configured_database() AS d;
  RETURN QUERY SELECT 'certificate', c.* FROM mpc_internal.certificate_check() AS c;
  RETURN QUERY SELECT 'standby', s.* FROM mpc_internal.standby_check() AS s;
  RETURN QUERY SELECT 'encoding', e.* FROM mpc_internal.encoding_check() AS e;
  IF pg_is_in_recovery() THEN
    RETURN;  -- neither workers nor messages
  END IF;
  RETURN QUERY SELECT 'read-only', r.* FROM mpc_internal.read_only_check() AS r;
  RETURN QUERY SELECT 'workers', w.* FROM mpc_internal.workers_check() AS w;
  RETURN QUERY SELECT 'worker slots', s.* FROM mpc_internal.slots_check() AS s;
  RETURN QUERY SELECT 'messages', m.* FROM mpc_internal.messages_check() AS m;
  IF (mpc_internal.workers_check()).status <> 'problem' THEN
    FOR peer IN SELECT * FROM mpc_internal.peers AS p ORDER BY p.party LOOP
      RETURN QUERY SELECT format('peer %s', peer.party), c.* FROM mpc_internal.peer_check(peer) AS c;
    END LOOP;
  END IF;
END
$$;

COMMENT ON FUNCTION mpc_internal.node_status(oid) IS 'implements mpc.node_status';

CREATE OR REPLACE FUNCTION mpc.node_status() RETURNS TABLE ("check" text, status text, detail text, hint text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';

COMMENT ON FUNCTION mpc.node_status() IS
'checks this node from the preloading to its peers, a row per check: status ok, warning (it works, but look at it) or problem, detail with the cause, hint with what to do';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mpc FROM PUBLIC;

REVOKE ALL ON ALL PROCEDURES IN SCHEMA mpc FROM PUBLIC;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mpc_internal FROM PUBLIC;

GRANT EXECUTE ON FUNCTION mpc.forget_records(text) TO mpc_admin;

GRANT EXECUTE ON FUNCTION mpc.draft_study(text, jsonb), mpc.propose_study(text, jsonb), mpc.approve_study(text, text, regclass, text),
  mpc.reject_study(text, text), mpc.withdraw_approval(text), mpc.check_source(text, regclass, text),
  mpc.explain_study(text, regclass, text) TO mpc_study;

GRANT EXECUTE ON FUNCTION mpc.explain_study(text), mpc.explain_text(text) TO mpc_study, mpc_reader, mpc_admin;

GRANT EXECUTE ON FUNCTION mpc.keep_records(text, regclass, text) TO mpc_study;

GRANT EXECUTE ON FUNCTION mpc.pending(text) TO mpc_study, mpc_admin;

GRANT EXECUTE ON FUNCTION mpc.add_reader(text, text), mpc.remove_reader(text, text) TO mpc_study, mpc_admin;

GRANT EXECUTE ON FUNCTION mpc_internal.study_for_check(text), mpc_internal.role_text(oid), mpc_internal.columns_of(jsonb, text),
  mpc_internal.column_problem(oid, text, oid), mpc_internal.identifier_columns(jsonb, oid, text),
  mpc_internal.require_source(oid, oid), mpc_internal.require_binding(jsonb, text, oid, text[], oid),
  mpc_internal.source_profile(text, text, oid, text[], text[]), mpc_internal.base_type(oid, text),
  mpc_internal.form_of(jsonb, integer), mpc_internal.part_problem(jsonb, text), mpc_internal.rows_problem(jsonb),
  mpc_internal.identifier_row(jsonb, text), mpc_internal.source_rows(jsonb, text, oid, text[], oid, jsonb),
  mpc_internal.explain_spec(text, text, bigint) TO mpc_study;

GRANT EXECUTE ON FUNCTION mpc.coefficients(text), mpc.fit(text), mpc.transcript(text), mpc.predict(text, jsonb, float8)
  TO mpc_reader, mpc_study, mpc_admin;

GRANT SELECT ON mpc.models TO mpc_reader, mpc_study, mpc_admin;

GRANT SELECT ON mpc.studies, mpc.approvals, mpc.study_history, mpc.steps, mpc.ledger, mpc.source_uses,
  mpc.stat_study_progress TO mpc_reader, mpc_study, mpc_admin;

GRANT EXECUTE ON FUNCTION mpc_internal.sees_every_study(), mpc_internal.reads_every_result(),
  mpc_internal.released_digits(float8, float8),
  mpc_internal.budget_of(oid[], text[], text) TO mpc_reader, mpc_study, mpc_admin;

GRANT SELECT ON mpc.parties TO mpc_reader, mpc_study, mpc_admin;


-- Whoever could read a study before may read it now, in the versions that there are: all members of mpc_reader, and the
-- roles that decided on it or ran it.
INSERT INTO mpc_internal.readers (study, version, role, role_name, reason)
SELECT DISTINCT s.study, v.version, r.oid, r.rolname, 'upgraded'
  FROM mpc_internal.studies AS s CROSS JOIN LATERAL (VALUES (0), (s.version)) AS v (version) CROSS JOIN pg_catalog.pg_roles AS r
 WHERE r.rolname OPERATOR(pg_catalog.=) 'mpc_reader'
    OR r.oid OPERATOR(pg_catalog.=) ANY (SELECT a.approver FROM mpc_internal.approvals AS a WHERE a.study OPERATOR(pg_catalog.=) s.study)
    OR EXISTS (SELECT FROM mpc_internal.ledger AS l
                WHERE l.study OPERATOR(pg_catalog.=) s.study AND l.event OPERATOR(pg_catalog.=) ANY ('{proposed,approved,asked}')
                  AND l.detail OPERATOR(pg_catalog.->>) 'by' OPERATOR(pg_catalog.=) pg_catalog.quote_ident(r.rolname));

