# Many studies at once and many in a row: the results are correct, and no resource use grows.
# Normally 3 at once and 8 in a row; with PG_MPC_FULL=1 20 at once and 200 in a row.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ThreeParties;

my ($at_once, $in_a_row) = $ENV{PG_MPC_FULL} ? (20, 200) : (3, 8);
my $mpc = ThreeParties->new('pg_mpc.max_studies' => 20, 'max_worker_processes' => 32, 'max_connections' => 60,
	'pg_mpc.threads' => 1, 'pg_mpc.step_timeout' => '180s', 'max_wal_size' => '64MB');
my ($hospital, $insurer, $third) = my @nodes = $mpc->nodes;
$mpc->load_small(120);
# The default model_budget of a source is 100.
my $spec = $mpc->small_spec(disclosure => {model_budget => 1000});

sub same {
	my ($study, $right) = @_;
	my $found = $mpc->coefficients($hospital, $study);
	return !grep { abs($found->{$_} - $right->{$_}) > 1e-6 } keys %$right;
}

# workers(NODE): {name => pid} of its static workers.
sub workers {
	my ($node) = @_;
	my ($postmaster) = split /\n/, ThreeParties::slurp($node->data_dir . '/postmaster.pid');
	my %found;
	for my $pid (grep { /^\d+$/ } map { s{/proc/}{}r } glob '/proc/[0-9]*') {
		open my $file, '<', "/proc/$pid/stat" or next;    # the process may have ended
		my $line = <$file> // '';
		my ($parent) = $line =~ /^\d+ \(.*\) \S (\d+)/ or next;
		next unless $parent == $postmaster;
		open $file, '<', "/proc/$pid/cmdline" or next;
		my ($name) = (<$file> // '') =~ /pg_mpc (listener|coordinator)/ or next;
		$found{$name} = $pid;
	}
	return %found;
}

# usage(NODE): descriptors and resident kilobytes of the static workers, and kilobytes of WAL.
sub usage {
	my ($node) = @_;
	my %workers = workers($node);
	my %usage;
	for my $name (keys %workers) {
		$usage{"$name descriptors"} = () = glob "/proc/$workers{$name}/fd/*";
		($usage{"$name memory"}) = ThreeParties::slurp("/proc/$workers{$name}/status") =~ /^RssAnon:\s+(\d+) kB/m;
	}
	$usage{sockets} = () = glob $node->data_dir . '/pg_mpc/*';
	return \%usage;
}

# --- at once ---

$mpc->prepare_study('first', $spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('first')");
my $right = $mpc->coefficients($hospital, 'first');
$mpc->prepare_study("load$_", $spec, 'small_a', 'small_b') for 1 .. $at_once;
my $began = time;
my @jobs = map { $mpc->start_sql($nodes[$_ % 3], "SELECT * FROM mpc.run_study('load$_')") } 1 .. $at_once;
for my $number (1 .. $at_once) {
	my ($code, undef, $err) = $mpc->finish($jobs[$number - 1]);
	ok($code == 0 && same("load$number", $right), "study $number of $at_once at once") or diag($err);
}
note(sprintf 'measured: %d studies at once: %.1f s', $at_once, time - $began);

# --- in a row ---

$began = time;
my %before;
for my $number (1 .. $in_a_row) {
	# The first ones fill caches and pools.
	if ($number == 4) { $before{$mpc->party($_)} = usage($_) for @nodes; }
	$mpc->prepare_study("row$number", $spec, 'small_a', 'small_b');
	$mpc->ask($nodes[$number % 3], "SELECT * FROM mpc.run_study('row$number')");
	ok(same("row$number", $right), "study $number in a row") if $number % 20 == 0 || $number == $in_a_row;
}
note(sprintf 'measured: %d studies in a row: %.1f s each', $in_a_row, (time - $began) / $in_a_row);
for my $node (@nodes) {
	my ($party, $after) = ($mpc->party($node), undef);
	my $before = $before{$party};
	$mpc->become($node, "SELECT count(*) = 0 FROM mpc.stat_study_progress");
	# Idle connections of engines that have ended are closed soon.
	my $deadline = time + 20;
	do {
		$after = usage($node);
	} while (time < $deadline && grep { /descriptors|sockets/ && $after->{$_} > $before->{$_} + 4 } keys %$before);
	for my $what (sort grep { !/memory/ } keys %$before) {
		cmp_ok($after->{$what}, '<=', $before->{$what} + 4, "$party: no growth of $what");
	}
	for my $what (sort grep { /memory/ } keys %$before) {
		cmp_ok($after->{$what}, '<=', $before->{$what} + 4096 + 20 * $in_a_row, "$party: bounded $what (kB)");
		note("measured: $party: $what $before->{$what} kB, later $after->{$what} kB");
	}
	$node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT');
	my $wal = $node->safe_psql('postgres', 'SELECT sum(size) / 1024 FROM pg_ls_waldir()');
	cmp_ok($wal, '<=', 160 * 1024, "$party: WAL is not retained (kB)");
}

$mpc->stop;
done_testing();
