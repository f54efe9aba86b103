-- Keeps drafts: specs that this node has written and not proposed yet.
--
-- Terms
-- A draft is at most one spec per study name, for the next version. An open study is proposed, approved or running.
--
-- Invariants
-- A draft belongs to the role that wrote it. It leaves the node by mpc.propose_study only. A draft never hides the spec
-- that parties decide on: readers of an open study see its spec.

CREATE TABLE mpc_internal.drafts (
  study text PRIMARY KEY,
  digest text NOT NULL,
  spec text NOT NULL,
  drafted_at timestamptz NOT NULL DEFAULT now(),
  drafted_by oid NOT NULL
);
COMMENT ON TABLE mpc_internal.drafts IS 'specs of this node that have not been proposed';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.drafts', '');

-- private functions

CREATE FUNCTION mpc_internal.owns(caller oid, owner oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = owner)
      OR pg_has_role(caller, owner, 'MEMBER')
      OR pg_has_role(caller, 'mpc_admin', 'MEMBER')
$$;
COMMENT ON FUNCTION mpc_internal.owns(oid, oid) IS
'whether the caller may change what a role owns: members of that role and of mpc_admin; every role when it has been dropped';

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
COMMENT ON FUNCTION mpc_internal.take_draft(oid, text) IS 'removes the draft of a study and returns its spec; NULL without one';

CREATE FUNCTION mpc_internal.spec_to_read(study text) RETURNS text
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
'the spec for mpc.explain_study and mpc.check_source: that of an open study, else the draft, else the latest version';

-- public functions

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

CREATE FUNCTION mpc.draft_study(study text, spec jsonb) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.draft_study(text, jsonb) IS
'stores a spec at this node without sending it to peers, in place of an earlier draft of that name (NULL drops it), and returns its digest. mpc.explain_study and mpc.check_source read it, mpc.propose_study(study) proposes it. Errors: 22023 and 0A000 as mpc.propose_study, 42501 the draft is another role''s';
