-- Implements the rows of mpc.node_status about the server and its database.

CREATE FUNCTION mpc_internal.standby_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_is_in_recovery() THEN
    status := 'warning';
    detail := 'this server is a standby: only results, models and the ledger can be read here';
    hint := 'Work on the primary. After a promotion controllers approve their open studies again: the source key is new.';
  ELSE
    status := 'ok';
    detail := 'this server is not a standby';
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
               THEN 'The encoding of bytes beyond ASCII is unknown: identifiers that have them are refused, and texts of peers show question marks. Use a database in UTF8.' END;
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
  detail := CASE WHEN read_only THEN 'default_transaction_read_only is on: the workers of pg_mpc can write, transactions of sessions cannot'
            ELSE 'transactions can write' END;
  hint := CASE WHEN read_only THEN 'Set default_transaction_read_only = off in the session before you propose, approve or reject.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.read_only_check() IS
'row "read-only" of mpc.node_status: a note only, because the writes of the coordinator do not depend on the setting';
