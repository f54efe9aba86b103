# A step includes its record: when a table cannot be written for a while, the attempt waits, and no row, result or end is
# lost.
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

# locked(TABLE): locks the table at the insurer until it is released.
sub locked { return $mpc->hold_internal($insurer, $_[0]) }
# tries(TEXT): waits until the insurer has failed to record it.
sub tries {
	my ($what, $from) = @_;
	$insurer->wait_for_log(qr/could not record \Q$what\E/, $from);
}
sub log_end { return -s $insurer->logfile }

# --- rows of steps: the study waits, then has them all ---
$mpc->prepare_study('usual', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT count(*) FROM mpc.run_study('usual')");
my $rows = "SELECT string_agg(name, ' ' ORDER BY step, name) FROM mpc.steps WHERE party = 'zilveren_kruis' AND study = ";
my $ledger = "SELECT string_agg(event, ' ' ORDER BY id) FROM mpc.ledger WHERE attempt IS NOT NULL AND event <> 'head' AND study = ";
my ($all, $entries) = map { $mpc->ask($insurer, "$_ 'usual'") } $rows, $ledger;
$mpc->prepare_study('steps', $mpc->small_spec, 'small_a', 'small_b');
my $from = log_end();
my $held = locked('steps');
my $job = $mpc->start_sql($hospital, "SELECT count(*) FROM mpc.run_study('steps')");
tries('step prepare of study steps', $from);
is($mpc->state($hospital, 'steps'), 'running', 'the others wait');
$mpc->release($held);
my ($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'the study continues when the rows can be written') or diag($err);
is($mpc->ended($insurer, 'steps'), 'released', 'released');
is($mpc->ask($insurer, "$rows 'steps'"), $all, 'every step has its row');
is($mpc->ask($insurer, "$ledger 'steps'"), $entries, 'and its entry in the ledger');

# --- the result: kept until it is stored; the study cannot end otherwise ---
$mpc->prepare_study('result', $mpc->small_spec, 'small_a', 'small_b');
$from = log_end();
$held = locked('relations');
$job = $mpc->start_sql($hospital, "SELECT count(*) FROM mpc.run_study('result')");
tries('the result of study result', $from);
($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'the others have their result') or diag($err);
is($mpc->state($insurer, 'result'), 'running', 'the insurer has not stored it');
$mpc->refuses($insurer, "SELECT mpc.cancel_study('result')", '55000', qr/the result of study "result" is opened/,
	'what is opened cannot be cancelled');
$mpc->release($held);
is($mpc->ended($insurer, 'result'), 'released', 'stored in the end');
is($mpc->ask($insurer, "SELECT count(*) FROM mpc.coefficients('result')"), $mpc->ask($hospital, "SELECT count(*) FROM mpc.coefficients('result')"),
	'with all of its numbers');
is($mpc->ask($insurer, "SELECT outcome, models FROM mpc.source_uses WHERE study = 'result'"), 'released|1', 'the budget knows it');

# --- the end of an attempt ---
$mpc->prepare_study('end', $mpc->small_spec, 'small_a', 'small_b');
my $source = $mpc->hold($hospital, 'small_a');
$job = $mpc->start_sql($hospital, "SELECT count(*) FROM mpc.run_study('end')");
$mpc->become($insurer, "SELECT state = 'running' FROM mpc.studies WHERE study = 'end'");
$from = log_end();
$held = locked('ledger');
$mpc->ask($hospital, "SELECT mpc.cancel_study('end')");
tries('the end of study end', $from);
$mpc->release($held);
is($mpc->ended($insurer, 'end'), 'cancelled', 'the end is recorded when it can be');
$mpc->release($source);
$mpc->finish($job);

# --- the end of a rehearsal: the count is known, so it cannot end otherwise ---
$mpc->prepare_study('rehearsal', $mpc->small_spec, 'small_a', 'small_b');
$source = $mpc->hold($hospital, 'small_a');
$job = $mpc->start_sql($hospital, "SELECT mpc.rehearse('rehearsal')");
$mpc->become($insurer, "SELECT state = 'running' FROM mpc.studies WHERE study = 'rehearsal'");
$from = log_end();
$held = locked('source_uses');
$mpc->release($source);
tries('the end of the rehearsal of study rehearsal', $from);
($code, $out, $err) = $mpc->finish($job);
is("$code $out", '0 200', 'the hospital has the number of matched records') or diag($err);
is($mpc->state($insurer, 'rehearsal'), 'running', 'the insurer has not recorded the end');
$mpc->refuses($insurer, "SELECT mpc.cancel_study('rehearsal')", '55000', qr/the match of study "rehearsal" is opened/,
	'what is opened cannot be cancelled');
$mpc->release($held);
is($mpc->ended($insurer, 'rehearsal'), 'rehearsed', 'recorded in the end');
is($mpc->ask($insurer, "SELECT outcome, models FROM mpc.source_uses WHERE study = 'rehearsal'"), 'ended|1', 'and charged');

# --- for longer than the others wait: the attempt ends before anything is opened, and the error has the reason ---
for my $node ($mpc->nodes) {
	$node->append_conf('postgresql.conf', "pg_mpc.step_timeout = '5s'");
	$node->reload;
	$mpc->become($node, "SELECT current_setting('pg_mpc.step_timeout') = '5s'");
}
$mpc->prepare_study('late', $mpc->small_spec, 'small_a', 'small_b');
$held = locked('steps');
my ($text, $state) = $mpc->refused($hospital, "SELECT * FROM mpc.run_study('late')");
like($state, qr/^MP00[123]$/, 'it ends for the others') or diag($text);
$mpc->release($held);
is($mpc->ended($_, 'late'), 'failed', 'failed at ' . $mpc->party($_)) for $mpc->nodes;
is($mpc->ask($_, "SELECT count(*) FROM mpc.models WHERE study = 'late'"), '0', 'nothing released') for $mpc->nodes;
$mpc->ask($hospital, "SELECT count(*) FROM mpc.run_study('late')");
is($mpc->ended($insurer, 'late'), 'released', 'the same study runs afterwards');

$mpc->stop;
done_testing();
