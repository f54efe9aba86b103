# Linkage: identifiers as in real tables, databases in different encodings, sessions with different settings. 200 persons
# are common to both sides.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

$ENV{PGCLIENTENCODING} = 'UTF8';
my $mpc = ThreeParties->new(insurer_encoding => 'LATIN1');
my ($hospital, $insurer, $third) = $mpc->nodes;
is($mpc->ask($insurer, 'SHOW server_encoding'), 'LATIN1', 'the insurer has another encoding');

# sources(STUDY, EXPRESSION, EXPRESSION): the identifier of person i at the hospital (1 to 300) and the insurer (101 to 400).
sub sources {
	my ($study, $a, $b) = @_;
	$mpc->ask($hospital, "CREATE TABLE ${study}_a AS SELECT $a AS id, 40 + i * 37 % 50 AS age FROM generate_series(1, 300) AS i");
	$mpc->ask($insurer, "CREATE TABLE ${study}_b AS SELECT $b AS id, i * 13 % 17 AS claims, 0.1 * (40 + i * 37 % 50) + i * 13 % 17 AS days
		FROM generate_series(101, 400) AS i");
}

# matched(STUDY, EXPRESSION, EXPRESSION, spec...): the number of persons found, or the error.
sub matched {
	my ($study, $a, $b, %spec) = @_;
	sources($study, $a, $b);
	$mpc->prepare_study($study, ThreeParties::spec(['age'], ['claims'], 'days', 0.01, %spec), "${study}_a", "${study}_b");
	my ($text, $state) = $mpc->refused($hospital, "SELECT * FROM mpc.run_study('$study')");
	return ($state || $mpc->ask($hospital, "SELECT n_matched FROM mpc.studies WHERE study = '$study'"), $text);
}
sub finds {
	my ($count, $name, @arguments) = @_;
	my ($found, $text) = matched(@arguments);
	is($found, $count, $name) or diag($text);
	return $text;
}

# --- values that are not identifiers match no person ---
finds(199, 'empty identifiers match no person', 'empty',
	"CASE WHEN i = 150 THEN '' ELSE (1000 + i)::text END", "CASE WHEN i = 399 THEN '' ELSE (1000 + i)::text END");
finds(199, 'nor what is empty after normalisation', 'words',
	"CASE WHEN i = 150 THEN 'onbekend' ELSE (1000 + i)::text END", "CASE WHEN i = 399 THEN 'n.v.t.' ELSE (1000 + i)::text END",
	identifier => {normalise => ['digits']});
finds(199, 'nor a number that is none', 'nan', "CASE WHEN i = 150 THEN 'NaN'::float8 ELSE i END", "CASE WHEN i = 399 THEN 'NaN'::float8 ELSE i END");

# --- numbers in different notations ---
finds(200, 'numeric with decimal places', 'scale', 'i::numeric(12, 2)', 'i');
finds(200, 'their digits', 'digits', 'i::numeric(12, 2)', 'i::text', identifier => {normalise => ['digits']});
finds(200, 'float8', 'float', '(i * 1e15)::float8', "i::text || '000000000000000'");
my $text = finds('MP005', 'leading zeros at one side', 'zeros', "lpad(i::text, 9, '0')", 'i::bigint');
like($text, qr/^HINT: .*identifiers.*mpc\.check_source/m, 'the hint says what to check');
is($mpc->ask($hospital, "SELECT problem, type, seen ~ 'shapes: 999999999 \\(300\\)' FROM mpc.check_source('zeros', 'zeros_a', 'id') WHERE column_name = 'id'"),
	'leading zeros: 300|text|t', 'check_source sees them');
finds(200, 'a form brings both to the same', 'formed', "lpad(i::text, 9, '0')", 'i::bigint', identifier => {parts => ['number']});

# --- dates, in sessions, roles and databases with other settings ---
$mpc->ask($insurer, "ALTER ROLE analyst SET DateStyle = 'SQL, DMY'");
$mpc->ask($insurer, "ALTER ROLE analyst SET TimeZone = 'Asia/Tokyo'");
$hospital->safe_psql('postgres', "ALTER DATABASE postgres SET DateStyle = 'German'");
finds(200, 'dates', 'dates', "date '1950-01-01' + i", "date '1950-01-01' + i");
finds(200, 'timestamps with time zone', 'stamps', "timestamptz '1950-01-01 12:00+00' + i * interval '24 hours'", "timestamptz '1950-01-01 12:00+00' + i * interval '24 hours'");
finds(200, 'a date and the text of one', 'written', "date '1950-01-01' + i", "to_char(date '1950-01-01' + i, 'DD.MM.YYYY')",
	identifier => {parts => ['date']});
finds(200, 'bytes', 'bytes', "decode(to_hex(4096 + i), 'hex')", "decode(to_hex(4096 + i), 'hex')");

# --- letters in two encodings ---
finds(200, 'the same letters in UTF8 and LATIN1', 'letters', "'Dani' || chr(235) || 'l ' || i", "'Dani' || chr(235) || 'l ' || i");
finds(200, 'decomposed letters, capitals, a no-break space', 'folded', "'danie' || chr(776) || 'l' || chr(160) || i", "' DANI' || chr(203) || 'L  ' || i",
	identifier => {parts => [{form => 'text', fold => JSON::PP::true}]});
$mpc->ask($hospital, "SELECT mpc.propose_study('accent', '" . ThreeParties::spec(['age'], ['claims'], 'days', 0.01) . "')");
$mpc->become($insurer, "SELECT count(*) = 1 FROM mpc.studies WHERE study = 'accent'");
$mpc->ask($insurer, "SELECT mpc.reject_study('accent', 'g\x{c3}\x{a9}\x{c3}\x{a9}n')");
$mpc->become($hospital, "SELECT state = 'rejected' FROM mpc.studies WHERE study = 'accent'");
is($mpc->ask($hospital, "SELECT encode(convert_to(reason, 'UTF8'), 'escape') FROM mpc.approvals WHERE study = 'accent' AND decision = 'rejected'"),
	'g\303\251\303\251n', 'a reason arrives with its accents');
$mpc->ask($hospital, "SELECT mpc.reject_study('accent', 'ook niet: g\x{c3}\x{a9}\x{c3}\x{a9}n, \x{e2}\x{82}\x{ac}')");
$mpc->become($insurer, "SELECT count(*) = 2 FROM mpc.approvals WHERE study = 'accent'");
is($mpc->ask($insurer, "SELECT encode(convert_to(reason, 'LATIN1'), 'escape') FROM mpc.approvals WHERE study = 'accent' AND party = 'erasmus_mc'"),
	'ook niet: g\351\351n, ?', 'what the encoding lacks is a question mark');

$text = ($mpc->refused($insurer, "SELECT mpc.propose_study('no_ascii', '" . ThreeParties::spec(['age'], ['claims'], 'days', 0.01,
	identifier => {parts => ['letters'], examples => [["Dani\x{c3}\x{ab}l"]]}) . "')"))[0];
like($text, qr/study spec has characters beyond ASCII/, 'a spec that this database cannot hold without loss');

# --- the expected number of matches ---
finds(200, 'as many as expected', 'expected', 'i', 'i', expect_matched => [150, 250]);
$text = finds('MP005', 'more than expected', 'unexpected', 'i', 'i', expect_matched => [100, 150]);
like($text, qr/^DETAIL: .*between 100 and 150 were expected/m, 'the detail says what was agreed');

# --- settings of administration tools ---
$mpc->ask($hospital, 'ALTER ROLE analyst SET quote_all_identifiers = on');
finds(200, 'quote_all_identifiers at the approval', 'quoted', 'i', 'i');
$insurer->append_conf('postgresql.conf', "default_transaction_read_only = on\ndefault_transaction_isolation = serializable");
$insurer->reload;
$mpc->become($insurer, "SELECT current_setting('default_transaction_read_only') = 'on'");
my $digest = $mpc->propose('only_read', ThreeParties::spec(['age'], ['claims'], 'days', 0.01));
$mpc->become($insurer, "SELECT count(*) = 1 FROM mpc.studies WHERE study = 'only_read'");
pass('a proposal arrives at a server whose sessions are read-only by default');

$mpc->stop;
done_testing();
