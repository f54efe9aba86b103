# Table 1: describe alone and beside a model, its accessors and tests, what is withheld, what the budgets count.
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

# The hospital has age, sex (1, 2) and a flag of 6 persons; the insurer costs, died (boolean) and urban. Both tables are
# also made on the hospital's node, for the clear text.
my $rows = 600;
my $u = sub { "((hashint8extended(i, $_[0]) & 1048575)::float8 / 1048576)" };
my $of_hospital = "SELECT i::bigint AS id, 60 + 30 * " . $u->(1) . " AS age, 1 + (" . $u->(2) . " > 0.4)::integer AS sex,
	(i <= 6)::integer AS rare FROM generate_series(1, $rows) AS i";
my $of_insurer = "SELECT i::bigint AS id, 1000 + 500 * " . $u->(3) . " + 100 * (" . $u->(1) . " > 0.5)::integer AS costs,
	" . $u->(1) . " + " . $u->(4) . " > 1.1 AS died, (" . $u->(5) . " > 0.3)::integer AS urban FROM generate_series(1, $rows) AS i";
$mpc->ask($hospital, "CREATE TABLE persons AS $of_hospital");
$mpc->ask($insurer, "CREATE TABLE claims AS $of_insurer");
$mpc->ask($hospital, "CREATE TABLE clear_text AS SELECT * FROM ($of_hospital) AS h JOIN ($of_insurer) AS i USING (id)");

my $controllers = {erasmus_mc => {attributes => ['age', 'sex', 'rare']}, zilveren_kruis => {attributes => ['costs', 'died', 'urban']}};

