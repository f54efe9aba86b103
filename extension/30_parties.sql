-- Keeps the parties that this node knows, each with its URL and its certificate, or two while it is being changed.
--
-- Terms
-- A party is a name in studies. A peer is another party that has been added at this node. The fingerprint, the identity
-- of a peer, is the SHA-256 of the DER form of its certificate, in hexadecimal digits.
--
-- Invariants
-- Every write goes through the functions below. Each of them wakes the coordinator at COMMIT.

-- private functions

CREATE FUNCTION mpc_internal.preloaded() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_preloaded';
COMMENT ON FUNCTION mpc_internal.preloaded() IS
'true when the server loaded pg_mpc at its start (shared_preload_libraries)';

CREATE FUNCTION mpc_internal.library_version() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_library_version';
COMMENT ON FUNCTION mpc_internal.library_version() IS 'version of pg_mpc.so as the server has loaded it';

CREATE FUNCTION mpc_internal.wait_briefly(milliseconds integer) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_wait_briefly';
COMMENT ON FUNCTION mpc_internal.wait_briefly(integer) IS
'waits on the process latch, at most 1000 ms, and honours cancel requests';

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

CREATE FUNCTION mpc_internal.require_preload() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT mpc_internal.preloaded() THEN
    RAISE EXCEPTION USING ERRCODE = '55000',
      MESSAGE = 'pg_mpc is not preloaded',
      DETAIL = 'Studies need the background workers of pg_mpc, which start with the server.',
      HINT = 'Add pg_mpc to the line shared_preload_libraries = ''pg_mpc'' of postgresql.conf and restart the server; the last assignment in the file wins.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_preload() IS 'error 55000 with the configuration line unless pg_mpc is preloaded';

CREATE FUNCTION mpc_internal.configured_party() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_configured_party';
COMMENT ON FUNCTION mpc_internal.configured_party() IS 'pg_mpc.party, NULL when empty or not preloaded';

CREATE FUNCTION mpc_internal.configured_database() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_configured_database';
COMMENT ON FUNCTION mpc_internal.configured_database() IS 'pg_mpc.database';

CREATE FUNCTION mpc_internal.own_party() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.configured_party();
BEGIN
  PERFORM mpc_internal.require_preload();
  IF own IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'F0000',
      MESSAGE = 'this node has no party name',
      DETAIL = 'pg_mpc.party is empty.',
      HINT = 'Set pg_mpc.party = ''name'' in postgresql.conf and restart the server.';
  END IF;
  IF current_database() <> mpc_internal.configured_database() THEN
    RAISE EXCEPTION USING ERRCODE = '55000',
      MESSAGE = format('studies of this server are in database "%s"', mpc_internal.configured_database()),
      DETAIL = format('This session is connected to database "%s".', current_database()),
      HINT = 'Connect there, or change pg_mpc.database and restart the server.';
  END IF;
  RETURN own;
END
$$;
COMMENT ON FUNCTION mpc_internal.own_party() IS
'name of this node''s party; error with the line to configure when this session cannot work with studies';

CREATE FUNCTION mpc_internal.valid_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT name OPERATOR(pg_catalog.~) '\A[a-z][a-z0-9_]{0,62}\Z' $$;
COMMENT ON FUNCTION mpc_internal.valid_name(text) IS 'names of parties, studies and attributes: [a-z][a-z0-9_]{0,62}';

