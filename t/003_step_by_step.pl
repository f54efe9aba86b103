# A study in step-by-step mode: three psql sessions call the steps of their nodes in order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use JSON::PP;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '20s');
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(300);
$mpc->prepare_study('hand', $mpc->small_spec, 'small_a', 'small_b');

# statement(NAME): the statement of one step.
sub statement { return "SELECT row_to_json(s) FROM mpc.$_[0]('hand') AS s"; }

# together(NAME, NODES...): runs the same step on several nodes at the same time.
sub together {
	my ($name, @nodes) = @_;
	my @jobs = map { $mpc->start_sql($_, statement($name)) } @nodes;
	for my $i (0 .. $#nodes) {
		my ($code, $out, $err) = $mpc->finish($jobs[$i]);
		my $party = $mpc->party($nodes[$i]);
		is($code, 0, "$name at $party") or diag($err);
		check_row($name, $party, $out);
	}
}

my %number = (prepare => 1, agree_key => 2, scramble => 3, push => 4, match => 4, mask => 5, unmask => 6, share => 7,
	lasso => 8);
my %status = (prepare => qr/^personal$/, agree_key => qr/^(personal|pseudonymised)$/, scramble => qr/^pseudonymised$/,
	push => qr/^(pseudonymised|anonymous)$/, match => qr/^anonymous$/, mask => qr/^anonymous$/,
	unmask => qr/^anonymous$/, share => qr/^anonymous$/, lasso => qr/^aggregate$/);

sub check_row {
	my ($name, $party, $json) = @_;
	my ($line) = grep { /"name":"$name"/ } split /\n/, $json;
	my $row = $line ? JSON::PP->new->decode($line) : {};
	is($row->{party}, $party, "$name: the row is about $party");
	ok(defined $row->{step} && ($row->{step} == $number{$name} || ($name eq 'push' && $row->{step} == 3)),
		"$name: step " . ($row->{step} // 'missing'));
	like($row->{data_status} // '', $status{$name}, "$name: data status") unless $party eq 'zorgttp';
}

# A step out of order or in the wrong role: 55000, and the error names the next step.
$mpc->refuses($hospital, statement('scramble'), '55000', qr/prepare/, 'scramble before prepare');
together('prepare', $hospital, $insurer, $third);
$mpc->refuses($hospital, statement('push'), '55000', qr/agree_key/, 'push before agree_key');
$mpc->refuses($hospital, statement('match'), '55000', qr/agree_key|third party/, 'match at a controller');
$mpc->refuses($third, statement('agree_key'), '55000', qr/match|controller/, 'agree_key at the third party');
together('agree_key', $hospital, $insurer);
together('scramble', $hospital, $insurer);

# push waits for the match of the third party. Until then no table has the match count.
my @pushes = map { $mpc->start_sql($_, statement('push')) } $hospital, $insurer;
is($mpc->ask($hospital, "SELECT n_matched IS NULL FROM mpc.studies WHERE study = 'hand'"), 't',
	'no match count before the match');
together('match', $third);
for my $i (0, 1) {
	my ($code, $out, $err) = $mpc->finish($pushes[$i]);
	my $node = ($hospital, $insurer)[$i];
	is($code, 0, 'push at ' . $mpc->party($node)) or diag($err);
	check_row('push', $mpc->party($node), $out);
	is($mpc->ask($node, "SELECT n_matched FROM mpc.studies WHERE study = 'hand'"), '300', 'the match count');
}
together('mask', $hospital, $insurer);
$mpc->refuses($hospital, statement('mask'), '55000', qr/unmask/, 'a second mask in the same attempt');
together('unmask', $hospital, $insurer, $third);
together('share', $hospital, $insurer, $third);
together('lasso', $hospital, $insurer, $third);

for my $node ($mpc->nodes) {
	$mpc->become($node, "SELECT state = 'released' FROM mpc.studies WHERE study = 'hand'");
	pass($mpc->party($node) . ' holds the released study');
}
my $found = $mpc->coefficients($hospital, 'hand');
cmp_ok(abs($found->{x1} - 2), '<', 0.2, 'x1 about 2');
cmp_ok(abs($found->{x2} + 3), '<', 0.2, 'x2 about -3');
is_deeply($mpc->coefficients($insurer, 'hand'), $found, 'the same at the insurer');
like($mpc->ask($hospital, "SELECT array_to_string(destroyed, ',') FROM mpc.steps WHERE study = 'hand'
	AND name = 'unmask'"), qr/private key/, 'step 6 names the private key among what it destroyed');

# A step that waits for a peer ends after step_timeout with MP001, and may be repeated.
$mpc->prepare_study('patience', $mpc->small_spec, 'small_a', 'small_b');
(my $alone = statement('prepare')) =~ s/hand/patience/;
my @prepared = map { $mpc->start_sql($_, $alone) } $mpc->nodes;
for (@prepared) { my ($code, undef, $err) = $mpc->finish($_); is($code, 0, 'prepare') or diag($err); }
(my $agree = statement('agree_key')) =~ s/hand/patience/;
$_->safe_psql('postgres', "ALTER SYSTEM SET pg_mpc.step_timeout = '1s'") for $hospital;
$hospital->reload;
$mpc->refuses($hospital, $agree, 'MP001', qr/zilveren_kruis has not done its part of step agree_key within 1 s/,
	'the peer does not call its step: MP001 names the peer');
$hospital->safe_psql('postgres', 'ALTER SYSTEM RESET pg_mpc.step_timeout');
$hospital->reload;
my @agreed = map { $mpc->start_sql($_, $agree) } $hospital, $insurer;
for (@agreed) { my ($code, undef, $err) = $mpc->finish($_); is($code, 0, 'agree_key repeated') or diag($err); }
# An attempt runs either step by step or automatically.
$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('patience')", '55000', qr/study "patience" is being run step by step/, 'run_study of a study that runs step by step');
$mpc->ask($hospital, "SELECT mpc.cancel_study('patience')");
$mpc->become($_, "SELECT state = 'cancelled' FROM mpc.studies WHERE study = 'patience'") for ($hospital);
pass('cancelled in step-by-step mode');

$mpc->prepare_study('by_itself', $mpc->small_spec, 'small_a', 'small_b');
my $held = $mpc->hold($insurer, 'small_b');
my $job = $mpc->start_sql($hospital, "SELECT count(*) FROM mpc.run_study('by_itself')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress") for $mpc->nodes;
$mpc->refuses($insurer, "SELECT * FROM mpc.prepare('by_itself')", '55000', qr/study "by_itself" runs automatically/, 'a single step of a study that runs automatically');
$mpc->release($held);
is(($mpc->finish($job))[0], 0, 'which continues');

# A peer that cannot be reached: the detail has the cause.
$mpc->prepare_study('unreachable', $mpc->small_spec, 'small_a', 'small_b');
($alone = statement('prepare')) =~ s/hand/unreachable/;
@prepared = map { $mpc->start_sql($_, $alone) } $mpc->nodes;
for (@prepared) { my ($code, undef, $err) = $mpc->finish($_); is($code, 0, 'prepare') or diag($err); }
$insurer->stop('immediate');
$hospital->safe_psql('postgres', "ALTER SYSTEM SET pg_mpc.step_timeout = '2s'");
$hospital->reload;
($agree = statement('agree_key')) =~ s/hand/unreachable/;
$mpc->refuses($hospital, $agree, 'MP001', qr/zilveren_kruis has not done its part.*connection refused/s,
	'a peer that is down: MP001 names it and says why');

$mpc->stop;
done_testing();