# run(STUDY, KEY => VALUE): released at all nodes.
sub run {
	my ($study, %keys) = @_;
	$mpc->prepare_study($study, $mpc->small_spec(controllers => $controllers, %keys), 'persons', 'claims');
	$mpc->ask($hospital, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
}

my $table1 = {kind => 'describe', tables => [['sex', 'died'], ['rare', 'urban']], by => 'died', correlation => JSON::PP::true};
run('exact', analysis => $table1);
is($mpc->ask($_, "SELECT string_agg(concat_ws(' ', analysis, relation, rows), ',') FROM mpc.results('exact')"),
	'describe describe 20,describe crosstab 8,describe correlation 9', 'relations at ' . $mpc->party($_)) for $mpc->nodes;
is($mpc->ask($hospital, "SELECT string_agg(name, ',' ORDER BY step) FROM (SELECT DISTINCT step, name FROM mpc.steps WHERE study = 'exact' AND step = 8) AS s"),
	'analyse', 'the name of step 8');

# Against the clear text.
is($mpc->ask($hospital, "SELECT string_agg(concat_ws(' ', level, n, round(share::numeric, 6)), ',') FROM mpc.describe('exact') WHERE attribute = 'sex' AND by_level IS NULL"),
	$mpc->ask($hospital, "SELECT string_agg(concat_ws(' ', sex - 1, n, round(n / $rows.0, 6)), ',' ORDER BY sex) FROM (SELECT sex, count(*) AS n FROM clear_text GROUP BY sex) AS c"), 'levels');
cmp_ok($mpc->ask($hospital, "SELECT max(abs(d.mean - c.mean) / c.sd) + max(abs(d.sd - c.sd) / c.sd) FROM mpc.describe('exact') AS d JOIN (
	SELECT 'age' AS attribute, NULL AS by_level, avg(age) AS mean, stddev_pop(age) AS sd FROM clear_text
	UNION ALL SELECT 'age', died::integer::text, avg(age), stddev_pop(age) FROM clear_text GROUP BY died
	UNION ALL SELECT 'costs', NULL, avg(costs), stddev_pop(costs) FROM clear_text) AS c
	ON d.attribute = c.attribute AND d.by_level IS NOT DISTINCT FROM c.by_level"), '<=', 1e-6, 'means and standard deviations, by group too');
is($mpc->ask($hospital, "SELECT string_agg(n::text, ',' ORDER BY row_level, column_level) FROM mpc.crosstab('exact') WHERE tab = 1"),
	$mpc->ask($hospital, "SELECT string_agg(n::text, ',' ORDER BY sex, died) FROM (SELECT sex, died, count(*) AS n FROM clear_text GROUP BY sex, died) AS c"), 'a cross-table');
cmp_ok($mpc->ask($hospital, "SELECT abs(r - (SELECT corr(age, costs) FROM clear_text)) FROM mpc.correlation('exact') WHERE attribute_a = 'age' AND attribute_b = 'costs'"),
	'<=', 1e-7, 'a correlation');

# A rare flag withholds what it is part of, and nothing else.
is($mpc->ask($hospital, "SELECT string_agg(DISTINCT attribute, ',') FROM mpc.describe('exact') WHERE withheld"), 'rare', 'withheld: the attribute');
is($mpc->ask($hospital, "SELECT string_agg(DISTINCT tab || ' ' || coalesce(n::text, 'null'), ',') FROM mpc.crosstab('exact') WHERE withheld"), '2 null', '… its table');
is($mpc->ask($hospital, "SELECT string_agg(DISTINCT attribute_a, ',') FROM mpc.correlation('exact') WHERE withheld AND r IS NULL"), 'rare', '… its correlations');

# Tests follow from the released tables. The expected values are those of the definitions, in the clear.
my ($t, $df) = split /\|/, $mpc->ask($hospital, "SELECT (m1 - m0) / sqrt(v1 / n1 + v0 / n0), (v1 / n1 + v0 / n0) ^ 2 / ((v1 / n1) ^ 2 / (n1 - 1) + (v0 / n0) ^ 2 / (n0 - 1))
	FROM (SELECT avg(age) FILTER (WHERE died) AS m1, avg(age) FILTER (WHERE NOT died) AS m0, var_samp(age) FILTER (WHERE died) AS v1,
		var_samp(age) FILTER (WHERE NOT died) AS v0, count(*) FILTER (WHERE died)::float8 AS n1, count(*) FILTER (WHERE NOT died)::float8 AS n0 FROM clear_text) AS c");
cmp_ok($mpc->ask($hospital, "SELECT abs(statistic / $t - 1) + abs(df / $df - 1) FROM mpc.test('exact') WHERE test = 'welch t' AND attribute = 'age'"), '<=', 1e-6, 'welch t');
cmp_ok($mpc->ask($hospital, "SELECT p_value FROM mpc.test('exact') WHERE test = 'welch t'"), '<', 1e-6, '… with its p value');
cmp_ok($mpc->ask($hospital, "SELECT abs(statistic - (SELECT sum((o - e) ^ 2 / e) FROM (SELECT count(*) AS o, (SELECT count(*) FROM clear_text AS b WHERE b.sex = a.sex)
	* (SELECT count(*) FROM clear_text AS b WHERE b.died = a.died) / $rows.0 AS e FROM clear_text AS a GROUP BY a.sex, a.died) AS c)) FROM mpc.test('exact') WHERE test = 'chi-square' AND attribute = 'sex' LIMIT 1"),
	'<=', 1e-9, 'chi-square');
is($mpc->ask($hospital, "SELECT string_agg(test || ' ' || attribute || ' ' || by_attribute, ',') FROM mpc.test('exact')"),
	'welch t age died,standardised difference age died,chi-square sex died,standardised difference sex died,chi-square sex died', 'no test of a withheld table');

# Rounded, and beside a model of one outcome.
$controllers = {erasmus_mc => {attributes => ['age', 'sex', 'rare']}, zilveren_kruis => {attributes => ['died', 'urban'], outcome => 'costs'}};
run('both', release => {precision => 'statistical'}, analyses => {table1 => {%$table1, tables => [['sex', 'urban']]}, model => {kind => 'lasso', lambda => 1, attributes => ['age', 'sex', 'died']}});
is($mpc->ask($insurer, "SELECT string_agg(DISTINCT (n % 5)::text, ',') FROM mpc.describe('both') WHERE level IS NOT NULL AND NOT withheld"), '0', 'counts are rounded');
is($mpc->ask($insurer, "SELECT count(*) FROM mpc.coefficients('both')"), '4', 'a model beside it: one analysis has coefficients');
is($mpc->ask($insurer, "SELECT count(*) > 0 FROM mpc.describe('both', 'table1')"), 't', 'and one describes');
$mpc->refuses($insurer, "SELECT * FROM mpc.describe('both', 'model')", '22023', qr/has no such analysis: "model"/, 'a model has no Table 1');
is($mpc->ask($hospital, "SELECT sum(models) FROM mpc.source_uses WHERE study = 'both'"), '2', 'the budget counts both');
like($mpc->ask($third, "SELECT text FROM mpc.explain_text('both') WHERE party = 'zorgttp'"), qr/recipients learn which tables a disclosure rule withholds/, 'who signs reads what is withheld');

# One recipient: the others learn neither the numbers nor what is withheld.
$controllers = {erasmus_mc => {attributes => ['age', 'sex', 'rare']}, zilveren_kruis => {attributes => ['urban']}};
run('private', recipients => ['zilveren_kruis'], analysis => {kind => 'describe', tables => [['sex', 'urban']]});
is($mpc->ask($insurer, "SELECT count(*) || ' ' || count(*) FILTER (WHERE withheld) FROM mpc.describe('private')"), '7 2', 'the recipient reads it');
for my $node ($hospital, $third) {
	is($mpc->ask($node, "SELECT count(*) FROM mpc.describe('private')"), '0', 'no recipient: ' . $mpc->party($node));
	is($node->safe_psql('postgres', "SELECT count(*) FROM mpc_internal.relations WHERE study = 'private' AND jsonb_array_length(rows) > 0"), '0', '… and nothing is stored there');
}

# Room for the result, before it is opened: at least what its rows take.
is($hospital->safe_psql('postgres', "SELECT bool_and(mpc_internal.result_bytes(s.spec::jsonb) >= r.bytes) FROM mpc_internal.study_versions AS s JOIN (
	SELECT study, version, sum(pg_column_size(rows)) AS bytes FROM mpc_internal.relations GROUP BY study, version) AS r USING (study, version)"), 't', 'room for the result');

# A small cell refuses where the spec says so.
$controllers = {erasmus_mc => {attributes => ['age', 'rare']}, zilveren_kruis => {attributes => ['urban']}};
$mpc->prepare_study('strict', $mpc->small_spec(controllers => $controllers, analysis => {kind => 'describe', on_small_cell => 'refuse'}), 'persons', 'claims');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('strict')", 'MP005', qr/a disclosure rule of the agreed spec refused the study/, 'on_small_cell refuse');

# Settings that do not fit.
my %bad = (
	'a numeric attribute in a table' => [{kind => 'describe', tables => [['age', 'urban']]}, qr/more than two values/],
	'a table of one party' => [{kind => 'describe', tables => [['age', 'rare']]}, qr/table of two attributes of one party.*own_moments/s],
	'an unknown attribute' => [{kind => 'describe', by => 'height'}, qr/unknown attribute in study spec/],
	'an unknown key' => [{kind => 'describe', lambda => 1}, qr/unknown key/]);
for my $name (sort grep { $_ ne 'a numeric attribute in a table' } keys %bad) {
	my $spec = $mpc->small_spec(controllers => $controllers, analysis => $bad{$name}[0]);
	$mpc->refuses($hospital, "SELECT mpc.propose_study('bad', \$json\$$spec\$json\$)", '22023', $bad{$name}[1], $name);
}
$mpc->prepare_study('numeric', $mpc->small_spec(controllers => $controllers, analysis => $bad{'a numeric attribute in a table'}[0]), 'persons', 'claims');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('numeric')", '22023', $bad{'a numeric attribute in a table'}[1], 'a numeric attribute in a table');

$mpc->stop;
done_testing();
