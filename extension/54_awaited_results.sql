-- Follows results that may have been opened, until they are stored or it is certain that no recipient has them.
--
-- Terms
-- Promise: the engine is about to take part in opening the result, and this node can store it.
-- An attempt is in doubt when it ended here after its promise: another recipient may hold the result. A holder is a
-- recipient that has stored the result.
--
-- Invariants
-- An attempt is released when a recipient has stored its result. Then it is released at all parties in the end. A node
-- in doubt asks the recipients. A node whose attempt has ended without the result gets it from a holder only. So when
-- no other recipient is a holder, none ever will be, and the attempt has failed. From the promise on the budget counts
-- the release, also when the attempt fails. Only recipients are given the numbers. A holder gives them to another
-- recipient for 30 days.

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
'attempts whose result this node promised to store and has not; asking = its engine has ended, and recipients are asked; without = recipients that have no result; room = zeros, as many bytes as the result may take; matched = records of the attempt; data = data_hash of what it runs on';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.awaited_results', '');

CREATE FUNCTION mpc_internal.result_lifetime() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT interval '30 days' $$;
COMMENT ON FUNCTION mpc_internal.result_lifetime() IS 'how long a holder gives a result to another recipient, and a node in doubt asks';

CREATE FUNCTION mpc_internal.is_recipient(spec jsonb, party text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT spec -> 'recipients' ? party $$;
COMMENT ON FUNCTION mpc_internal.is_recipient(jsonb, text) IS 'whether the party receives the result of a study with this spec';

CREATE FUNCTION mpc_internal.result_bytes(spec jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT (sum(r.models * (r.numbers + 2)) * 160)::integer FROM mpc_internal.releases_of($1::text) AS r $$;
COMMENT ON FUNCTION mpc_internal.result_bytes(jsonb) IS 'most bytes of the rows of a result and their index entries, for names of usual length';

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
'records that this node can store the result of the attempt, by writing as many bytes. Nothing is opened before';

CREATE FUNCTION mpc_internal.attempt_computed(attempt text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$ UPDATE mpc_internal.awaited_results AS a SET asking = true, room = NULL WHERE a.attempt = $1 $$;
COMMENT ON FUNCTION mpc_internal.attempt_computed(text) IS
'the engine of this node, which is not a recipient, has ended without an error: the study is released when a recipient says that it has stored the result';

CREATE FUNCTION mpc_internal.doubt(attempt text, sqlstate text, OUT counts boolean, OUT in_doubt boolean) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  SELECT count(r.party) > 0, count(r.party) FILTER (WHERE r.party <> ALL (a.without)) > 0 INTO counts, in_doubt
    FROM mpc_internal.awaited_results AS a JOIN mpc_internal.studies AS s USING (study, version),
         jsonb_array_elements_text(s.spec::jsonb -> 'recipients') AS r (party)
   WHERE a.attempt = doubt.attempt AND r.party <> mpc_internal.own_party()
     -- All three parties know of a refusal, or of a solver that does not converge, before anything is opened.
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
COMMENT ON FUNCTION mpc_internal.awaited_results() IS 'the recipients that this node has to ask, with the attempt';

CREATE FUNCTION mpc_internal.control_outcome(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held mpc_internal.studies%ROWTYPE;
  spec jsonb;
  answer jsonb := '{"state": "ended"}';
BEGIN
  -- A peer that is not a party of the study gets the same answer as for a study that does not exist.
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
'answers a party of the study with the outcome of an attempt here: open (it has not ended), released, with the result for a recipient, or ended without a result, which is final';

CREATE FUNCTION mpc_internal.require_own_result(party text, spec text, n_matched bigint, result jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT mpc_internal.accepts_result(spec, n_matched, result::text) THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = format('party %s sent a result that does not belong to this study', party),
      DETAIL = 'Its analyses, its attributes or its number of records are not those of the spec and of the match.',
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_own_result(text, text, bigint, jsonb) IS
'error MP004 unless the result of a peer has the analyses, attributes and records of the study';

CREATE FUNCTION mpc_internal.settle_release(study text, version integer, attempt text, result jsonb, giver text) RETURNS void
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
  -- A party may have approved with other data since the attempt in doubt. No rule has checked those.
  IF agreed IS NULL OR agreed = mpc_internal.data_hash(study, version) THEN
    PERFORM mpc_internal.pass_heard_data(study, version);
  END IF;
  PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, (
    SELECT jsonb_build_object('what', (SELECT jsonb_agg(o.what ORDER BY o.place)
                                       FROM (SELECT u.what, min(u.place) AS place FROM mpc_internal.releases_of(s.spec) AS r, unnest(r.opened) WITH ORDINALITY AS u (what, place)
                                              GROUP BY u.what) AS o),
                              'to', s.spec::jsonb -> 'recipients', 'models', mpc_internal.models_in(s.spec::jsonb))
      FROM mpc_internal.studies AS s WHERE s.study = settle_release.study AND s.version = settle_release.version));
  PERFORM mpc_internal.record_event(study, attempt, 'released', mpc_internal.own_party(), jsonb_strip_nulls(jsonb_build_object(
    'version', version, 'from', giver,
    'models', (SELECT mpc_internal.models_in(s.spec::jsonb) FROM mpc_internal.studies AS s
                WHERE s.study = settle_release.study AND s.version = settle_release.version))));
  PERFORM mpc_internal.send_head(study, version, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.settle_release(text, integer, text, jsonb, text) IS
'records a released attempt at this node: the result, if it is a recipient, the budget, the ledger; giver = the party that sent the result, NULL for the own engine';

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
  -- The answer waits while another attempt of the study runs here: one version has one result.
  IF held.study IS NULL OR NOT mpc_internal.is_recipient(spec, party) OR answer ->> 'state' = 'open'
     OR held.run_state = 'running' AND held.attempt <> awaited.attempt THEN
    RETURN NULL;
  ELSIF answer ->> 'state' = 'released' THEN
    IF own AND answer -> 'result' IS NULL THEN
      RETURN NULL;
    END IF;
    IF held.run_state = 'released' THEN
      -- Released by a later attempt, which an honest holder of this result would have refused. The release stays.
      DELETE FROM mpc_internal.awaited_results AS a WHERE a.attempt = awaited.attempt;
      RETURN NULL;
    END IF;
    IF own THEN
      PERFORM mpc_internal.require_own_result(party, held.spec, awaited.matched, answer -> 'result');
    END IF;
    UPDATE mpc_internal.studies AS s
       SET run_state = 'released', attempt = awaited.attempt, n_matched = awaited.matched, finished_at = clock_timestamp(),
           sqlstate = NULL, last_error = NULL, error_detail = NULL, error_hint = NULL
     WHERE s.study = held.study AND s.version = held.version;
    PERFORM mpc_internal.settle_release(held.study, held.version, awaited.attempt, CASE WHEN own THEN
      jsonb_build_object('matched', awaited.matched, 'relations', answer -> 'result' -> 'relations') ELSE own_result END, party);
    RETURN 'released';
  ELSIF answer ->> 'state' = 'ended' THEN
    UPDATE mpc_internal.awaited_results AS a SET without = a.without || party
     WHERE a.attempt = awaited.attempt AND party <> ALL (a.without) RETURNING * INTO awaited;
    IF EXISTS (SELECT FROM jsonb_array_elements_text(spec -> 'recipients') AS r (party)
                WHERE r.party <> mpc_internal.own_party() AND r.party <> ALL (awaited.without)) THEN
      RETURN NULL;
    END IF;
    -- The budget still counts the release: a recipient that has the result may deny it.
    IF held.run_state = 'running' THEN
      UPDATE mpc_internal.awaited_results AS a SET asking = false WHERE a.attempt = awaited.attempt;
    ELSE
      DELETE FROM mpc_internal.awaited_results AS a WHERE a.attempt = awaited.attempt;
    END IF;
    RETURN 'failed';
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = format('party %s sent an answer that the protocol does not allow', party),
    DETAIL = 'The request was for the outcome of an attempt.', HINT = 'The nodes may run different versions of pg_mpc.';
END
$$;
COMMENT ON FUNCTION mpc_internal.outcome_received(text, text, jsonb, jsonb) IS
'processes the answer of a recipient about an attempt whose result this node awaits: returns released or failed when that is decided, NULL before. own_result = what the engine of this node knows itself when it is not a recipient';
