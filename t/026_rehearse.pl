# Rehearsals: the match alone, between three nodes. What is shown, recorded and charged, and that the study runs afterwards.
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
$mpc->load_small(300);

# uses(NODE): what its sources have been used for.
sub uses {
	my ($node) = @_;
	return $mpc->ask($node, "SELECT string_agg(format('%s %s %s %s', study, outcome, models, numbers), ', ' ORDER BY used_at) FROM mpc.source_uses");
}

# everywhere(STUDY, STATE): every node reaches the state.
sub everywhere {
	my ($study, $state) = @_;
	for my $node ($mpc->nodes) {
		$mpc->become($node, "SELECT state = '$state' FROM mpc.studies WHERE study = '$study'");
		pass("$study: $state at " . $mpc->party($node));
	}
}

# --- the count, its records, and the study afterwards ---
$mpc->prepare_study('heart', $mpc->small_spec, 'small_a', 'small_b');
my $waiting = $mpc->start_sql($hospital, "SELECT mpc.wait_for_study('heart')");
$mpc->become($hospital, "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'active' AND query ~ '^SELECT mpc.wait_for_study'");
my $found = $mpc->ask($hospital, "SELECT n_matched FROM mpc.rehearse('heart')");
cmp_ok($found, '>', 100, 'the number of matched records');
everywhere('heart', 'rehearsed');
for my $node ($mpc->nodes) {
	my $party = $mpc->party($node);
	my $third_party = $node == $third;
	is($mpc->ask($node, "SELECT n_matched FROM mpc.studies WHERE study = 'heart'"), $found, "$party: knows the count");
	is($mpc->ask($node, "SELECT string_agg(name, ' ' ORDER BY finished_at) FROM mpc.steps WHERE study = 'heart'"),
		$third_party ? 'prepare match' : 'prepare agree_key push', "$party: its steps, without key pair and ciphertexts");
	is($mpc->ask($node, "SELECT data_status || ' ' || destroyed::text FROM mpc.steps WHERE study = 'heart' AND step = 4"),
		'none {"hashed identifiers","keys of the attempt"}', "$party: nothing is left of it");
	is($mpc->ask($node, "SELECT string_agg(event || coalesce(' ' || (detail -> 'rehearsal')::text, ''), ', ' ORDER BY id) FROM mpc.ledger
		WHERE study = 'heart' AND event IN ('started', 'opened', 'released', 'failed', 'rehearsed')"),
		'started true, opened, rehearsed', "$party: its ledger");
	is($mpc->ask($node, "SELECT string_agg(event, ', ' ORDER BY id) FROM mpc.study_history WHERE study = 'heart' AND attempt IS NOT NULL"),
		'started, rehearsed', "$party: its history");
}
is($mpc->ask($hospital, "SELECT detail ->> 'what' FROM mpc.study_history WHERE study = 'heart' AND event = 'asked'"), 'rehearse', 'who asked for it');
is(uses($hospital), 'heart ended 1 5', 'one model and its numbers, as after the match');
is(uses($insurer), uses($hospital), 'at the insurer too');
is(uses($third), '', 'the third party has no source');
$mpc->refuses($hospital, "SELECT * FROM mpc.coefficients('heart')", '55000', qr/has no result.*Its state is rehearsed/s, 'a rehearsal has no result');
is($mpc->ask($insurer, "SELECT n_matched FROM mpc.rehearse('heart')"), $found, 'once more, from the insurer');
is(($mpc->refused($third, "SELECT * FROM mpc.run_study('heart')"))[0], '', 'the study runs after it');
everywhere('heart', 'released');
my ($waited, $outcome) = $mpc->finish($waiting);
is("$waited $outcome", '0 released', 'who waits for the study waits for its release');
is($mpc->ask($hospital, "SELECT n_matched FROM mpc.studies WHERE study = 'heart'"), $found, 'with as many records');
$mpc->refuses($hospital, "SELECT mpc.rehearse('heart')", '55000', qr/study "heart" is released/, 'a released study has nothing to rehearse');
is($mpc->ask($_, 'SELECT intact FROM mpc.verify_ledger()'), 't', 'the ledger is intact at ' . $mpc->party($_)) for $mpc->nodes;

# --- what a study refuses at the match, a rehearsal refuses ---
$mpc->ask($hospital, 'CREATE TABLE few AS SELECT id + 250 AS id, x1, x2 FROM small_a');
$mpc->prepare_study('few', $mpc->small_spec, 'few', 'small_b');
my ($text, $state) = $mpc->refused($hospital, "SELECT mpc.rehearse('few')");
is($state, 'MP005', 'too few matches');
like($text, qr/a disclosure rule of the agreed spec refused the study/, 'with the text of every refusal');
everywhere('few', 'failed');
for my $node ($mpc->nodes) {
	is($mpc->ask($node, "SELECT (SELECT n_matched IS NULL FROM mpc.studies WHERE study = 'few') AND NOT EXISTS (
		SELECT FROM mpc.ledger WHERE study = 'few' AND detail -> 'what' ? 'match count')"), 't', 'the count appears nowhere at ' . $mpc->party($node));
}
like(uses($hospital), qr/few refused 1 5$/, 'the refusal counts');

# --- the budget ---
$mpc->ask($hospital, 'CREATE TABLE other_a AS SELECT id, x1, x2 + 1 AS x2 FROM small_a');
$mpc->ask($insurer, 'CREATE TABLE other_b AS SELECT id, x3, y + 1 AS y FROM small_b');
$mpc->prepare_study('budget', $mpc->small_spec(disclosure => {model_budget => 1, min_cohort_change => 0, max_leverage => 1}), 'other_a', 'other_b');
is($mpc->ask($hospital, "SELECT mpc.rehearse('budget')"), $found, 'a budget of one model');
everywhere('budget', 'rehearsed');
$mpc->refuses($hospital, "SELECT mpc.rehearse('budget')", 'MP005', qr/model budget of the source is used up/, 'is used up by a rehearsal');

# --- no rehearsal while the study runs ---
$mpc->prepare_study('mixed', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.05}), 'small_a', 'small_b');
my $held = $mpc->hold($insurer, 'small_b');
my $job = $mpc->start_sql($hospital, "SELECT mpc.rehearse('mixed')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = 'mixed'") for $mpc->nodes;
for my $node ($mpc->nodes) {
	$mpc->refuses($node, "SELECT mpc.start_study('mixed')", '55000', qr/study "mixed" is being rehearsed/, 'a start during a rehearsal at ' . $mpc->party($node));
	$mpc->refuses($node, "SELECT * FROM mpc.prepare('mixed')", '55000', qr/study "mixed" is being rehearsed|runs automatically/, 'a single step at ' . $mpc->party($node));
}
$mpc->release($held);
my ($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'the rehearsal continues') or diag($err);
like($err, qr/NOTICE: .*step 4 push/, 'it tells its steps');
everywhere('mixed', 'rehearsed');
$held = $mpc->hold($insurer, 'small_b');
$job = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('mixed')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = 'mixed'") for $mpc->nodes;
$mpc->refuses($_, "SELECT mpc.rehearse('mixed')", '55000', qr/study "mixed" is already running/, 'a rehearsal during a run at ' . $mpc->party($_)) for $mpc->nodes;
$mpc->ask($third, "SELECT mpc.cancel_study('mixed')");
($code, $out, $err) = $mpc->finish($job);
isnt($code, 0, 'cancelled');
$mpc->release($held);

# --- a rehearsal that is cancelled before the match reveals nothing and charges nothing ---
$mpc->become($_, "SELECT state ~ 'cancelled|failed' FROM mpc.studies WHERE study = 'mixed'") for $mpc->nodes;
my $before = uses($hospital);
$held = $mpc->hold($insurer, 'small_b');
$job = $mpc->start_sql($hospital, "SELECT mpc.rehearse('mixed')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = 'mixed'") for $mpc->nodes;
$mpc->ask($insurer, "SELECT mpc.cancel_study('mixed')");
($code, $out, $err) = $mpc->finish($job);
like($err, qr/57014|MP002/, 'cancel_study ends a rehearsal') or diag($err);
$mpc->become($_, "SELECT state ~ 'cancelled|failed' FROM mpc.studies WHERE study = 'mixed'") for $mpc->nodes;
is(uses($hospital), $before, 'nothing is charged');
$mpc->release($held);

$mpc->stop;
done_testing();
