-- Explains a study before it is approved: as rows (mpc.explain_study) and as sentences (mpc.explain_text).

CREATE FUNCTION mpc_internal.explain_spec(spec text, party text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_explain_spec';
COMMENT ON FUNCTION mpc_internal.explain_spec(text, text) IS 'mpc.explain_study for a canonical spec, seen from one party';

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
  -- Drafts and versions of which the caller is not a reader are not shown.
  PERFORM mpc_internal.require_reader(caller, study);
  RETURN (SELECT s.spec FROM mpc_internal.studies AS s
           WHERE s.study = spec_to_explain.study AND mpc_internal.reads(caller, s.study, s.version) ORDER BY s.version DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION mpc_internal.spec_to_explain(oid, text) IS
'the spec of a study that a role may read: of the open study, the draft or the latest version, for a reader of some versions the latest of them; errors 42704 unknown study, 42501 not a reader of it';

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

CREATE FUNCTION mpc.explain_study(study text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.explain_study(text) IS
'explains a study before it is approved: per step who sends what to whom, who learns what, and what is destroyed; records, bytes and seconds are estimates from expected_records of the spec, NULL without it. After a controller has approved, the estimates of its own rows follow from the complete records of its source, and are shown at this node only. Rows of step 0 state what holds for the whole study: disclosure rules, what becomes public, statistical distance, trust, and what the estimates come from. A role that may read some versions only sees the latest of them. Errors: 42704 unknown study, 42501 not a reader of it';

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
'mpc.explain_study for a controller that has not approved yet: its own rows follow from the complete records of this table or view, which is counted now, as the caller. Nothing is stored and nothing leaves the node. Errors: 42704 unknown study, 22023 the third party brings no source or a value is no level, 22004, 42P01, 42809, 42501, 42703, 42804 as mpc.approve_study';

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
'mpc.explain_study in sentences, a text per party, for the person who decides; the party of this node comes first. It names the digest, what each party brings, who sends what to whom in which step, what each party learns, what is released, what is destroyed and when, the status of the data, the disclosure rules and what has to be trusted. It follows from the spec alone and is the same at every node. In psql \g (format=unaligned tuples_only) prints it plainly. Errors: as mpc.explain_study';
