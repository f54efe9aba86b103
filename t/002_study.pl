# A whole study on real data: the diabetes data split over two controllers, run by one call.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use JSON::PP;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_diabetes;

my $digest = $mpc->propose('diabetes', $mpc->diabetes_spec);
like($digest, qr/^[0-9a-f]{64}$/, 'propose_study returns the digest');
cmp_ok($mpc->ask($hospital, "SELECT count(DISTINCT step) FILTER (WHERE step BETWEEN 1 AND 8)
	FROM mpc.explain_study('diabetes')"), '==', 8, 'explain_study explains the eight steps');
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.check_source('diabetes', 'patients', identifier => 'id')
	WHERE problem IS NOT NULL AND problem <> ''"), '0', 'check_source finds no problem');
$mpc->approve('diabetes', $digest, 'patients', 'insured');

# Any party may start. Here the third party starts, directly after the approvals.
my $rows = $mpc->ask($third, "SELECT party, step, name FROM mpc.run_study('diabetes') ORDER BY step");
like($rows, qr/\|4\|match/, 'run_study returns the rows of the steps');

for my $node ($mpc->nodes) {
	$mpc->become($node, "SELECT state = 'released' FROM mpc.studies WHERE study = 'diabetes'");
	pass($mpc->party($node) . ' holds the released study');
}

# All nodes have the same, correct result.
my $found = $mpc->coefficients($hospital, 'diabetes');
is_deeply($mpc->coefficients($_, 'diabetes'), $found, $mpc->party($_) . ' has the same coefficients')
	for ($insurer, $third);
my $expected = clear_text();
is_deeply([sort keys %$found], [sort keys %{$expected->{coefficients}}], 'a coefficient per attribute and intercept');
my ($largest) = sort { $b <=> $a } map { abs } values %{$expected->{coefficients}};
my ($error) = sort { $b <=> $a } map { abs($found->{$_} - $expected->{coefficients}{$_}) } keys %$found;
cmp_ok($error / $largest, '<=', 1e-6, 'coefficients as in clear text');
cmp_ok($expected->{kkt_residual}, '<=', 1e-10, 'the clear-text solution is a solution');
my $fit = JSON::PP->new->decode($mpc->ask($hospital, "SELECT row_to_json(f) FROM mpc.fit('diabetes') AS f"));
is($fit->{n}, $expected->{n}, 'n');
cmp_ok(abs($fit->{r_squared} - $expected->{r_squared}), '<=', 1e-6, 'R squared');
ok($fit->{converged}, 'converged');
for my $node ($hospital, $insurer, $third) {
	is($mpc->ask($node, "SELECT count(*) FROM mpc.transcript('diabetes') WHERE rounds > 0 AND phase IN
		('input', 'moments', 'precheck', 'inverse', 'solver', 'stop', 'release')"), '7', 'transcript: rounds by phase');
	is($mpc->ask($node, "SELECT bool_and(bytes_sent >= 16 * elements) AND
		max(rounds) <= (SELECT rounds FROM mpc.fit('diabetes')) FROM mpc.transcript('diabetes')"), 't',
		'transcript: bytes and rounds fit together');
}
is($fit->{nonzero}, scalar(grep { $_ ne '(intercept)' && $found->{$_} != 0 } keys %$found), 'nonzero coefficients');
is($mpc->ask($hospital, "SELECT bool_and(selected = (coefficient <> 0)) FROM mpc.coefficients('diabetes')
	WHERE attribute <> '(intercept)'"), 't', 'selected = not zero');

# predict, models, the views.
my %person = (age => 50, sex => 1, bmi => 27, bp => 95, tc => 190, ldl => 115, hdl => 45, tch => 4, ltg => 4.7, glu => 92);
my $prediction = $found->{'(intercept)'};
$prediction += $found->{$_} * $person{$_} for keys %person;
my $json = JSON::PP->new->canonical->encode(\%person);
cmp_ok(abs($mpc->ask($insurer, "SELECT mpc.predict('diabetes', '$json')") - $prediction), '<=', 1e-6 * abs($prediction),
	'predict is the linear model');
delete $person{bmi};
$json = JSON::PP->new->canonical->encode(\%person);
$mpc->refuses($insurer, "SELECT mpc.predict('diabetes', '$json')", '22023', qr/bmi/, 'predict names what is missing');
is($mpc->ask($hospital, "SELECT cardinality(attribute) = cardinality(coefficient) FROM mpc.models
	WHERE study = 'diabetes'"), 't', 'models: aligned arrays');
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.approvals WHERE study = 'diabetes' AND decision = 'approved'"), '3',
	'approvals of all three');
is($mpc->ask($hospital, "SELECT n_matched FROM mpc.studies WHERE study = 'diabetes'"), $expected->{n}, 'n_matched');
is($mpc->ask($third, 'SELECT count(*) > 0 FROM mpc.ledger'), 't', 'the ledger has entries');

# Rows of mpc.steps at each node: data status and destroyed data, but no counts of other parties (rule F5).
my %own = (erasmus_mc => 397, zilveren_kruis => 397);
for my $node ($hospital, $insurer) {
	my ($party, $peer) = ($mpc->party($node), $mpc->party($node == $hospital ? $insurer : $hospital));
	is($mpc->ask($node, "SELECT count(*) FROM mpc.steps WHERE study = 'diabetes' AND party <> '$party'
		AND step < 5 AND (records IS NOT NULL OR bytes IS NOT NULL)"), '0', "$party sees no counts of $peer");
	is($mpc->ask($node, "SELECT records FROM mpc.steps WHERE study = 'diabetes' AND name = 'push' AND party = '$party'"),
		$own{$party}, "$party pushed its own records");
	is($mpc->ask($node, "SELECT bool_or(cardinality(destroyed) > 0) FROM mpc.steps WHERE study = 'diabetes'"), 't',
		"$party says what was destroyed");
	is($mpc->ask($node, "SELECT string_agg(DISTINCT data_status, ',' ORDER BY data_status) FROM mpc.steps
		WHERE study = 'diabetes' AND party = '$party'"), 'aggregate,anonymous,personal,pseudonymised',
		"$party: the status of the data per step");
}

$mpc->stop;
done_testing();

# Solves the joined rows of both nodes in the clear with tools/lib/plain_lasso.py.
sub clear_text {
	my %rows;
	for (split /\n/, $mpc->ask($hospital, 'SELECT id, age, sex, bmi, bp, tc FROM patients')) {
		my ($id, @values) = split /\|/;
		$rows{$id} = [@values];
	}
	my @joined;
	for (split /\n/, $mpc->ask($insurer, 'SELECT id, ldl, hdl, tch, ltg, glu, progression FROM insured')) {
		my ($id, @values) = split /\|/;
		push @joined, [@{$rows{$id}}, @values] if $rows{$id};
	}
	my $input = JSON::PP->new->encode({names => [qw(age sex bmi bp tc ldl hdl tch ltg glu)], lambda => 1.0,
			rows => [map { [map { $_ + 0 } @$_] } @joined]});
	my $output = '';
	IPC::Run::run(['python3', "$FindBin::Bin/../tools/lib/plain_lasso.py"], '<', \$input, '>', \$output) or die;
	return JSON::PP->new->decode($output);
}
