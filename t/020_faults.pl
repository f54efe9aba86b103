# Network faults: whatever happens to the bytes of a study in any step, every node has the correct coefficients or soon
# reports why there are none, and the next study runs.
# Normally one fault per step (a diagonal); with PG_MPC_FULL=1 every fault in every step.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ThreeParties;

my $step_timeout = 8;
# Time until a failing study ends: step_timeout, the message to the others, and a margin for a busy machine.
my $deadline = $step_timeout + 45;
my $mpc = ThreeParties->new('pg_mpc.step_timeout' => "${step_timeout}s", 'pg_mpc.early_attempts' => 0);
my ($hospital, $insurer, $third) = my @nodes = $mpc->nodes;
$mpc->load_small(120);
$mpc->through_relay;

# For each fault: the commands to the relay, with N for the place and P for the port, and whether a study has to survive
# it. A fault that passes within seconds must not end a study.
my %faults = (
	cut => ['cut N P', 1],
	reset => ['reset N P', 1],
	corrupt => ['corrupt N P', 1],
	reorder => ['reorder 300 P', 1],
	throttle => ['rate 60000 P', 1],
	duplicate => ['duplicate P', 'cut N P', 1],
	hole => ['hole N P', 0],
	refuse => ['refuse N P', 0]);
my @faults = qw(cut hole reset duplicate corrupt throttle refuse reorder);

# Bytes on each route at the end of each step of an undisturbed study, relative to its start.
my (%right, %ends);
{
	$mpc->prepare_study('undisturbed', $mpc->small_spec, 'small_a', 'small_b');
	my %before = map { my $from = $_; map { ($mpc->route($from, $_) => $mpc->relay('bytes ' . $mpc->route($from, $_))) }
		  grep { $_ != $from } @nodes } @nodes;
	$mpc->ask($hospital, "SELECT * FROM mpc.run_study('undisturbed')");
	%right = %{$mpc->coefficients($hospital, 'undisturbed')};
	for my $step (1 .. 8) {
		my $when = $mpc->ask($step == 6 ? $third : $hospital, "SELECT extract(epoch FROM max(finished_at))
			FROM mpc.steps WHERE study = 'undisturbed' AND step = $step") || next;
		$ends{$step}{$_} = $mpc->relay("bytes $_ $when") - $before{$_} for keys %before;
	}
	cmp_ok(scalar(keys %ends), '>=', 7, 'the steps of an undisturbed study');
}

# place(STEP, PORT): the byte in the middle of those that the route carries in that step.
sub place {
	my ($step, $port) = @_;
	my $to = $ends{$step}{$port};
	my ($from) = grep { $_ <= $to } map { $ends{$_} ? $ends{$_}{$port} : 0 } reverse 0 .. $step - 1;
	return int(($to + ($from // 0)) / 2);
}

# same(NODE, STUDY): whether the coefficients equal those of the undisturbed study.
sub same {
	my ($node, $study) = @_;
	my $found = $mpc->coefficients($node, $study);
	return !grep { abs($found->{$_} - $right{$_}) > 1e-6 } keys %right;
}

# disturb(STEP, FAULT, FROM, TO): runs a study during which the fault happens on one route.
sub disturb {
	my ($step, $fault, $from, $to) = @_;
	my ($study, $port) = ("s${step}_$fault", $mpc->route($from, $to));
	my @commands = @{$faults{$fault}};
	my $survives = pop @commands;
	my $name = "step $step, $fault, " . $mpc->party($from) . ' to ' . $mpc->party($to);
	subtest $name => sub {
		$mpc->prepare_study($study, $mpc->small_spec, 'small_a', 'small_b');
		my $n = place($step, $port);
		my $happened = $mpc->relay("happened $port") + grep { /\bN\b/ } @commands;
		for my $command (@commands) {
			$mpc->relay($command =~ s/\bN\b/$n/r =~ s/\bP\b/$port/r);
		}
		my $began = time;
		my $job = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('$study')");
		my (undef, undef, $err) = $mpc->finish($job);
		# A node that the start has not reached has no attempt: the study is still approved there.
		my $not_started = "state = 'approved' AND NOT EXISTS (SELECT FROM mpc.ledger AS l
			WHERE l.study = '$study' AND l.attempt IS NOT NULL)";
		for my $node (@nodes) {
			$mpc->become($node, "SELECT state ~ '^(released|failed|cancelled)\$' OR $not_started FROM mpc.studies
				WHERE study = '$study'");
		}
		cmp_ok(time - $began, '<', $deadline, 'ended in time');
		is($mpc->relay("happened $port"), $happened, 'after the fault has happened');
		for my $node (@nodes) {
			my $state = $mpc->state($node, $study);
			if ($state eq 'released') {
				ok(same($node, $study), 'right coefficients at ' . $mpc->party($node));
			} else {
				ok(!$survives, "$state at " . $mpc->party($node)) or diag($err);
				next if $state eq 'approved' && $step == 1;
				like($mpc->ask($node, "SELECT last_error FROM mpc.studies WHERE study = '$study'"),
					qr/erasmus_mc|zilveren_kruis|zorgttp/, 'with a cause that names a party');
			}
		}
		$mpc->relay('heal');
		for my $pair ([$from, $to], [$to, $from]) {
			$mpc->become($pair->[0], "SELECT ok FROM mpc.ping_peer('" . $mpc->party($pair->[1]) . "')");
		}
		$mpc->become($_, "SELECT count(*) = 0 FROM mpc.stat_study_progress") for @nodes;
	};
}

my @links = ([$hospital, $third], [$insurer, $third], [$hospital, $insurer], [$third, $insurer], [$third, $hospital],
	[$insurer, $hospital]);
my $count = 0;
for my $step (sort keys %ends) {
	for my $fault (@faults) {
		next unless $ENV{PG_MPC_FULL} || $fault eq $faults[($step - 1) % @faults];
		# Not every route carries data in every step. This takes one that does.
		my @used = grep { place($step, $mpc->route(@$_)) > 0 } @links;
		disturb($step, $fault, @{$used[$count++ % @used]});
	}
}

# Two studies run at once while the network has a fault. Both are released.
for my $fault (grep { $faults{$_}[-1] } @faults) {
	my $port = $mpc->route($hospital, $third);
	my $n = place(4, $port);
	my @commands = @{$faults{$fault}};
	my @studies = map { $fault . "_$_" } qw(one other);
	$mpc->prepare_study($_, $mpc->small_spec, 'small_a', 'small_b') for @studies;
	$mpc->relay(s/\bN\b/$n/r =~ s/\bP\b/$port/r) for @commands[0 .. $#commands - 1];
	my @jobs = map { $mpc->start_sql($_ == 0 ? $hospital : $insurer, "SELECT * FROM mpc.run_study('$studies[$_]')") } 0, 1;
	for my $i (0, 1) {
		my ($code, undef, $err) = $mpc->finish($jobs[$i]);
		ok($code == 0 && same($third, $studies[$i]), "$fault under two studies at once: $studies[$i]") or diag($err);
	}
	$mpc->relay('heal');
}

# A fault between two parties has no effect on the next study.
$mpc->prepare_study('afterwards', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($third, "SELECT * FROM mpc.run_study('afterwards')");
ok(same($_, 'afterwards'), 'the next study at ' . $mpc->party($_)) for @nodes;

$mpc->stop;
done_testing();
