# Three studies with three lambdas, one after the other on the same sources; one study with a list of lambdas; elastic
# nets and ridge, checked by the conditions of their optimum.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_diabetes;

my (@nonzero, @norm, %matched);
my %lambda = (weak => 0.5, middle => 5, strong => 100);
for my $study ('weak', 'middle', 'strong') {
	$mpc->prepare_study($study, $mpc->diabetes_spec(analysis => {kind => 'lasso', lambda => $lambda{$study}}), 'patients',
		'insured');
	$mpc->ask($insurer, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
	push @nonzero, $mpc->ask($hospital, "SELECT nonzero FROM mpc.fit('$study')");
	push @norm, $mpc->ask($hospital, "SELECT sum(abs(coefficient)) FROM mpc.coefficients('$study')
		WHERE attribute <> '(intercept)'");
	is($mpc->ask($hospital, "SELECT DISTINCT lambda FROM mpc.coefficients('$study')"), $lambda{$study}, "$study: lambda");
	$matched{$mpc->ask($hospital, "SELECT n FROM mpc.fit('$study')")} = 1;
}
is(scalar(keys %matched), 1, 'the same records matched each time');
cmp_ok($nonzero[0], '>', $nonzero[1], 'fewer coefficients with a larger lambda');
cmp_ok($norm[0], '>', $norm[1], 'and smaller ones');
is($nonzero[2], '0', 'none at a very large lambda');
is($mpc->ask($hospital, "SELECT bool_and(coefficient = 0 AND NOT selected) FROM mpc.coefficients('strong')
	WHERE attribute <> '(intercept)'"), 't', 'exact zeros');
is($mpc->ask($hospital, 'SELECT count(*) FROM mpc.models'), '3', 'three models');

# A list of lambdas is one study. Its rows equal those of the studies with one lambda each.
$mpc->prepare_study('list', $mpc->diabetes_spec(analysis => {kind => 'lasso', lambda => [0.5, 5]}), 'patients', 'insured');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('list')");
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.fit('list')"), '2', 'a fit for each lambda');
my $largest = $mpc->ask($hospital, "SELECT max(abs(coefficient)) FROM mpc.coefficients('weak')");
for my $single ('weak', 'middle') {
	my $difference = $mpc->ask($hospital, "SELECT max(abs(a.coefficient - b.coefficient))
		FROM mpc.coefficients('list') AS a JOIN mpc.coefficients('$single') AS b USING (lambda, attribute)");
	cmp_ok($difference / $largest, '<=', 1e-6, "the list agrees with $single");
}

# violation(ANALYSIS, COEFFICIENTS): the largest violation of the optimality conditions over the rows of load_small, over
# the largest covariance with the outcome: 0 = covariance(x, residual) - l1 * sd * sign(b) - quadratic * variance * b.
my @small = qw(x1 x2 x3);
sub violation {
	my ($analysis, $b) = @_;
	my %rows;
	push @{$rows{(split /\|/)[0]}}, (split /\|/)[1, 2] for split /\n/, $mpc->ask($hospital, 'SELECT id, x1, x2 FROM small_a');
	push @{$rows{(split /\|/)[0]}}, (split /\|/)[1, 2] for split /\n/, $mpc->ask($insurer, 'SELECT id, x3, y FROM small_b');
	my @rows = values %rows;
	my $mean = sub { my ($f) = @_; my $sum = 0; $sum += $f->($_) for @rows; return $sum / @rows };
	my $covariance = sub {
		my ($f, $g) = @_;
		my ($mf, $mg) = ($mean->($f), $mean->($g));
		return $mean->(sub { ($f->($_[0]) - $mf) * ($g->($_[0]) - $mg) });
	};
	my $residual = sub { my $r = $_[0][3]; $r -= $b->{$small[$_]} * $_[0][$_] for 0 .. 2; return $r };
	my ($worst, $scale) = (0, 0);
	for my $j (0 .. 2) {
		my $x = sub { $_[0][$j] };
		my ($variance, $value) = ($covariance->($x, $x), $b->{$small[$j]});
		my $s = $analysis->{standardize} ? sqrt $variance : 1;
		my $gradient = $covariance->($x, $residual) - $analysis->{lambda} * (1 - $analysis->{alpha}) * $s ** 2 * $value;
		my $l1 = $analysis->{lambda} * $analysis->{alpha} * $s;
		my $excess = $value ? abs($gradient - $l1 * ($value <=> 0)) : abs($gradient) - $l1;
		$worst = $excess if $excess > $worst;
		my $size = abs $covariance->($x, sub { $_[0][3] });
		$scale = $size if $size > $scale;
	}
	return $worst / $scale;
}

$mpc->load_small(150);
my @cases = (
	['net', {kind => 'elastic_net', lambda => 0.2, alpha => 0.3}],
	['net_original', {kind => 'elastic_net', lambda => 0.1, alpha => 0.2, standardize => JSON::PP::false}],
	['ridge', {kind => 'ridge', lambda => 0.5}],
	['ridge_original', {kind => 'ridge', lambda => 0.02, standardize => JSON::PP::false}]);
for (@cases) {
	my ($study, $analysis) = @$_;
	$mpc->prepare_study($study, $mpc->small_spec(analysis => $analysis), 'small_a', 'small_b');
	$mpc->ask($third, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
	my $b = $mpc->coefficients($insurer, $study);
	my %full = (alpha => 0, standardize => 1, %$analysis);
	cmp_ok(violation(\%full, $b), '<=', 1e-7, "$study: the optimum of its penalty");
	cmp_ok(violation({%full, lambda => 1.001 * $full{lambda}}, $b), '>', 1e-5, "$study: and not that of another lambda");
	my $predicted = $mpc->ask($insurer, "SELECT mpc.predict('$study', '{\"x1\": 0.5, \"x2\": -1, \"x3\": 2}')");
	cmp_ok(abs($predicted - ($b->{'(intercept)'} + 0.5 * $b->{x1} - $b->{x2} + 2 * $b->{x3})), '<=', 1e-7, "$study: predict, from the numbers that mpc.coefficients shows");
	next if $analysis->{kind} ne 'ridge';
	is($mpc->ask($hospital, "SELECT bool_and(selected) FROM mpc.coefficients('$study')"), 't', "$study: leaves nothing out");
	is($mpc->ask($hospital, "SELECT nonzero FROM mpc.fit('$study')"), '3', "$study: all columns count");
}
like($mpc->ask($hospital, "SELECT learns FROM mpc.explain_study('net') WHERE name = 'penalty'"),
	qr/elastic_net: .* 0\.2 \* 0\.3 \* .* 0\.2 \* \(1 - 0\.3\) \/ 2 \*/, 'explain_study names the penalty');

$mpc->stop;
done_testing();
