# A study is released at all parties or at none, and every recipient gets the result. Nothing is opened before all can store
# it, and a node that has missed the result gets it from another recipient.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(200);

sub begin {
	my ($study, $spec, $tables) = @_;
	$mpc->prepare_study($study, $spec, 'small_a', 'small_b');
	my @held = map { $mpc->hold_internal(@$_) } @$tables;
	return ($mpc->start_sql($hospital, "SELECT count(*) FROM mpc.run_study('$study')"), @held);
}
my $numbers = "SELECT md5(string_agg(c::text, '|' ORDER BY attribute)) FROM mpc.coefficients('%s') AS c";
my $awaited = 'SELECT count(*) FROM mpc_internal.awaited_results';
sub budget { return $mpc->ask($_[0], "SELECT outcome, models FROM mpc.source_uses WHERE study = '$_[1]'") }

# --- a recipient whose server ends before its tables take the result ---
my $from = -s $insurer->logfile;
my ($job, $held) = begin('lost', $mpc->small_spec, [[$insurer, 'relations']]);
$insurer->wait_for_log(qr/could not record the result of study lost/, $from);
my ($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'the hospital has its result') or diag($err);
$insurer->stop('immediate');
$mpc->release($held);
$insurer->start;
$mpc->become($insurer, "SELECT state = 'released' AND last_error IS NULL FROM mpc.studies WHERE study = 'lost'");
my $result = sprintf $numbers, 'lost';
is($mpc->ask($insurer, $result), $mpc->ask($hospital, $result), 'the insurer gets the same numbers');
like($mpc->ask($insurer, "SELECT detail ->> 'from' FROM mpc.ledger WHERE study = 'lost' AND event = 'released'"),
	qr/^(?:erasmus_mc|zorgttp)$/, 'its ledger says whose copy it is');
is(budget($insurer, 'lost'), 'released|1', 'the budget knows it');
is($mpc->ask($insurer, "SELECT intact FROM mpc.verify_ledger()"), 't', 'the ledger is whole');
is($insurer->safe_psql('postgres', $awaited), '0', 'nothing is awaited any more');

# The result is sent only to recipients of the study, within 30 days.
sub outcome {
	my ($node, $study, $asker) = @_;
	return $node->safe_psql('postgres', "SELECT mpc_internal.control_outcome('$asker', jsonb_build_object('study', study, 'version', version, "
		. "'digest', digest, 'attempt', attempt)) - 'result' || jsonb_build_object('numbers', mpc_internal.control_outcome('$asker', "
		. "jsonb_build_object('study', study, 'version', version, 'digest', digest, 'attempt', attempt)) ? 'result') "
		. "FROM mpc_internal.studies WHERE study = '$study'");
}
is(outcome($hospital, 'lost', 'zilveren_kruis'), '{"state": "released", "numbers": true}', 'a recipient gets the numbers');
is(outcome($hospital, 'lost', 'someone_else'), '{"state": "ended", "numbers": false}', 'others not even that there is such a study');
$hospital->safe_psql('postgres', "UPDATE mpc_internal.studies SET finished_at = finished_at - interval '31 days' WHERE study = 'lost'");
is(outcome($hospital, 'lost', 'zilveren_kruis'), '{"state": "released", "numbers": false}', 'after 30 days only that it was released');

# --- one recipient: the others call the study released when it has stored the result ---
my $alone = $mpc->small_spec(recipients => ['erasmus_mc']);
($job, $held) = begin('alone', $alone, [[$hospital, 'relations']]);
for my $node ($insurer, $third) {
	$mpc->become($node, "SELECT EXISTS (SELECT FROM mpc_internal.awaited_results WHERE study = 'alone' AND asking)");
	is($mpc->state($node, 'alone'), 'running', $mpc->party($node) . ' waits for the recipient');
}
$mpc->refuses($third, "SELECT mpc.cancel_study('alone')", '55000', qr/the result of study "alone" is opened/, 'it cannot be cancelled');
$mpc->release($held);
($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'released') or diag($err);
is($mpc->ended($_, 'alone'), 'released', 'at ' . $mpc->party($_)) for $mpc->nodes;
is($mpc->ask($_, "SELECT count(*) FROM mpc.models WHERE study = 'alone' AND coefficient <> '{}'"), '0', 'no numbers at ' . $mpc->party($_))
	for $insurer, $third;
is(outcome($hospital, 'alone', 'zilveren_kruis'), '{"state": "released", "numbers": false}', 'a party that is not a recipient gets no numbers');

