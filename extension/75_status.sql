-- Implements mpc.node_status.

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

CREATE FUNCTION mpc_internal.certificate_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
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
    -- This session can read the files, but the coordinator could not at its last attempt.
    detail := concat_ws(': ', workers ->> 'message', nullif(workers ->> 'detail', ''));
    hint := 'Listener and coordinator try again every two seconds. If this persists, check the files named and the server log.';
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
COMMENT ON FUNCTION mpc_internal.certificate_check() IS 'row "certificate" of mpc.node_status';

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

CREATE FUNCTION mpc_internal.workers_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
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
    hint := 'Correct pg_mpc.listen_addresses or the network configuration of the server, then restart it.';
  ELSE
    status := 'ok';
    detail := 'listener and coordinator are running';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.workers_check() IS 'row "workers" of mpc.node_status';

CREATE FUNCTION mpc_internal.slots_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
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
  hint := CASE WHEN used >= slots THEN 'Raise max_worker_processes and restart the server: every running study needs one, besides two of pg_mpc and one of PostgreSQL itself.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.slots_check() IS 'row "worker slots" of mpc.node_status';

CREATE FUNCTION mpc_internal.peer_check(peer mpc_internal.peers, OUT status text, OUT detail text, OUT hint text) RETURNS record
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
COMMENT ON FUNCTION mpc_internal.peer_check(mpc_internal.peers) IS 'row of a peer in mpc.node_status';

CREATE FUNCTION mpc_internal.messages_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- A peer that is down for a night, or locked for a moment, is not a problem of this node.
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
  hint := CASE WHEN stuck THEN 'Messages to peers wait: mpc.node_status() on the node of the peer and the rows of the peers here say why. The node keeps trying to send them.' END;
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
      CASE WHEN d <> current_database() THEN 'Studies are in that database: connect there, or change the setting and restart the server.' END
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

CREATE FUNCTION mpc.node_status() RETURNS TABLE ("check" text, status text, detail text, hint text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.node_status() IS
'checks this node from the preloading to its peers, a row per check: status ok, warning (it works, but needs attention) or problem, detail with the cause, hint with what to do';
