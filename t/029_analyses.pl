# Several analyses of one join: each has its own attributes, outcome and results, they share the rounds, and every result is
# what a study of that analysis alone releases.
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

# run(STUDY, CONTROLLERS, KEY => VALUE): released at all nodes.
sub run {
	my ($study, $controllers, %analyses) = @_;
	$mpc->prepare_study($study, $mpc->small_spec(controllers => $controllers, %analyses), 'small_a', 'small_b');
	$mpc->ask($hospital, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
}

my $two_outcomes = {erasmus_mc => {attributes => ['x1'], outcome => 'x2'}, zilveren_kruis => {attributes => ['x3'], outcome => 'y'}};
my %entries = (
	sparse => {kind => 'lasso', lambda => 0.05, outcome => 'y'},
	shrunk => {kind => 'ridge', lambda => 0.5, outcome => 'zilveren_kruis.y', attributes => ['x3']},
	other => {kind => 'elastic_net', alpha => 0.5, lambda => [0.02, 0.01], outcome => 'x2', attributes => ['zilveren_kruis.x3', 'x1']});
run('many', $two_outcomes, analyses => \%entries);

is($mpc->ask($_, "SELECT string_agg(concat_ws(' ', analysis, relation, rows), ',') FROM mpc.results('many')"),
	'other coefficients 6,other fit 2,shrunk coefficients 2,shrunk fit 1,sparse coefficients 3,sparse fit 1',
	'relations at ' . $mpc->party($_)) for $mpc->nodes;
is($mpc->ask($insurer, "SELECT string_agg(DISTINCT analysis, ',') FROM mpc.models WHERE study = 'many'"), 'other,shrunk,sparse', 'mpc.models names the analysis');
is($mpc->ask($insurer, "SELECT models FROM mpc.source_uses WHERE study = 'many'"), '4', 'the budget counts all models');
is($mpc->ask($insurer, "SELECT count(DISTINCT rounds) FROM (SELECT rounds FROM mpc.fit('many', 'other') UNION ALL SELECT rounds FROM mpc.fit('many', 'sparse')) AS f"),
	'1', 'one run');

# Each analysis alone, on the same joined records.
my %alone = (
	sparse => {erasmus_mc => {attributes => ['x1']}, zilveren_kruis => {attributes => ['x3'], outcome => 'y'}},
	shrunk => {erasmus_mc => {attributes => [], outcome => 'x2'}, zilveren_kruis => {attributes => ['x3'], outcome => 'y'}},
	other => {erasmus_mc => {attributes => ['x1'], outcome => 'x2'}, zilveren_kruis => {attributes => ['x3']}});
my $most = 0;
for my $name ('sparse', 'other') {
	my %entry = %{$entries{$name}};
	delete @entry{qw(outcome attributes)};
	run("only_$name", $alone{$name}, analysis => \%entry);
	my $difference = $mpc->ask($insurer, "SELECT max(abs(a.coefficient - b.coefficient)) / max(abs(b.coefficient))
		FROM mpc.coefficients('many', '$name') AS a JOIN mpc.coefficients('only_$name') AS b USING (lambda, attribute, party)
		WHERE a.party IS NOT NULL");
	cmp_ok($difference, '<=', 1e-6, "$name: as alone");
	is($mpc->ask($insurer, "SELECT count(*) FROM mpc.coefficients('many', '$name') AS a FULL JOIN mpc.coefficients('only_$name') AS b
		USING (lambda, attribute) WHERE a.selected IS DISTINCT FROM b.selected"), '0', "$name: the same selection");
	my $rounds = $mpc->ask($insurer, "SELECT max(rounds) FROM mpc.fit('only_$name')");
	$most = $rounds if $rounds > $most;
}
cmp_ok($mpc->ask($insurer, "SELECT max(rounds) FROM mpc.fit('many', 'other')"), '<=', $most + 15, 'they share the rounds');

# The analysis has to be named, and its name is checked.
$mpc->refuses($insurer, $_->[0], "22023", $_->[1], $_->[2]) for
	["SELECT * FROM mpc.coefficients('many')", qr/study "many" has several analyses: the name of one is needed/, 'coefficients of several analyses'],
	["SELECT * FROM mpc.fit('many', 'nothing')", qr/study "many" has no such analysis: "nothing"/, 'an analysis that there is not'],
	["SELECT mpc.predict('many', '{\"x1\": 1, \"x3\": 2}', NULL, 'other')", qr/several models: a lambda is needed/, 'a lambda of several'];
my $b = $mpc->ask($insurer, "SELECT string_agg(coefficient::text, ' ' ORDER BY party NULLS FIRST, attribute) FROM mpc.coefficients('many', 'sparse')");
my ($intercept, $x1, $x3) = split / /, $b;
cmp_ok(abs($mpc->ask($insurer, "SELECT mpc.predict('many', '{\"x1\": 1, \"x3\": 2}', NULL, 'sparse')") - ($intercept + $x1 + 2 * $x3)), '<=', 1e-7, 'predict with one of them');
like($mpc->ask($hospital, "SELECT string_agg(name || ': ' || learns, '; ') FROM mpc.explain_study('many') WHERE name LIKE 'penalty%'"),
	qr/penalty of other: elastic_net.*penalty of shrunk: ridge.*penalty of sparse: lasso/, 'explain_study names them');
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.explain_study('many') WHERE name = 'lasso' AND learns LIKE '%sparse: coefficients%'"), '3', 'and who learns what of each');

# Two outcomes of one controller. mpc.explain_text names the outcome of each analysis.
run('both', {erasmus_mc => {attributes => ['x1', 'x2']}, zilveren_kruis => {attributes => [], outcome => ['y', 'x3']}},
	analyses => {first => {kind => 'lasso', lambda => 0.01, outcome => 'y'}, second => {kind => 'ridge', lambda => 0.1, outcome => 'x3', attributes => ['x2']}});
is($mpc->ask($_, "SELECT count(*) FROM mpc.results('both')"), '4', 'released at ' . $mpc->party($_)) for $mpc->nodes;
is($mpc->ask($insurer, "SELECT string_agg(attribute, ' ' ORDER BY place) FROM (SELECT attribute, row_number() OVER () AS place FROM mpc.coefficients('both', 'second')) AS c"),
	'x2 (intercept)', 'its own attributes');
is($mpc->ask($insurer, "SELECT string_agg(column_name, ' ') FROM mpc.check_source('both', 'small_b', 'id') WHERE column_name IN ('y', 'x3')"), 'y x3', 'check_source checks both outcomes');
my $text = $mpc->ask($third, "SELECT text FROM mpc.explain_text('both') WHERE party = 'zorgttp'");
like($text, qr/first: lasso: .*outcome zilveren_kruis\.y; attributes erasmus_mc\.x1, erasmus_mc\.x2/, 'explain_text: what is computed');
like($text, qr/second: ridge: .*outcome zilveren_kruis\.x3; attributes erasmus_mc\.x2/, '… of each');
like($text, qr/second: all parties learn how many iterations/, '… and what becomes known of each');

# The error names the analysis that does not converge.
$mpc->prepare_study('slow', $mpc->small_spec(controllers => $two_outcomes, analyses => {good => {kind => 'lasso', lambda => 0.05, outcome => 'y'},
	bad => {kind => 'lasso', lambda => 0.0001, outcome => 'y', max_iterations => 1}, other => {kind => 'ridge', lambda => 0.5, outcome => 'x2'}}), 'small_a', 'small_b');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('slow')", 'MP006', qr/DETAIL:.*analysis bad, lambda number 1/s, 'an analysis without convergence');

$mpc->stop;
done_testing();
