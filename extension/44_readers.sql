-- Decides who may read which version of a study at this node.
--
-- Terms
-- A reader is a role that may read the results of a version of a study and its rows in the views. It proposed, approved
-- or ran that version, or was added with mpc.add_reader. Members of mpc_admin read everything. Members of mpc_study see
-- every study, because they decide on it, but its results only as readers.
-- The version of a reader is the version that it proposed, approved or ran. NULL stands for all versions, present and
-- future. 0 stands for what belongs to no version: drafts, and changes of readers in the ledger.
--
-- Invariants
-- A reader is an oid together with a name. A role that was created again under an old name, or that got the oid of
-- another role after a restore, is not a reader. A role that proposes a new version under the name of a released study
-- reads the new version only. No role adds or removes more than it reads itself.

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
'roles that may read a version of a study (NULL: all versions, 0: what belongs to no version), with the first reason why each became a reader';
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
'whether the current user sees every study of this node in the views: members of mpc_study and mpc_admin';

CREATE FUNCTION mpc_internal.reads_every_result() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_has_role(current_user, 'mpc_admin', 'USAGE') $$;
COMMENT ON FUNCTION mpc_internal.reads_every_result() IS 'whether the current user reads the results of every study of this node';

-- private functions

CREATE FUNCTION mpc_internal.role_text(role oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce((SELECT quote_ident(r.rolname) FROM pg_roles AS r WHERE r.oid = $1), $1::text) $$;
COMMENT ON FUNCTION mpc_internal.role_text(oid) IS 'name of a role as SQL writes it, quoted where needed; its oid when it has been dropped';

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
COMMENT ON FUNCTION mpc_internal.reads_all_versions(oid, text) IS 'whether a role may read all versions of a study, future ones included';

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
    DETAIL = 'A version may be read by the roles that proposed, approved or ran it at this node, and by the roles that were added to it.',
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

-- public functions

CREATE FUNCTION mpc_internal.add_reader(caller oid, study text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  added oid := mpc_internal.reader_to_change(caller, study, role);
  versions integer[];
BEGIN
  IF NOT (pg_has_role(added, 'mpc_reader', 'USAGE') OR pg_has_role(added, 'mpc_study', 'USAGE')) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('role %s is not a member of mpc_reader', mpc_internal.role_text(added)),
      DETAIL = 'Only members of mpc_reader or mpc_study may call the functions and read the views of results.',
      HINT = format('GRANT mpc_reader TO %s;', mpc_internal.role_text(added));
  END IF;
  -- The versions that the caller reads itself: all, or those of which it is a reader.
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
'lets a role of this node read a study: its results and its rows in the views. The role is named as in pg_roles and must be a member of mpc_reader or mpc_study. A role that may read the study may call it, and adds the reader to the versions that it may read itself: a member of mpc_admin, or a reader added by one, to all versions, future ones included; a role that proposed, approved or ran some versions, to those. Errors: 42704 unknown study or role, 42501 the caller may not read the study, 22023 the role is not a member of mpc_reader';

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
      MESSAGE = format('role %s may not remove reader %s of study "%s"', mpc_internal.role_text(caller), mpc_internal.role_text(removed), study),
      DETAIL = 'The two roles read different versions, or the other role reads all versions.',
      HINT = 'A reader of the same versions, or a member of mpc_admin, may do so.';
  ELSIF taken IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('role %s is not a reader of study "%s"', mpc_internal.role_text(removed), study),
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
'revokes the right of a role to read a study, in the versions that the caller may read itself. This includes roles that proposed, approved or ran it; such a role becomes a reader again when it does so again. Errors: 42704 unknown study or role, or the role is not a reader; 42501 the caller may read none of the versions that the role reads';