CREATE FUNCTION mpc_internal.valid_column(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT mpc_internal.valid_name(split_part($1, ':', 1)) AND (position(':' in $1) = 0 OR $1 ~ '\A[^:]+:[ -~]{1,63}\Z') $$;
COMMENT ON FUNCTION mpc_internal.valid_column(text) IS 'names of columns: that of an attribute or outcome, or "attribute:level"';

-- tables

CREATE TABLE mpc_internal.peers (
  party text PRIMARY KEY CHECK (mpc_internal.valid_name(party)),
  url text NOT NULL,
  certificate text NOT NULL,
  fingerprint text NOT NULL UNIQUE,
  not_after timestamptz NOT NULL,
  next_certificate text,
  next_fingerprint text UNIQUE,
  next_not_after timestamptz,
  added_at timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz
);
COMMENT ON TABLE mpc_internal.peers IS
'peers of this node; a certificate identifies exactly one peer; next_certificate is accepted too while the peer changes to it';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.peers', '');

-- checks shared by add_peer and alter_peer

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
COMMENT ON FUNCTION mpc_internal.peer_url(text) IS 'url of a peer with its port, by default 7443; error 22023 unless it is https://host[:port]';

CREATE FUNCTION mpc_internal.check_peer_certificate(
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
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate belongs to this node',
      DETAIL = format('Its fingerprint is %s.', parsed.fingerprint),
      HINT = 'Ask the peer for its own certificate: mpc.node_status() on its node names the file.';
  END IF;
  SELECT p.party INTO holder FROM mpc_internal.peers AS p
   WHERE parsed.fingerprint IN (p.fingerprint, p.next_fingerprint) AND p.party <> check_peer_certificate.party;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42710',
      MESSAGE = format('certificate already belongs to peer "%s"', holder),
      DETAIL = format('Its fingerprint is %s; a certificate identifies one peer.', parsed.fingerprint),
      HINT = 'Ask the peer for its own certificate, or remove the peer that holds this one with mpc.remove_peer.';
  END IF;
  fingerprint := parsed.fingerprint;
  not_after := parsed.not_after;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_peer_certificate(text, text) IS
'fingerprint and expiry of a peer''s certificate; errors for one that is expired, unusable, this node''s own or another peer''s';

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
      DETAIL = format('This node counts by the name of a party: versions of data, released numbers, columns, persons and early attempts start at zero for "%s".', party),
      HINT = format('If they are one party, remove this peer and add it as "%s".', former);
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_former_parties(text, text) IS
'a NOTICE for every other party, also a removed one, that had this certificate according to the ledger: the counts of a renamed peer start at zero';

-- public functions

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

CREATE FUNCTION mpc.add_peer(party text, url text, certificate text) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.add_peer(text, text, text) IS
'makes another party known to this node: name, https url of its listener (default port 7443), PEM text of its certificate. Returns the fingerprint (hex SHA-256): compare it with the mpc.node_status() of the peer over another channel. A NOTICE names every other party that had this certificate here before: counts by party name start at zero. Errors: 22023 name, url or certificate not usable; 42710 already known; 54000 more than pg_mpc.max_peers';

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
    -- The change is complete: from now on only the certificates of this call are accepted.
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

CREATE FUNCTION mpc.alter_peer(
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

CREATE FUNCTION mpc.remove_peer(party text) RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.remove_peer(text) IS
'removes a peer; its messages are refused from then on. Errors: 42704 unknown peer, 55006 an unfinished study needs it';

-- for the coordinator

CREATE FUNCTION mpc_internal.peer(party text) RETURNS mpc_internal.peers
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
COMMENT ON FUNCTION mpc_internal.peer(text) IS 'row of a peer; error 42704 when unknown';

CREATE FUNCTION mpc_internal.peer_list(
  OUT party text, OUT role text, OUT url text, OUT certificate text, OUT fingerprint text,
  OUT next_fingerprint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY SELECT p.party, v.role, p.url, p.certificate, p.fingerprint, p.next_fingerprint
    FROM mpc_internal.peers AS p JOIN mpc.parties AS v USING (party) ORDER BY p.party;
END
$$;
COMMENT ON FUNCTION mpc_internal.peer_list() IS 'all peers with the certificates to which TLS is pinned';

CREATE FUNCTION mpc_internal.peer_seen(party text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE mpc_internal.peers AS p SET last_seen = now()
   WHERE p.party = (SELECT q.party FROM mpc_internal.peers AS q
                     WHERE q.party = peer_seen.party
                       AND (q.last_seen IS NULL OR q.last_seen < now() - interval '1 second')
                       FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION mpc_internal.peer_seen(text) IS
'records that a peer has just answered or called; never waits for a session that has locked the row';
