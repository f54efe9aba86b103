# Studies that end early: cancellation, timeout, a lost peer. Every node reports it soon and runs the next study.
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
# All studies are approved first: an approval reads its source, which hold() locks.
$mpc->prepare_study($_, $mpc->small_spec, 'small_a', 'small_b')
  for qw(cancelled backend timeout waited stopped crashed shutdown);

# start(STUDY, NODE, SQL): starts a study, waits until it runs on every node, and returns the session that waits for it.
sub start {
	my ($study, $node, $sql) = @_;
	my $job = $mpc->start_sql($node, $sql);
	$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = '$study'") for $mpc->nodes;
	return $job;
}

# ended(STUDY, STATE, NAME): every node reaches a final state and no engine remains.
sub ended {
	my ($study, $state, $name) = @_;
	for my $node ($mpc->nodes) {
		$mpc->become($node, "SELECT state ~ '^($state)\$' FROM mpc.studies WHERE study = '$study'");
		$mpc->become($node, "SELECT count(*) = 0 FROM mpc.stat_study_progress WHERE study = '$study'");
		pass("$name: ended at " . $mpc->party($node));
	}
}

my $held = $mpc->hold($insurer, 'small_b');
my $job = start('cancelled', $hospital, "SELECT * FROM mpc.run_study('cancelled')");
$mpc->refuses($hospital, "SELECT * FROM mpc.prepare('cancelled')", '55000', qr/"cancelled" runs automatically/,
	'a single step of a study that runs automatically');
$mpc->ask($insurer, "SELECT mpc.cancel_study('cancelled')");
my ($code, $out, $err) = $mpc->finish($job);
isnt($code, 0, 'cancel_study ends run_study');
like($err, qr/57014|MP002/, 'with the SQLSTATE of a cancelled study') or diag($err);
ended('cancelled', 'cancelled|failed', 'cancel_study');

$job = start('backend', $hospital, "SELECT * FROM mpc.run_study('backend')");
is($mpc->ask($hospital, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active'
	AND query = 'SELECT * FROM mpc.run_study(''backend'')'"), 't', 'pg_cancel_backend');
($code, $out, $err) = $mpc->finish($job);
like($err, qr/57014.*user request/s, 'pg_cancel_backend ends run_study');
ended('backend', 'cancelled|failed', 'pg_cancel_backend');

$job = start('timeout', $hospital, "SET statement_timeout = '4s'; SELECT * FROM mpc.run_study('timeout')");
($code, $out, $err) = $mpc->finish($job);
like($err, qr/57014.*statement timeout/s, 'statement_timeout ends run_study');
ended('timeout', 'cancelled|failed', 'statement_timeout');
$mpc->release($held);

# Cancelling wait_for_study ends the wait only.
$held = $mpc->hold($insurer, 'small_b');
$mpc->ask($hospital, "SELECT mpc.start_study('waited')");
$mpc->refuses($hospital, "SET statement_timeout = '300ms'; SELECT mpc.wait_for_study('waited')", '57014',
	qr/statement timeout/, 'wait_for_study under statement_timeout');
$mpc->release($held);
is($mpc->ask($hospital, "SELECT mpc.wait_for_study('waited')"), 'released', 'the study went on and was released');

# A peer whose server stops: the others name it.
my $lost = $mpc->hold($insurer, 'small_b');
$job = start('stopped', $hospital, "SELECT * FROM mpc.run_study('stopped')");
$insurer->stop('fast');
$lost->{run}->finish;
($code, $out, $err) = $mpc->finish($job);
like($err, qr/MP00[123]/, 'a peer that stops: its own SQLSTATE');
like($err, qr/zilveren_kruis/, 'and its name') or diag($err);
$insurer->start;
ended('stopped', 'cancelled|failed', 'a stopped peer');

# A peer whose server crashes.
$held = $mpc->hold($insurer, 'small_b');
$job = start('crashed', $hospital, "SELECT * FROM mpc.run_study('crashed')");
$third->stop('immediate');
($code, $out, $err) = $mpc->finish($job);
like($err, qr/MP00[123]/, 'a peer that crashes: its own SQLSTATE');
like($err, qr/zorgttp|zilveren_kruis/, 'and a name') or diag($err);
$third->start;
ended('crashed', 'cancelled|failed', 'a crashed peer');
$mpc->release($held);
like($mpc->ask($third, "SELECT last_error FROM mpc.studies WHERE study = 'crashed'"), qr/restart/,
	'the crashed node says why its study failed');

# A failed study may be started again: its approvals are still valid, and all random values are new.
$mpc->ask($third, "SELECT * FROM mpc.run_study('crashed')");
is($mpc->ended($third, 'crashed'), 'released', 'the same study runs again');

# A server stops at once while an engine runs.
$held = $mpc->hold($insurer, 'small_b');
$job = start('shutdown', $hospital, "SELECT * FROM mpc.run_study('shutdown')");
ok($third->stop('fast'), 'a fast shutdown does not wait for the study');
$mpc->finish($job);
$mpc->release($held);

$mpc->stop;
done_testing();
