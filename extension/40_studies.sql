-- Keeps studies, the decisions of their parties, and the outbox of messages to peers.
--
-- Terms
-- The digest identifies a spec together with the name of its study. The version counts the specs proposed under one
-- name; decisions belong to one version. A decision is approved, rejected or withdrawn, one per party.
--
-- Invariants
-- The coordinator never has to change a row that an open transaction of a user has locked. So decisions of parties are
-- rows of their own, and the state of a study before its run is computed from them and never stored.

-- tables

CREATE FUNCTION mpc_internal.lifetime() RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.approval_lifetime', true), '30d')::interval $$;
COMMENT ON FUNCTION mpc_internal.lifetime() IS 'how long a proposal and an approval of this node are valid: pg_mpc.approval_lifetime';

CREATE TABLE mpc_internal.studies (
  study text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  digest text NOT NULL,
  spec text NOT NULL,
  parties text[] NOT NULL,
  proposer text NOT NULL,
  proposed_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL DEFAULT now() + mpc_internal.lifetime(),
  run_state text CHECK (run_state IN ('running', 'released', 'rehearsed', 'failed', 'cancelled')),
  attempt text,
  manual boolean,
  started_at timestamptz,
  finished_at timestamptz,
  n_matched bigint,
  sqlstate text,
  last_error text,
  error_detail text,
  error_hint text,
  proposed_in xid8,
  CONSTRAINT studies_pkey PRIMARY KEY (study, version)
);
COMMENT ON TABLE mpc_internal.studies IS
'every version of every study; parties = both controllers in byte order, then the third party; run_state is NULL before the first start';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.studies', '');

CREATE FUNCTION mpc_internal.refuse_other_spec() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the spec of version %s of study "%s" cannot be changed', OLD.version, OLD.study),
    DETAIL = 'Parties decide on exactly this spec.',
    HINT = 'Propose the study with another spec: that is a new version and needs new approvals.';
END
$$;
COMMENT ON FUNCTION mpc_internal.refuse_other_spec() IS 'trigger of table studies: a proposed spec is immutable';

CREATE TRIGGER immutable BEFORE UPDATE ON mpc_internal.studies FOR EACH ROW
  WHEN (ROW(OLD.study, OLD.version, OLD.digest, OLD.spec, OLD.parties, OLD.proposer) IS DISTINCT FROM
        ROW(NEW.study, NEW.version, NEW.digest, NEW.spec, NEW.parties, NEW.proposer))
  EXECUTE FUNCTION mpc_internal.refuse_other_spec();
ALTER TABLE mpc_internal.studies ENABLE ALWAYS TRIGGER immutable;

CREATE TABLE mpc_internal.approvals (
  study text NOT NULL,
  version integer NOT NULL,
  party text NOT NULL,
  digest text NOT NULL,
  decision text NOT NULL CHECK (decision IN ('approved', 'rejected', 'withdrawn', 'void')),
  reason text,
  decided_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  source oid,
  source_name text,
  source_schema jsonb,
  source_digest bytea,
  identifier text[],
  approver oid,
  decided_by text,
  decided_in xid8,
  source_records bigint,
  data_version bigint,
  columns text[],
  commitments bytea[],
  two_valued text[],
  commitment bytea,
  data_number integer,
  key_id bytea,
  source_owner oid,
  stated_at timestamptz,
  CONSTRAINT approvals_pkey PRIMARY KEY (study, version, party)
);
COMMENT ON TABLE mpc_internal.approvals IS
'decision of each party; may arrive before the proposal; source and approver are known for this node only; source_digest is keyed (47_source.sql), source_records are the complete records that it covers; columns to data_number: what data a controller brings (49_commitments.sql); key_id: mark of the source key under which source_digest was made (key_mark); source_owner: owner of the relation when it was approved (same_or_rebuilt); decided_at: when this node recorded it; stated_at: when a peer says that it decided';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.approvals', '');

CREATE TABLE mpc_internal.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  party text NOT NULL,
  message jsonb NOT NULL,
  queued_at timestamptz NOT NULL DEFAULT now(),
  error jsonb,
  refused_at timestamptz,
  held_until timestamptz
);
COMMENT ON SEQUENCE mpc_internal.outbox_id_seq IS 'ids of the outbox';
COMMENT ON TABLE mpc_internal.outbox IS
'control messages that a peer has not acknowledged yet; refused_at = its first temporary refusal, held_until = until then messages of other studies are sent first';
CREATE INDEX outbox_party ON mpc_internal.outbox (party, id);

-- the state of a study

CREATE VIEW mpc_internal.study_versions AS
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
COMMENT ON VIEW mpc_internal.study_versions IS
'studies with their state, the reasons of parties that objected and the end of the first approval to expire';

CREATE VIEW mpc_internal.current_studies AS
SELECT v.* FROM mpc_internal.study_versions AS v
 WHERE v.version = (SELECT max(s.version) FROM mpc_internal.studies AS s WHERE s.study = v.study);
