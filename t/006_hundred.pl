# Approving on three nodes and running at once, many times in a row: the start asks each peer directly, so there is
# no moment at which a fresh approval is not yet known. 100 times in the full run, 10 times otherwise.
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

# The budget of models per source is not what is tested here.
my $spec = $mpc->small_spec(disclosure => {model_budget => 1000});
my @failed;
for my $time (1 .. $times) {
	my $study = "again_$time";
	my $digest = $mpc->propose($study, $spec);
	# The three approvals at the same time; the proposal may not have reached the peers yet.
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
