# Three studies with three lambdas, one after the other on the same sources; one study with a list of lambdas.
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

# A list of lambdas is one study; its rows are those of the single ones.
$mpc->prepare_study('list', $mpc->diabetes_spec(analysis => {kind => 'lasso', lambda => [0.5, 5]}), 'patients', 'insured');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('list')");
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.fit('list')"), '2', 'a fit for each lambda');
my $largest = $mpc->ask($hospital, "SELECT max(abs(coefficient)) FROM mpc.coefficients('weak')");
for my $single ('weak', 'middle') {
	my $difference = $mpc->ask($hospital, "SELECT max(abs(a.coefficient - b.coefficient))
		FROM mpc.coefficients('list') AS a JOIN mpc.coefficients('$single') AS b USING (lambda, attribute)");
	cmp_ok($difference / $largest, '<=', 1e-6, "the list agrees with $single");
}

$mpc->stop;
done_testing();