COMMENT ON VIEW mpc_internal.current_studies IS 'the latest version of each study';

-- private functions

CREATE FUNCTION mpc_internal.parse_spec(spec text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_fill_spec';
COMMENT ON FUNCTION mpc_internal.parse_spec(text) IS
'canonical JSON (RFC 8785) of a proposed spec in the current format, with all defaults filled in; error 22023 with the JSON pointer of what is wrong. Stored specs are never filled again: study_digest and explain read them in their own format';

CREATE FUNCTION mpc_internal.study_digest(study text, spec text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_study_digest';
COMMENT ON FUNCTION mpc_internal.study_digest(text, text) IS 'digest of a study: 64 hexadecimal digits';

CREATE FUNCTION mpc_internal.require_feasible(spec text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_require_feasible';
COMMENT ON FUNCTION mpc_internal.require_feasible(text) IS
'error 54000 for a spec whose run would be refused after the match, whatever the data';

CREATE FUNCTION mpc_internal.spec_difference(one text, other text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_spec_difference';
COMMENT ON FUNCTION mpc_internal.spec_difference(text, text) IS
'JSON pointer of the first difference between two canonical specs, empty when equal';

CREATE FUNCTION mpc_internal.find_study(study text) RETURNS mpc_internal.current_studies
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_study mpc_internal.current_studies%ROWTYPE;
BEGIN
  SELECT * INTO found_study FROM mpc_internal.current_studies AS s WHERE s.study = find_study.study;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('study "%s" does not exist', study),
      DETAIL = 'This node has neither proposed it nor received it from a peer.',
      HINT = 'View mpc.studies lists the studies that this node knows.';
  END IF;
  RETURN found_study;
END
$$;
COMMENT ON FUNCTION mpc_internal.find_study(text) IS
'latest version of a study; error 42704 when unknown. VOLATILE, so that it sees rows committed by other sessions';

CREATE FUNCTION mpc_internal.announce(study text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM pg_notify('pg_mpc_study', json_build_object('study', s.study, 'state', s.state)::text)
     FROM mpc_internal.current_studies AS s WHERE s.study = announce.study;
END
$$;
COMMENT ON FUNCTION mpc_internal.announce(text) IS
'NOTIFY pg_mpc_study with {"study","state"}: a hint to read view mpc.studies, which has the state';

CREATE FUNCTION mpc_internal.broadcast(parties text[], message jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mpc_internal.outbox (party, message)
  SELECT p, message FROM unnest(parties) AS p WHERE p <> mpc_internal.own_party();
  PERFORM mpc_internal.wake_coordinator('outbox');
END
$$;
COMMENT ON FUNCTION mpc_internal.broadcast(text[], jsonb) IS
'queues a control message to the other parties; it is sent after COMMIT';

CREATE FUNCTION mpc_internal.accept_spec(
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
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('this node, "%s", is not a party of the study', own),
      DETAIL = format('The parties are %s.', array_to_string(parties, ', ')),
      HINT = 'Name this node in the spec as it is named in pg_mpc.party.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.accept_spec(text, text) IS
'canonical form, digest and parties of a spec that this node could run; errors 22023 and 0A000 name the key';

CREATE FUNCTION mpc_internal.require_peers(parties text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unknown text;
BEGIN
  SELECT string_agg(quote_ident(q), ', ') INTO unknown FROM unnest(parties) AS q
   WHERE q <> mpc_internal.own_party() AND NOT EXISTS (SELECT FROM mpc_internal.peers AS p WHERE p.party = q);
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('peer %s does not exist', unknown),
      DETAIL = format('The parties of the study are %s.', array_to_string(parties, ', ')),
      HINT = 'Make every other party known with mpc.add_peer first.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_peers(text[]) IS 'error 42704 naming the parties that are not known as peers';

-- public functions

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
  -- Proposing the same spec again voids no decision. Peers that missed the proposal receive it again.
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
  -- A proposal that is still in the outbox is not queued again.
  PERFORM mpc_internal.broadcast(
    ARRAY(SELECT p FROM unnest(accepted.parties) AS p
           WHERE NOT EXISTS (SELECT FROM mpc_internal.outbox AS o
                              WHERE o.party = p AND o.message @> jsonb_build_object('type', 'propose', 'study', study, 'version', number))),
    jsonb_build_object('type', 'propose', 'study', study, 'version', number, 'spec', accepted.canonical, 'digest', accepted.digest));
  RETURN accepted.digest;
END
$$;
COMMENT ON FUNCTION mpc_internal.propose_study(oid, text, jsonb) IS 'implements mpc.propose_study';

CREATE FUNCTION mpc.propose_study(study text, spec jsonb DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.propose_study(text, jsonb) IS
'proposes a study to its parties (without a spec: the draft of mpc.draft_study) and returns the digest that each of them approves. The same name with another spec is a new version: earlier approvals are void. Errors: 22023 names the JSON pointer of what is wrong in the spec, 42704 a party that is not a peer, 0A000 an unsupported kind of analysis, 55000 the study is running';
