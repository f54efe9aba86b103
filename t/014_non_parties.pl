# Several studies at once with different parties: a second study has a fourth node and two of the parties, in other roles.
# Both run at the same time. A node sees only studies of which it is a party. A peer that is not a party of a study is
# refused and learns nothing of it. No party learns what other studies used of the budget of a source.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '30s');
my ($hospital, $insurer, $third) = $mpc->nodes;
# The laboratory is a peer of all three. The third party of study east is not a party of study west, and the laboratory is
# not a party of study east.
my $lab = $mpc->add_node('amphia', $mpc->nodes);
$mpc->load_small(150);
$mpc->ask($lab, "CREATE TABLE small_l AS SELECT i::bigint AS id, ((hashint8extended(i, 1) & 1048575)::float8 / 1048576 - 0.5) AS x1,
	((hashint8extended(i, 9) & 1048575)::float8 / 1048576 - 0.5) AS x9 FROM generate_series(1, 150) AS i");

my %parties = (east => [$hospital, $insurer, $third], west => [$lab, $insurer, $hospital]);
my $west = JSON::PP->new->canonical->encode({controllers => {amphia => {attributes => ['x1', 'x9']},
	zilveren_kruis => {attributes => ['x3'], outcome => 'y'}}, third_party => 'erasmus_mc', key_bits => 2048,
	analysis => {kind => 'lasso', lambda => 0.01}});
my %digest = (east => $mpc->propose('east', $mpc->small_spec),
	west => $mpc->ask($lab, "SELECT mpc.propose_study('west', '$west')"));
$mpc->approve('east', $digest{east}, 'small_a', 'small_b');
$mpc->ask($lab, $mpc->approval('west', $digest{west}, '', 'small_l'));
$mpc->ask($insurer, $mpc->approval('west', $digest{west}, '', 'small_b'));
$mpc->ask($hospital, $mpc->approval('west', $digest{west}, ''));

# --- both at once: both wait for the source of the insurer at the same time ---
my $held = $mpc->hold($insurer, 'small_b');
my %job = (east => $mpc->start_sql($third, "SELECT count(*) FROM mpc.run_study('east')"),
	west => $mpc->start_sql($lab, "SELECT count(*) FROM mpc.run_study('west')"));
for my $study (sort keys %parties) {
	$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = '$study'") for @{$parties{$study}};
}
is($mpc->ask($_, "SELECT string_agg(study, ',' ORDER BY study) FROM mpc.stat_study_progress"), 'east,west',
	$mpc->party($_) . ' runs both at once') for $hospital, $insurer;
is($mpc->ask($third, 'SELECT string_agg(study, \',\') FROM mpc.stat_study_progress'), 'east', 'zorgttp runs its own');
is($mpc->ask($lab, 'SELECT string_agg(study, \',\') FROM mpc.stat_study_progress'), 'west', 'amphia runs its own');

# --- messages of a non-party about a running study ---
# says(FROM, TO, MESSAGE): queues a message in the outbox, which delivers it over the network. Returns the SQLSTATE and
# text of the refusal, or 'accepted'.
sub says {
	my ($from, $to, %message) = @_;
	my $json = JSON::PP->new->canonical->encode(\%message);
	my ($sender, $receiver) = ($mpc->party($from), $mpc->party($to));
	my $before = $mpc->ask($from, 'SELECT coalesce(max(id), 0) FROM mpc.ledger');
	$from->safe_psql('postgres', "SELECT mpc_internal.broadcast(ARRAY['$receiver'], '$json')");
	$mpc->become($from, "SELECT count(*) = 0 FROM mpc_internal.outbox WHERE party = '$receiver' AND error IS NULL");
	my $kept = $from->safe_psql('postgres', "DELETE FROM mpc_internal.outbox WHERE party = '$receiver' RETURNING error ->> 'sqlstate' || ' ' || (error ->> 'message') || ' ' || (error ->> 'detail')");
	return $kept if $kept ne '';
	return $mpc->ask($from, "SELECT coalesce((SELECT (detail ->> 'sqlstate') || ' ' || (detail ->> 'message') FROM mpc.ledger
		WHERE id > $before AND event = 'message_refused' AND party = '$receiver'), 'accepted')");
}

my ($attempt) = $mpc->ask($hospital, "SELECT attempt FROM mpc.stat_study_progress WHERE study = 'east'");
my %about = (study => 'east', digest => $digest{east});
my $stolen = JSON::PP->new->canonical->encode({controllers => {amphia => {attributes => ['x9']},
	zilveren_kruis => {attributes => ['x3'], outcome => 'y'}}, third_party => 'erasmus_mc', analysis => {kind => 'lasso', lambda => 1}});
