# Categorical attributes: levels in sources of several types, in a model, in Table 1 and its tests, in predictions.
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

# The hospital has age, nyha (a text with a collation of its own) and ward (a whole number); the insurer costs and region,
# an enumeration. Both tables are also made on the hospital's node, for the clear text.
my $rows = 600;
my $u = sub { "((hashint8extended(i, $_[0]) & 1048575)::float8 / 1048576)" };
my $nyha = "(ARRAY['I', 'II', 'III or IV'])[1 + floor(2.99 * " . $u->(1) . ")::integer]";
my $of_hospital = "SELECT i::bigint AS id, 60 + 30 * " . $u->(2) . " AS age, $nyha AS nyha,
	(ARRAY[7, 12])[1 + (" . $u->(3) . " > 0.4)::integer]::smallint AS ward FROM generate_series(1, $rows) AS i";
my $of_insurer = "SELECT i::bigint AS id, 1000 + 500 * " . $u->(4) . " + 300 * ($nyha = 'II')::integer + 700 * ($nyha = 'III or IV')::integer AS costs,
	(ARRAY['north', 'east', 'south'])[1 + floor(2.99 * " . $u->(5) . ")::integer] AS region FROM generate_series(1, $rows) AS i";
$mpc->ask($hospital, "CREATE TABLE persons AS $of_hospital");
$mpc->ask($hospital, 'ALTER TABLE persons ALTER nyha TYPE varchar(20) COLLATE "POSIX"');
$mpc->ask($insurer, "CREATE TYPE region AS ENUM ('east', 'north', 'south')");
$mpc->ask($insurer, "CREATE TABLE claims AS SELECT id, costs, region::region FROM ($of_insurer) AS i");
$mpc->ask($hospital, "CREATE TABLE clear_text AS SELECT * FROM ($of_hospital) AS h JOIN ($of_insurer) AS i USING (id)");

my $nyha_levels = {name => 'nyha', levels => ['I', 'II', 'III or IV']};
my $controllers = {
	erasmus_mc => {attributes => ['age', $nyha_levels, {name => 'ward', levels => ['7', '12']}]},
	zilveren_kruis => {attributes => [{name => 'region', levels => ['north', 'east', 'south']}], outcome => 'costs'}};
my $analyses = {model => {kind => 'ridge', lambda => 0.0001, standardize => JSON::PP::false, max_iterations => 500},
	table1 => {kind => 'describe', tables => [['nyha', 'region']], by => 'region', correlation => JSON::PP::true}};

# The rules over designs are on: neither the joint design nor the union rule may have the columns of all levels.
my $design = {max_leverage => 0.4, max_vif => 200};

# propose(STUDY, KEY => VALUE): proposed at the hospital, known at all nodes, not approved.
sub propose {
	my ($study, %keys) = @_;
	my $spec = $mpc->small_spec(controllers => $controllers, %keys);
	return $mpc->ask($hospital, "SELECT mpc.propose_study('$study', \$json\$$spec\$json\$)");
}

# What check_source shows, and what it refuses.
propose('levels', analyses => $analyses);
is($mpc->ask($hospital, "SELECT string_agg(column_name, ',') FROM mpc.check_source('levels', 'persons', 'id')"),
	'(rows),id,age,nyha:II,nyha:III or IV,ward:12,nyha:I,ward:7', 'a row per level');
is($mpc->ask($hospital, "SELECT round(mean::numeric, 6) FROM mpc.check_source('levels', 'persons', 'id') WHERE column_name = 'nyha:II'"),
	$mpc->ask($hospital, "SELECT round(avg((nyha = 'II')::integer), 6) FROM persons"), 'its mean is the share of the level');
is($mpc->ask($hospital, "SELECT problem FROM mpc.check_source('levels', 'persons', 'id') WHERE column_name = 'nyha:I'"), '', 'no problem');
for my $other (q('iv'), q('I '), q(''), q('i')) {
	$mpc->ask($hospital, "CREATE VIEW other AS SELECT id, age, CASE WHEN id = 5 THEN $other ELSE nyha END AS nyha, ward FROM persons");
	$mpc->refuses($hospital, "SELECT * FROM mpc.check_source('levels', 'other', 'id')", '22023',
		qr/attribute "nyha" of the source has values that are not among its levels.*Rows with such a value: 1\. The levels are "I", "II", "III or IV"\./s, "the value $other");
	$mpc->ask($hospital, 'DROP VIEW other');
}
$mpc->ask($hospital, 'CREATE VIEW real_ward AS SELECT id, age, nyha, ward::float8 AS ward FROM persons');
is($mpc->ask($hospital, "SELECT string_agg(DISTINCT problem, ',') FROM mpc.check_source('levels', 'real_ward', 'id') WHERE column_name LIKE 'ward%'"),
	'neither text, nor an enumeration, nor a whole number', 'a type without levels');