# The only recipient loses the result: all agree that the study has failed, and the budget counts the attempt.
$from = -s $hospital->logfile;
($job, $held) = begin('gone', $alone, [[$hospital, 'relations']]);
$hospital->wait_for_log(qr/could not record the result of study gone/, $from);
$mpc->become($third, "SELECT EXISTS (SELECT FROM mpc_internal.awaited_results WHERE study = 'gone' AND asking)");
$hospital->stop('immediate');
$mpc->finish($job);
$mpc->release($held);
$hospital->start;
is($mpc->ended($_, 'gone'), 'failed', 'failed at ' . $mpc->party($_)) for $mpc->nodes;
$mpc->become($_, "SELECT count(*) = 0 FROM mpc_internal.awaited_results") for $mpc->nodes;
is(budget($hospital, 'gone'), 'ended|1', 'counted at the hospital, the only one that could have stored the result');
is(budget($insurer, 'gone'), 'released|1', 'counted as released at the insurer, which cannot verify what the recipient says');
$mpc->ask($hospital, "SELECT count(*) FROM mpc.run_study('gone')");
is($mpc->ended($_, 'gone'), 'released', 'the same study runs afterwards') for $mpc->nodes;

# --- a party that cannot store the result for longer than the others wait: nothing is opened ---
for my $node ($mpc->nodes) {
	$node->append_conf('postgresql.conf', "pg_mpc.step_timeout = '5s'");
	$node->reload;
	$mpc->become($node, "SELECT current_setting('pg_mpc.step_timeout') = '5s'");
}
($job, $held) = begin('full', $mpc->small_spec, [[$insurer, 'awaited_results']]);
($code, $out, $err) = $mpc->finish($job);
isnt($code, 0, 'it ends for the hospital');
$mpc->release($held);
is($mpc->ended($_, 'full'), 'failed', 'failed at ' . $mpc->party($_)) for $mpc->nodes;
$mpc->become($_, "SELECT count(*) = 0 FROM mpc_internal.awaited_results") for $mpc->nodes;
is($mpc->ask($_, "SELECT count(*) FROM mpc.models WHERE study = 'full'"), '0', 'nothing released at ' . $mpc->party($_)) for $mpc->nodes;
is(budget($_, 'full'), 'released|1', 'counted as released at ' . $mpc->party($_)) for $hospital, $insurer;

# --- the only recipient takes longer than the others wait: a new start does not lose the opened result ---
($job, $held) = begin('slow', $alone, [[$hospital, 'relations']]);
$mpc->become($_, "SELECT state = 'failed' FROM mpc.studies WHERE study = 'slow'") for $insurer, $third;
my ($text) = $mpc->refused($insurer, "SELECT mpc.start_study('slow')");
like($text, qr/erasmus_mc cannot start study .slow./, 'the recipient does not start again');
$mpc->release($held);
($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'it has its result') or diag($err);
$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = 'slow'") for $mpc->nodes;
is($hospital->safe_psql('postgres', "SELECT count(*) FROM mpc_internal.ledger WHERE study = 'slow' AND event = 'started'"), '1', 'of its one attempt');
is($mpc->ask($_, "SELECT n_matched FROM mpc.studies WHERE study = 'slow'"), $mpc->ask($hospital, "SELECT n_matched FROM mpc.studies WHERE study = 'slow'"),
	'with its count at ' . $mpc->party($_)) for $insurer, $third;
$mpc->become($_, "SELECT count(*) = 0 FROM mpc_internal.awaited_results") for $mpc->nodes;

# --- an answer that is not a result of the study has no effect ---
my $version = "SELECT study, version, digest, attempt FROM mpc_internal.studies WHERE study = 'full'";
$insurer->safe_psql('postgres', "INSERT INTO mpc_internal.awaited_results (attempt, study, version, asking, matched) "
	. "SELECT attempt, study, version, true, n_matched FROM mpc_internal.studies WHERE study = 'full'");