my $stolen_spec = $lab->safe_psql('postgres', "SELECT mpc_internal.parse_spec('$stolen')");
my $stolen_digest = $lab->safe_psql('postgres', "SELECT mpc_internal.study_digest('east', mpc_internal.parse_spec('$stolen'))");
my @strange = (
	['approve', {%about, version => 1}], ['reject', {%about, version => 1, reason => 'I do not like it'}],
	['withdraw', {%about, version => 1}], ['approve', {%about, version => 1, digest => 'a' x 64}],
	['propose', {study => 'east', version => 2, digest => $stolen_digest, spec => $stolen_spec}],
	['propose', {study => 'east', version => 1, digest => $stolen_digest, spec => $stolen_spec}]);
for my $node ($hospital, $insurer) {
	my $party = $mpc->party($node);
	my $decisions = $mpc->ask($node, "SELECT string_agg(party || decision, ',' ORDER BY party) FROM mpc.approvals WHERE study = 'east'");
	for (@strange) {
		my ($type, $message) = @$_;
		my $answer = says($lab, $node, type => $type, %$message);
		is($answer, qq(42501 $party: "'amphia' is not a party of study 'east'"), "$party refuses $type version $message->{version}");
	}
	for my $type ('start', 'join') {
		my $answer = says($lab, $node, %about, type => $type, protocol => 3, attempt => 'b' x 32, manual => JSON::PP::false, life => 'c' x 32);
		is($answer, qq(55000 $party: "party $party is not ready for study 'east'" $party: "has not received the proposal"), "$party refuses $type");
		is(says($lab, $node, type => $type, protocol => 3, study => 'nowhere', digest => $digest{east}, attempt => 'b' x 32, manual => JSON::PP::false, life => 'c' x 32),
			$answer =~ s/east/nowhere/r, '… as it does for a study that does not exist');
	}
	like(says($lab, $node, type => 'cancel', study => 'east', attempt => $attempt, reason => 'cancelled'),
		qr/^MP004 $party: "party amphia does not take part in the attempt"/, "$party refuses cancel");
	is(says($lab, $node, type => 'head', %about, version => 1, attempt => $attempt, place => 7, head => 'd' x 64), 'accepted',
		"$party takes no notice of a head");
	is($mpc->ask($node, "SELECT count(*) FROM mpc.ledger WHERE study = 'east' AND party = 'amphia'"), '0', "… and its ledger has nothing of amphia");
	is($mpc->ask($node, "SELECT string_agg(party || decision, ',' ORDER BY party) FROM mpc.approvals WHERE study = 'east'"), $decisions,
		'no decision has changed');
	is($mpc->ask($node, "SELECT version, state FROM mpc.studies WHERE study = 'east'"), '1|running', 'the study runs on');
	# The answer to the question "ready?" of a non-party.
	is($node->safe_psql('postgres', "SELECT mpc_internal.control('amphia', '{\"type\": \"ready\", \"study\": \"east\", \"digest\": \"$_\"}')"),
		'{"ready": false, "reason": "has not received the proposal"}', 'a non-party learns nothing of it') for $digest{east}, 'a' x 64;
}
# Decisions on versions that do not exist cannot fill a node's tables.
my $flood = $hospital->safe_psql('postgres', "DO \$\$ BEGIN FOR i IN 2 .. 150 LOOP PERFORM mpc_internal.control('amphia',
	jsonb_build_object('type', 'approve', 'study', 'east', 'version', i, 'digest', repeat('a', 64))); END LOOP;
	EXCEPTION WHEN program_limit_exceeded THEN PERFORM set_config('test.flood', SQLERRM, false); END \$\$;
	SELECT current_setting('test.flood', true)");
like($flood, qr/too many decisions of "amphia"/, 'decisions on versions that do not exist are bounded');

