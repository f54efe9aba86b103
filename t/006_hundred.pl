# Approves on three nodes and starts at once, many times in a row. The start asks each peer directly, so a fresh approval
# is always known. 100 times with PG_MPC_FULL=1, 10 times otherwise.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $times = $ENV{PG_MPC_TIMES} || ($ENV{PG_MPC_FULL} ? 100 : 10);
my $mpc = ThreeParties->new;
my @nodes = $mpc->nodes;
$mpc->load_small(150);

# The model budget is not tested here.
my $spec = $mpc->small_spec(disclosure => {model_budget => 1000});
my @failed;
for my $time (1 .. $times) {
	my $study = "again_$time";
	my $digest = $mpc->propose($study, $spec);
	# The three approvals run at the same time. The proposal may not have reached the peers yet.
	my @approvals = map { $mpc->start_sql($nodes[$_], $mpc->approval($study, $digest, ('hospital', 'insurer', 'third')[$_],
				('small_a', 'small_b', undef)[$_])) } 0 .. 2;
	my @said = map { ($mpc->finish($_))[2] } @approvals;
	my $starter = $nodes[$time % 3];
	my ($error) = $mpc->refused($starter, "SELECT * FROM mpc.run_study('$study')");
	push @failed, "$time at " . $mpc->party($starter) . ": @said$error" if $error ne '' || grep { /ERROR/ } @said;
}
is(scalar(@failed), 0, "approved and run at once $times times") or diag(join "\n", @failed);
for my $node (@nodes) {
	$mpc->become($node, "SELECT count(*) = 0 FROM mpc.studies WHERE state = 'running'");
	is($mpc->ask($node, "SELECT count(*) FROM mpc.studies WHERE study LIKE 'again_%' AND state = 'released'"), $times,
		$mpc->party($node) . ' holds all of them');
	$mpc->become($node, 'SELECT count(*) = 0 FROM mpc.stat_study_progress');
	pass('and no engine is left');
}

$mpc->stop;
done_testing();