my $good = $hospital->safe_psql('postgres', "SELECT mpc_internal.result_of('lost', 1) || jsonb_build_object('matched', 0)");
my $matched = $insurer->safe_psql('postgres', "SELECT n_matched FROM mpc_internal.studies WHERE study = 'full'");
my %wrong = (
	'another number of records' => "jsonb_set(r, '{matched}', '7')",
	'a lambda too many' => "jsonb_set(r, '{relations,1,rows}', (r #> '{relations,1,rows}') || jsonb_set(r #> '{relations,1,rows,0}', '{lambda}', '0.5'))",
	'an attribute too few' => "r #- '{relations,0,rows,0}'",
	'another attribute' => "jsonb_set(r, '{relations,0,rows,0,attribute}', '\"x9\"')",
	'an attribute twice' => "jsonb_set(r, '{relations,0,rows,0}', r #> '{relations,0,rows,1}')",
	'no coefficients' => "r #- '{relations,0}'",
	'another analysis' => "jsonb_set(r, '{relations,0,analysis}', '\"x\"')",
	'a text for a count' => "jsonb_set(r, '{relations,1,rows,0,iterations}', '\"x\"')",
	'a key too many' => "jsonb_set(r, '{relations,1,rows,0,more}', '1')",
	'no relations' => "r - 'relations'",
	'no number' => "jsonb_set(r, '{relations,0,rows,0,coefficient}', '\"x\"')");
my $stub = "jsonb_set(jsonb_set('$good'::jsonb, '{matched}', '$matched'), '{relations,1,rows,0,n}', '$matched')";
for my $name (sort keys %wrong) {
	my ($stdout, $stderr) = ('', '');
	my $status = $insurer->psql('postgres', "SELECT mpc_internal.outcome_received(attempt, 'erasmus_mc', jsonb_build_object('state', 'released', "
		. "'result', $wrong{$name}), NULL) FROM (SELECT $stub AS r) AS g, ($version) AS s", stdout => \$stdout, stderr => \$stderr);
	isnt($status, 0, "$name is refused");
	like($stderr, qr/party erasmus_mc sent a result that does not belong to this study/, '… as what it is');
}
is($insurer->safe_psql('postgres', "SELECT mpc_internal.outcome_received(attempt, 'zorgttp', '{\"state\": \"released\"}', NULL) FROM ($version) AS s"),
	'', 'no result is none');
is($mpc->state($insurer, 'full'), 'failed', 'the study has its state');
# Another attempt has begun and ended before its match: the record of the undecided attempt is kept.
my $attempt = $insurer->safe_psql('postgres', "SELECT attempt FROM ($version) AS s");
$insurer->safe_psql('postgres', "UPDATE mpc_internal.studies SET attempt = repeat('0', 32), n_matched = NULL WHERE study = 'full'");
$version =~ s/attempt/'$attempt' AS attempt/;
is($insurer->safe_psql('postgres', "SELECT mpc_internal.outcome_received(attempt, 'erasmus_mc', jsonb_build_object('state', 'released', 'result', r), NULL) "
	. "FROM (SELECT $stub AS r) AS g, ($version) AS s"), 'released', 'and a result that fits is taken');
is($insurer->safe_psql('postgres', "SELECT attempt, n_matched FROM mpc_internal.studies WHERE study = 'full'"), "$attempt|$matched", 'with its attempt and count');

# A later message that an earlier attempt was released too has no effect.
my $doubt = "INSERT INTO mpc_internal.awaited_results (attempt, study, version, asking, matched) "
	. "SELECT repeat('0', 32), study, version, true, n_matched FROM mpc_internal.studies WHERE study = '%s'";
$third->safe_psql('postgres', sprintf $doubt, 'gone');
my $kept = "SELECT attempt, finished_at, (SELECT count(*) FROM mpc_internal.ledger AS l WHERE l.study = s.study) FROM mpc_internal.studies AS s WHERE study = 'gone'";
my $before = $third->safe_psql('postgres', $kept);
is($third->safe_psql('postgres', "SELECT mpc_internal.outcome_received(repeat('0', 32), 'erasmus_mc', '{\"state\": \"released\"}', '{}')"), '', 'a second release is none');
is($third->safe_psql('postgres', $kept), $before, 'what is released stays');
is($third->safe_psql('postgres', $awaited), '0', 'and nothing more is asked');

# --- while its tables cannot be read, a node cannot ask; afterwards it asks the recipients without another trigger ---
$insurer->safe_psql('postgres', sprintf $doubt, 'lost');
$held = $mpc->hold_internal($insurer, 'awaited_results');
$from = -s $insurer->logfile;
$insurer->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_mpc coordinator'");
$insurer->wait_for_log(qr/could not read which results this node awaits/, $from);
$mpc->release($held);
$mpc->become($insurer, "SELECT ($awaited) = 0");
is($mpc->state($insurer, 'lost'), 'released', 'what is released stays');

$mpc->stop;
done_testing();