my ($digest) = split /\|/, $mpc->ask($hospital, "SELECT digest FROM mpc.studies WHERE study = 'levels'");
$mpc->refuses($hospital, "SELECT mpc.approve_study('levels', '$digest', 'real_ward', 'id')", '42804',
	qr/column "ward" of source \S*real_ward is neither text, nor an enumeration, nor a whole number.*double precision/s, 'nor is it approved');
$mpc->ask($hospital, 'CREATE VIEW no_ward AS SELECT id, age, nyha FROM persons');
$mpc->refuses($hospital, "SELECT mpc.approve_study('levels', '$digest', 'no_ward', 'id')", '42703',
	qr/column "ward" of source \S*no_ward does not exist.*all columns of this controller: age, nyha, ward\./s, 'the column of the source is named');

# A run: a model and a Table 1 of one join.
sub run {
	my ($study, @keys) = @_;
	$mpc->prepare_study($study, $mpc->small_spec(controllers => $controllers, disclosure => {%$design}, @keys), 'persons', 'claims');
	$mpc->ask($hospital, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
}
run('exact', analyses => $analyses);
is($mpc->ask($third, "SELECT string_agg(attribute, ',' ORDER BY attribute COLLATE \"C\") FROM mpc.coefficients('exact', 'model')"),
	'(intercept),age,nyha:II,nyha:III or IV,region:east,region:south,ward:12', 'a model has no first level');
cmp_ok($mpc->ask($hospital, "SELECT max(abs(coefficient - CASE attribute WHEN 'nyha:II' THEN 300 ELSE 700 END)) FROM mpc.coefficients('exact', 'model') WHERE attribute LIKE 'nyha%'"),
	'<', 60, 'its coefficients are differences from the first level');
is($mpc->ask($insurer, "SELECT string_agg(concat_ws(' ', attribute, level, n), ',') FROM mpc.describe('exact', 'table1') WHERE level IS NOT NULL AND by_level IS NULL"),
	$mpc->ask($hospital, "SELECT string_agg(concat_ws(' ', attribute, level, n), ',' ORDER BY part, place) FROM (
		SELECT 1 AS part, 'nyha' AS attribute, nyha AS level, count(*) AS n, array_position(ARRAY['I', 'II', 'III or IV'], nyha) AS place FROM clear_text GROUP BY nyha
		UNION ALL SELECT 2, 'ward', ward::text, count(*), ward FROM clear_text GROUP BY ward
		UNION ALL SELECT 3, 'region', region, count(*), array_position(ARRAY['north', 'east', 'south'], region) FROM clear_text GROUP BY region) AS c"), 'levels in their order');
is($mpc->ask($hospital, "SELECT string_agg(n::text, ',') FROM mpc.crosstab('exact')"),
	$mpc->ask($hospital, "SELECT string_agg(n::text, ',' ORDER BY array_position(ARRAY['I', 'II', 'III or IV'], nyha), array_position(ARRAY['north', 'east', 'south'], region))
		FROM (SELECT nyha, region, count(*) AS n FROM clear_text GROUP BY nyha, region) AS c"), 'a table of three rows and three columns');
is($mpc->ask($hospital, "SELECT string_agg(concat_ws(' ', test, attribute, by_attribute, df), ',') FROM mpc.test('exact')"),
	'chi-square nyha region 4,chi-square ward region 2,chi-square nyha region 4', 'tests of three groups and of the table');
is($mpc->ask($hospital, "SELECT count(*) || ' ' || max(abs(d.mean - c.mean) / c.sd + abs(d.sd - c.sd) / c.sd + abs(d.n - c.n))::numeric(20, 6) FROM mpc.describe('exact', 'table1') AS d
	JOIN (SELECT region, avg(age) AS mean, stddev_pop(age) AS sd, count(*) AS n FROM clear_text GROUP BY region) AS c ON d.by_level = c.region WHERE d.attribute = 'age'"),
	'3 0.000000', 'a number by the levels of the other party');
cmp_ok($mpc->ask($hospital, "SELECT abs(statistic - (SELECT sum((o - e) ^ 2 / e) FROM (SELECT count(*) AS o, (SELECT count(*) FROM clear_text AS b WHERE b.nyha = a.nyha)
	* (SELECT count(*) FROM clear_text AS b WHERE b.region = a.region) / $rows.0 AS e FROM clear_text AS a GROUP BY a.nyha, a.region) AS c)) FROM mpc.test('exact') WHERE attribute = 'nyha' LIMIT 1"),
	'<=', 1e-9, 'chi-square');
like($mpc->ask($third, "SELECT text FROM mpc.explain_text('exact') WHERE party = 'zorgttp'"), qr/nyha \(levels "I", "II" and "III or IV"\)/, 'who signs reads the levels');
is($mpc->ask($hospital, "SELECT string_agg(problem, ',') FROM mpc.check_source('exact', 'persons', 'id')"), '', 'and no column adds up with others');

# Predictions take the text.
my $person = sub { return "{\"age\": 70, \"nyha\": \"$_[0]\", \"ward\": \"12\", \"region\": \"south\"}" };
my $predict = sub { return "mpc.predict('exact', '" . $person->($_[0]) . "', NULL, 'model')" };
is($mpc->ask($hospital, "SELECT abs(" . $predict->('II') . ' - ' . $predict->('I') . " - coefficient) < 1e-5 FROM mpc.coefficients('exact', 'model') WHERE attribute = 'nyha:II'"),
	't', 'a level adds its coefficient, the first one nothing');
$mpc->refuses($hospital, 'SELECT ' . $predict->('V'), '22023', qr/value of attribute "nyha" is none of its levels.*The levels are "I", "II", "III or IV"/s, 'no level');
$mpc->refuses($hospital, "SELECT mpc.predict('exact', '{\"age\": 70, \"nyha\": 2, \"ward\": \"12\", \"region\": \"south\"}', NULL, 'model')", '22023', qr/none of its levels/, 'a number');
$mpc->refuses($hospital, "SELECT mpc.predict('exact', '{\"age\": 70, \"nyha:II\": 1, \"ward\": \"12\", \"region\": \"south\"}', NULL, 'model')", '22023', qr/attributes without a value: nyha/, 'the column of a level');

# The same attributes with another first level: the union rule leaves one level out, whichever it is.
$controllers->{erasmus_mc}{attributes}[1] = {name => 'nyha', levels => ['III or IV', 'I', 'II']};
run('other_reference', analyses => $analyses);
is($mpc->ask($hospital, "SELECT string_agg(attribute, ',' ORDER BY attribute COLLATE \"C\") FROM mpc.coefficients('other_reference', 'model') WHERE attribute LIKE 'nyha%'"),
	'nyha:I,nyha:II', 'another reference');

is($hospital->safe_psql('postgres', "SELECT mpc_internal.numbers_of_model(spec::jsonb) FROM mpc_internal.study_versions WHERE study = 'exact'"),
	'8', 'numbers of a model: age, two levels of nyha, one of ward, two of region, intercept, R squared');

# A level without records, whatever its name: the union rule leaves out a common level.
my $at = 0;
for my $empty ('0', 'Z') {
	$controllers->{erasmus_mc}{attributes} = ['age', {name => 'nyha', levels => [@{$nyha_levels->{levels}}, $empty]}];
	my $study = 'empty_' . $at++;
	$mpc->prepare_study($study, $mpc->small_spec(controllers => $controllers, disclosure => {%$design}, analysis => $analyses->{model}), 'persons', 'claims');
	is($mpc->ask($hospital, "SELECT decision FROM mpc.approvals WHERE study = '$study' AND party = 'erasmus_mc'"), 'approved', "without a row: $empty");
}
$controllers->{erasmus_mc}{attributes} = ['age', $nyha_levels, {name => 'ward', levels => ['7', '12']}];

# NULL drops the row. Collations, operators and types of the source's owner decide nothing.
$mpc->ask($hospital, "CREATE VIEW with_null AS SELECT id, age, CASE WHEN id % 10 > 0 THEN nyha END::char(20) AS nyha, ward FROM persons");
is($mpc->ask($hospital, "SELECT rows - nulls FROM mpc.check_source('exact', 'with_null', 'id') WHERE column_name = '(rows)'"), '540', 'NULL drops the row');
is($mpc->ask($hospital, "SELECT nulls FROM mpc.check_source('exact', 'with_null', 'id') WHERE column_name = 'nyha:II'"), '60', '... and is counted');
$mpc->ask($hospital, "CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
$mpc->ask($hospital, 'CREATE VIEW lower_case AS SELECT id, age, lower(nyha) COLLATE no_case AS nyha, ward FROM persons');
$mpc->refuses($hospital, "SELECT * FROM mpc.check_source('exact', 'lower_case', 'id')", '22023', qr/values that are not among its levels/, 'bytes are compared');

# A rare first level refuses a model. A Table 1 withholds the attribute.
$mpc->ask($hospital, "CREATE VIEW rare AS SELECT id, age, CASE WHEN nyha = 'I' AND id > 20 THEN 'II' ELSE nyha END::text AS nyha, ward FROM persons");
$controllers->{erasmus_mc}{attributes}[1] = $nyha_levels;
$mpc->prepare_study('rare', $mpc->small_spec(controllers => $controllers, analysis => $analyses->{model}), 'rare', 'claims');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('rare')", 'MP005', qr/a disclosure rule of the agreed spec refused the study/, 'a rare first level');

$mpc->stop;
done_testing();