$mpc->release($held);
for my $study (sort keys %job) {
	my ($code, $out, $err) = $mpc->finish($job{$study});
	is($code, 0, "$study ran beside the other") or diag($err);
	for my $node (@{$parties{$study}}) {
		$mpc->become($node, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'");
	}
	is($mpc->ask($parties{$study}[0], "SELECT n FROM mpc.fit('$study')"), '150', "$study is released to its parties");
}

# --- each node sees only its own studies ---
for (['zorgttp', $third, 'west'], ['amphia', $lab, 'east']) {
	my ($name, $node, $other) = @$_;
	for my $view (qw(studies approvals study_history steps ledger models source_uses)) {
		is($mpc->ask($node, "SELECT count(*) FROM mpc.$view AS v WHERE v.study = '$other'"), '0', "$name: nothing of $other in mpc.$view")
			unless $view eq 'ledger' && $node == $lab;
	}
	$mpc->refuses($node, "SELECT * FROM mpc.coefficients('$other')", '42704', qr/study "$other" does not exist/, "$name: no result of $other");
	$mpc->refuses($node, "SELECT * FROM mpc.run_study('$other')", '42704', qr/study "$other" does not exist/, "$name: no start of $other");
}
is($mpc->ask($hospital, "SELECT string_agg(DISTINCT study, ',') FROM mpc.source_uses"), 'east', 'a third party uses no source of its own');
is($mpc->ask($insurer, "SELECT string_agg(study || ' ' || outcome, ', ' ORDER BY study) FROM mpc.source_uses"), 'east released, west released',
	'the source of both counts for both');

# --- only the node of the source names its budget ---
my $budget = $mpc->small_spec(disclosure => {model_budget => 2});
$mpc->prepare_study('budget', $budget, 'small_a', 'small_b');
$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('budget')", 'MP005', qr/model budget.*2 released models/s, 'the owner of the source gets the reason');
for my $node ($hospital, $third) {
	my ($text, $state) = $mpc->refused($node, "SELECT * FROM mpc.run_study('budget')");
	like($text, qr/55000: .*zilveren_kruis cannot start study 'budget'.*DETAIL: .*Only the node of that party has the reason.*HINT: /s,
		$mpc->party($node) . ' learns that the insurer cannot start it');
	unlike($text, qr/small_b|MP005|model|released/, '… and not why');
}
like(slurp_file($insurer->logfile), qr/study budget cannot start here: model budget/, 'the log of the insurer has the reason');

# --- attempts that ended before the match, and the parties of their studies, are not shown to others either ---
$mpc->prepare_study('early', $mpc->small_spec, 'small_a', 'small_b');
my $early = "INSERT INTO mpc_internal.early_attempts (attempt, study, parties, charged) SELECT 'test' || i, 'west', '{amphia,erasmus_mc}', '{erasmus_mc}'
	FROM generate_series(1, 100) AS i";
$insurer->safe_psql('postgres', $early);
$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('early')", '53400', qr/party "erasmus_mc" started or ended too many attempts.*There were 100/s,
	'a user of the node learns which limit');
for my $node ($hospital, $third) {
	my $text = $mpc->refuses($node, "SELECT * FROM mpc.run_study('early')", '53400', qr/zilveren_kruis has reached a limit and cannot start study 'early' now/,
		$mpc->party($node) . ' learns of a limit');
	unlike($text, qr/erasmus_mc|amphia|west|started or ended|There were/, '… and neither parties nor counts');
}
$insurer->safe_psql('postgres', 'DELETE FROM mpc_internal.early_attempts');

# --- pg_mpc.max_studies ---
$lab->append_conf('postgresql.conf', 'pg_mpc.max_studies = 1');
$lab->restart;
$mpc->become($lab, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
for my $study ('one', 'two') {
	my $digest = $mpc->ask($lab, "SELECT mpc.propose_study('$study', '$west')");
	$mpc->ask($lab, $mpc->approval($study, $digest, '', 'small_l'));
	$mpc->ask($insurer, $mpc->approval($study, $digest, '', 'small_b'));
	$mpc->ask($hospital, $mpc->approval($study, $digest, ''));
}
$held = $mpc->hold($insurer, 'small_b');
my $one = $mpc->start_sql($lab, "SELECT count(*) FROM mpc.run_study('one')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = 'one'") for $lab, $insurer, $hospital;
for my $node ($lab, $insurer) {
	my $text = $mpc->refuses($node, "SELECT * FROM mpc.run_study('two')", '54000',
		$node == $lab ? qr/too many studies run on this node.*max_studies is 1/s : qr/amphia has reached a limit and cannot start study 'two' now/,
		'one study more than amphia runs at once, at ' . $mpc->party($node));
	$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress") for $lab, $insurer, $hospital;
}
$mpc->release($held);
is(($mpc->finish($one))[0], 0, 'the first one runs on');
$mpc->ask($lab, "SELECT * FROM mpc.run_study('two')");
is($mpc->state($insurer, 'two'), 'released', 'and the second one after it');

$lab->stop('fast');
$mpc->stop;
done_testing();
