-- Decides how long the records of data versions (48_data_versions.sql) are kept.
--
-- Terms
-- A data version is unused when no attempt with it announced the number of matches and no approval in force names it.
-- The key mark is a hash that distinguishes two source keys.
--
-- Invariants
-- Used records stay until the administrator calls mpc.forget_records. Unused records are deleted with the approval that
-- brought them. Persons that were hashed under another source key count as forgotten.

CREATE FUNCTION mpc_internal.key_mark() RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT mpc_internal.commitment('pg_mpc key mark') $$;
COMMENT ON FUNCTION mpc_internal.key_mark() IS
'mark of the source key of this node: after a restore without the file, or pg_upgrade, the key is another one';

CREATE FUNCTION mpc_internal.is_kept(data_version bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- A source without records has none to keep.
  SELECT coalesce((SELECT NOT d.forgotten AND d.key_id = mpc_internal.key_mark() FROM mpc_internal.data_versions AS d WHERE d.id = $1), false)
         AND (EXISTS (SELECT FROM mpc_internal.kept_records AS r WHERE r.data_version = $1)
              OR NOT EXISTS (SELECT FROM mpc_internal.source_uses AS u WHERE u.data_version = $1 AND u.records > 0))
$$;
COMMENT ON FUNCTION mpc_internal.is_kept(bigint) IS
'whether the records of a data version exist and can be compared: not after mpc.forget_records, after a restore from a dump, or under another source key';

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
      DETAIL = format('mpc.forget_records, a restore or another source key removed those of study %s; they cannot be checked together with the columns of this study.', gone),
      HINT = 'Call mpc.keep_records for each of these studies with its source, unchanged, or run no further studies with this counterpart.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_kept(text, bigint) IS
'error 55000 when records of data used with the counterpart have been deleted, except those of the candidate, which the caller keeps now';

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
    RETURN;  -- an approval that runs now checks them itself
  END;
  PERFORM mpc_internal.delete_data_versions(NULL, NULL);
END
$$;
COMMENT ON FUNCTION mpc_internal.drop_unused_records() IS
'deletes the records of unused data versions, unless an approval runs at the same time: called when a study is rejected, withdrawn, replaced or ended, and once an hour for approvals that expired';

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
  -- Locks until the end of the transaction, so that no other approval deletes as unused what this one binds.
  LOCK TABLE mpc_internal.data_versions IN SHARE ROW EXCLUSIVE MODE;
  SELECT d.* INTO found_version FROM mpc_internal.data_versions AS d
   WHERE d.counterpart = data_version_of.counterpart
     AND (mpc_internal.covers(d.columns, d.commitments, data_version_of.columns, data_version_of.commitments)
          AND (mpc_internal.is_kept(d.id)
               OR mpc_internal.covers(data_version_of.columns, data_version_of.commitments, d.columns, d.commitments))
          -- Under another key only names can be compared. The counterpart receives new commitments.
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
'data version of a counterpart that has these columns with these contents; a new one, or one whose records were deleted, is negative: its records must be kept now';

-- public functions

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
'deletes the records of own sources that this node keeps for the rules over all data used with a counterpart, and returns how many. No study with that counterpart can be approved or started until mpc.keep_records has read the unchanged sources of the earlier ones again. Dead rows stay in the table until VACUUM, and in the write-ahead log';

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
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" has no missing records', study),
      DETAIL = 'This node brought no data to it, no attempt of it got as far as the match, or its records are kept.',
      HINT = 'Error 55000 of mpc.approve_study names the studies whose records are missing.';
  END IF;
  PERFORM mpc_internal.require_own_approval(study, used.version, caller);
  PERFORM mpc_internal.require_source(source, caller);
  names := mpc_internal.identifier_columns(used.spec::jsonb, source, identifier);
  PERFORM mpc_internal.require_binding(used.spec::jsonb, own, source, names, caller);
  pin := mpc_internal.pin_source(used.spec, own, source, names, caller, used.counterpart, study, used.version);
  IF pin.data_version <> used.data_version THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('source %s differs from the one that study "%s" used', source, study),
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
'reads the source of an earlier study of this node again, after mpc.forget_records, a restore, or the loss of the source key, and keeps its records for the rules over all data used with the counterpart. Returns how many records. Under the same source key the contents are compared with the commitment, under another key only the names of the columns. Errors: 42704 unknown study, 55000 it has no missing records, 22023 other contents, 42501 the approval was another role''s, and those of mpc.approve_study about the source';
