-- Compares the columns and the contents of a source with those that were approved, before a study starts.
--
-- Terms
-- The source schema is the kind of the relation and the names and types of the columns used. The source digest is a
-- keyed digest of the complete records as an engine reads them, in any order. Its key is in a file of the data
-- directory that is in no backup.
--
-- Security
-- Schema, digest and key never leave this node. Without the key the digest reveals nothing about the contents.

CREATE FUNCTION mpc_internal.pin_source(
  spec text, party text, source oid, identifier text[], role oid, counterpart text, study text, version integer,
  OUT digest bytea, OUT records bigint, OUT data_version bigint, OUT commitments bytea[], OUT two_valued text[],
  OUT profile text) RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_pin_source';
COMMENT ON FUNCTION mpc_internal.pin_source(text, text, oid, text[], oid, text, text, integer) IS
'reads a source as the role, as an engine would: keyed digest and number of its complete records, the data version that it is for the counterpart (whose records it keeps when it is a new one), a commitment per column, the columns with two values, and its source_profile';

CREATE FUNCTION mpc_internal.source_schema(source oid, columns text[]) RETURNS jsonb
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('kind', c.relkind, 'columns', (
           SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = ANY (columns) AND a.attnum > 0 AND NOT a.attisdropped))
    FROM pg_class AS c WHERE c.oid = source
$$;
COMMENT ON FUNCTION mpc_internal.source_schema(oid, text[]) IS 'kind of a relation, names and types of the columns';

CREATE FUNCTION mpc_internal.require_same_key(approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF approval.key_id <> mpc_internal.key_mark() THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'the source key of this node is new',
      DETAIL = format('Study "%s" was approved under another key. A promotion, a restore and pg_upgrade do not copy the key, so this node cannot compare source %s with the approved one.',
                      approval.study, approval.source_name),
      HINT = 'Approve the study again. The sources of earlier studies with the same counterpart may have to be read again with mpc.keep_records.';
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
  -- The owner of a relation decides what code runs when it is read (rules of a view, policies), so it must be the same.
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
      HINT = 'Check it with mpc.check_source, then approve the study again.';
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

CREATE FUNCTION mpc_internal.require_same_source(approval mpc_internal.approvals) RETURNS void
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
  -- After a restore another relation may have the oid, so the name is compared too.
  difference := CASE
    WHEN approval.source::regclass::text <> approval.source_name
      THEN format('It was %s, its name is %s now.', approval.source_name, approval.source::regclass)
    WHEN current -> 'kind' <> approval.source_schema -> 'kind' THEN 'It is another kind of relation now.'
    ELSE (SELECT format('Column "%s" was of type %s and is of type %s now.', a.key, a.value, current -> 'columns' ->> a.key)
            FROM jsonb_each_text(approved) AS a WHERE a.value <> current -> 'columns' ->> a.key ORDER BY a.key LIMIT 1) END;
  IF difference IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('source %s has changed since it was approved', approval.source_name),
      DETAIL = difference,
      HINT = 'Check it with mpc.check_source, then approve the study again.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_same_source(mpc_internal.approvals) IS
'error 55000 when the name, the kind or a column''s type of the source is not what was approved; contents are compared by the engine';

CREATE FUNCTION mpc_internal.require_own_approval(study text, version integer, caller oid) RETURNS void
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
COMMENT ON FUNCTION mpc_internal.require_own_approval(text, integer, oid) IS
'error 42501 when this node''s approval is another role''s: only its members and mpc_admin may replace it';

CREATE FUNCTION mpc_internal.expired_approvals(study text, version integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(format('%s at %s', a.party, a.expires_at), ', ' ORDER BY a.party) FROM mpc_internal.approvals AS a
   WHERE a.study = $1 AND a.version = $2 AND a.decision = 'approved' AND a.expires_at <= now()
$$;
COMMENT ON FUNCTION mpc_internal.expired_approvals(text, integer) IS 'parties whose approvals have expired, and when';
