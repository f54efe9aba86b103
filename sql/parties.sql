-- Peers of a node: mpc.add_peer, alter_peer, remove_peer, mpc.parties.
-- Leaves the peers zilveren_kruis and zorgttp to the files that follow.
\set SHOW_CONTEXT never
-- fails(statement): the error it raises, on one line per part.
CREATE FUNCTION fails(statement text) RETURNS TABLE (error text) LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN QUERY SELECT 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN QUERY SELECT state || ' ' || message UNION ALL SELECT '  ' || detail WHERE detail <> '' UNION ALL SELECT '  ' || hint WHERE hint <> '';
END
$$;
\pset format unaligned
\pset tuples_only on

-- Certificates of parties that exist in these tests only; their private keys were deleted.
CREATE TABLE test_certificates (name text, certificate text);
INSERT INTO test_certificates VALUES ('expired', '-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdleHBpcmVk
MB4XDTI0MDEwMTAwMDAwMFoXDTI0MDIwMTAwMDAwMFowEjEQMA4GA1UEAwwHZXhw
aXJlZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCDXmdJYvQGtG9PnAU3cBAUo
QhyAsNVlAXtMfc08aHy4oqE7MDJH191C3uZUg7bEgma4eJ/BKj9PuRMIunu+hA2j
dDByMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsG
AQUFBwMBBggrBgEFBQcDAjAUBgNVHREEDTALgglsb2NhbGhvc3QwHQYDVR0OBBYE
FKQ9weO2w1cVKJH51AouZvIEDryMMAoGCCqGSM49BAMCA0gAMEUCIHxZz0cUYKvC
q+oCXovQcZel/d3CG4KBfghFgeJlxY7AAiEAjsPb5kxmzJ23qsXTRIbfYLlTlLV5
1pFRV6X9ChtSSn0=
-----END CERTIFICATE-----
');
INSERT INTO test_certificates VALUES ('weak', '-----BEGIN CERTIFICATE-----
MIICGzCCAYSgAwIBAgIUPzjuyIg9lzQyNRDlnpw+sdpa/ZQwDQYJKoZIhvcNAQEF
BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjkwODUxMzhaGA8yMTI2MTEwNTA4
NTEzOFowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC
gYEAzurz3LJYCnVryNxubHvs3HJ0BwmhixHmk5zxo4WXfvLNLXPJdxc9LqOXZS8O
HhRuXtERCFQJWxzlQEyAHSzijF1lBLK4awYm6YcvdeKfYMEBRuOu4z+M+mSqt1Hx
m41rGhB4t6Y9mL7+KTxYLCsj50NHI47xuixbIQU9MvaSrgUCAwEAAaNyMHAwHQYD
VR0OBBYEFLohBMzuo+3tUPVJBn18Jo7nxie+MB8GA1UdIwQYMBaAFLohBMzuo+3t
UPVJBn18Jo7nxie+MA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0lBBYwFAYIKwYBBQUH
AwEGCCsGAQUFBwMCMA0GCSqGSIb3DQEBBQUAA4GBABNbkrmWOb1GAgNadPTfUVXv
zRkniRApXjAeSo5ErWCgZ7qiBeyPcVfXoNYD4+4ZY1nRKVUGZ/0yJOmLIdlWDQU3
XrBwrauLbJw1jyiWx4AWIYOTTzBXdnOHeqeelfQBgnhzVN8g79v05eh60SVFBk32
ljaRa81I/VpGHcMJdgvJ
-----END CERTIFICATE-----
');
INSERT INTO test_certificates VALUES ('next', '-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUC+mi1JO3Gb0Dh7Hlgb7izRMcQMowCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEbmV4dDAgFw0yNjExMjMwMzM0MjNaGA8yMTI2MTAzMDAzMzQy
M1owDzENMAsGA1UEAwwEbmV4dDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO+i
gTGv2bpCFHw6NlJo3xcy6BkZJRQXiCLZ3WYEYe6gjy203L+mvchvVzSPDNESMO8f
fXIi78Xh7wCfK6gop2yjUzBRMB0GA1UdDgQWBBR7ro6OFm3lxvXplCUejPl3TyYv
wjAfBgNVHSMEGDAWgBR7ro6OFm3lxvXplCUejPl3TyYvwjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQD4ZKJjbPI6YvEX538Fvti7YCnY2kL3vzpe
U1w5e6HntwIgLg3K/O/0gAYHHGbBJ7+jL7pkobVmSdDXLDfKru1Et0g=
-----END CERTIFICATE-----
');
INSERT INTO test_certificates VALUES
('zilveren_kruis', '-----BEGIN CERTIFICATE-----
MIIBqDCCAU6gAwIBAgIUV51V3PEyxRHdIxjxO/D7MAzAr/MwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOemlsdmVyZW5fa3J1aXMwIBcNMjYxMTIzMDA1MTQ5WhgPMjEy
NjEwMzAwMDUxNDlaMBkxFzAVBgNVBAMMDnppbHZlcmVuX2tydWlzMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEzD9apoVuKCOmrUsuKTaCipQ77mIih+q5A/8LCRNz
HM70ogOTetnTsTV46YBJmdQdTRxOP4tWFsx2HSteZ+mwAqNyMHAwHQYDVR0OBBYE
FETlI0Npk9qlaXB9vj/sID0jnQUQMB8GA1UdIwQYMBaAFETlI0Npk9qlaXB9vj/s
ID0jnQUQMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsG
AQUFBwMCMAoGCCqGSM49BAMCA0gAMEUCIExUAxw/JB1a40fp2bSEtr/r+I5INBCP
mcHaEjT22zV9AiEAtJA/ivt5aakpnNQ5YaD9bduFwHVWGOTuES0y7jc6Krk=
-----END CERTIFICATE-----
'),
('zorgttp', '-----BEGIN CERTIFICATE-----
MIIBmzCCAUCgAwIBAgIUTI3lX3iyTIPLAMW0NqItXPoveiIwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHem9yZ3R0cDAgFw0yNjExMjMwMDUxNDlaGA8yMTI2MTAzMDAw
NTE0OVowEjEQMA4GA1UEAwwHem9yZ3R0cDBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABKkimLMavRhU7/g+emCizPEfvcqM5WvTM21XgHTWBNjkuSu3tL9CAFT1Pz/e
sLi/hROApz9wVPK04NbMuakuy5ujcjBwMB0GA1UdDgQWBBQtjx9oIw2/Mz6Xq7Pl
ZWejg/7w+zAfBgNVHSMEGDAWgBQtjx9oIw2/Mz6Xq7PlZWejg/7w+zAPBgNVHRMB
Af8EBTADAQH/MB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAKBggqhkjO
PQQDAgNJADBGAiEA3Me7CVbT7nKfylcJHczAp2BQV0mvpozR65g/WK4t6SQCIQC2
YFEQvz5O/n2Vr0sxuqTUqFgrPz9Qdw6Qy2/s60pB/A==
-----END CERTIFICATE-----
'),
('other', '-----BEGIN CERTIFICATE-----
MIIBljCCATygAwIBAgIUIDB1BQory/6QwkTgA2tjyWvIgC0wCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIzMDA1MTQ5WhgPMjEyNjEwMzAwMDUx
NDlaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
Ma5aVuXKoHJoXq3Vntaf/7NrPykD0HXRY07EI1NvtOeELKIYaJkXrTRnN3Ry1Sru
D6yhgHSUa/7D1EA6T18wbKNyMHAwHQYDVR0OBBYEFO9NSyhMBaZ0k+ruLV3UoESr
mMvxMB8GA1UdIwQYMBaAFO9NSyhMBaZ0k+ruLV3UoESrmMvxMA8GA1UdEwEB/wQF
MAMBAf8wHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMAoGCCqGSM49BAMC
A0gAMEUCIFb8/KZkDojdWkyUo/HrQqPmSPDa4iBbFJnYz7KPGFarAiEA9Jlz7UQl
ecdE/l7KLSoflAeT8ZaWzvj3J/ahAvlDcno=
-----END CERTIFICATE-----
'),
('server_only', '-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUBKUI9ftLKcw1B5tstOTLI/IElUIwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLc2VydmVyX29ubHkwIBcNMjYxMTIzMDA1MTQ5WhgPMjEyNjEw
MzAwMDUxNDlaMBYxFDASBgNVBAMMC3NlcnZlcl9vbmx5MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEHrCewCBGSJiuNBsJh9sRfdnU/5xWyYItX1yWdnZye2iNhXV3
PTxunZ8G4b8Wc5h1Wum6x7/i7Y9UmeOKDP1b36NoMGYwHQYDVR0OBBYEFP8uW8gN
hGQ0A2QLTNiaJZbzNS/tMB8GA1UdIwQYMBaAFP8uW8gNhGQ0A2QLTNiaJZbzNS/t
MA8GA1UdEwEB/wQFMAMBAf8wEwYDVR0lBAwwCgYIKwYBBQUHAwEwCgYIKoZIzj0E
AwIDSAAwRQIhALId1PhpSbhVRWLHXZiNKydgVpSfrgY0mfbiSvFxdj47AiBYA+Kf
myQbgm9dnYZuq5nYqcN0Rr8mBII+S2q5moJnyg==
-----END CERTIFICATE-----
');
CREATE FUNCTION certificate_of(holder text) RETURNS text LANGUAGE sql AS $$ SELECT certificate FROM test_certificates WHERE name = holder $$;

-- accepted
SELECT mpc.add_peer('zilveren_kruis', 'https://localhost:1', certificate => certificate_of('zilveren_kruis')) ~ '^[0-9a-f]{64}$';
SELECT mpc.add_peer('zorgttp', 'https://127.0.0.1:1/', certificate => certificate_of('zorgttp')) ~ '^[0-9a-f]{64}$';
SELECT party, role, url, length(fingerprint), not_after > now() + interval '50 years', last_seen FROM mpc.parties ORDER BY party;

-- names
SELECT fails($$SELECT mpc.add_peer('Zorg', 'https://localhost:1', certificate_of('other'))$$);
SELECT fails($$SELECT mpc.add_peer(NULL, 'https://localhost:1', certificate_of('other'))$$);
SELECT fails($$SELECT mpc.add_peer('regress', 'https://localhost:1', certificate_of('other'))$$);
SELECT fails($$SELECT mpc.add_peer('zorgttp', 'https://localhost:1', certificate_of('other'))$$);

-- urls
SELECT url, fails(format('SELECT mpc.add_peer(''other'', %L, certificate_of(''other''))', url))
  FROM unnest(ARRAY['http://localhost:1', 'https://localhost:1/path', 'https://user@localhost', 'https://localhost:0',
                    'https://localhost:65536', 'https://', 'https://a b', E'https://localhost\n']) WITH ORDINALITY AS u (url, place)
 ORDER BY place;

-- certificates
SELECT fails($$SELECT mpc.add_peer('other', 'https://localhost:1', NULL)$$);
SELECT split_part(fails($$SELECT mpc.add_peer('other', 'https://localhost:1', 'no certificate')$$), ' ', 1) LIMIT 1;
SELECT fails($$SELECT mpc.add_peer('other', 'https://localhost:1', repeat('x', 1048577))$$);
SELECT fails($$SELECT mpc.add_peer('other', 'https://localhost:1', certificate_of('server_only'))$$);
SELECT fails($$SELECT mpc.add_peer('other', 'https://localhost:1', certificate_of('zorgttp'))$$);
SELECT fails($$SELECT mpc.add_peer('other', 'https://localhost:1', certificate_of('expired'))$$);
BEGIN;
INSERT INTO mpc_internal.peers (party, url, certificate, fingerprint, not_after) SELECT 'peer' || i, '', '', i, 'infinity' FROM generate_series(1, 14) AS i;
SELECT fails($$SELECT mpc.add_peer('other', 'https://localhost:1', certificate_of('other'))$$);
ROLLBACK;

-- changes
SELECT mpc.add_peer('other', 'https://[::1]:1', certificate => certificate_of('other')) = mpc.alter_peer('other');
SELECT mpc.alter_peer('other', url => 'https://node4.example.org/') = fingerprint FROM mpc.parties WHERE party = 'other';
SELECT url FROM mpc.parties WHERE party = 'other';
SELECT name, weakness FROM test_certificates, LATERAL mpc_internal.certificate_details(certificate) WHERE name IN ('weak', 'zorgttp', 'expired') ORDER BY name;
SELECT fails($$SELECT mpc.alter_peer('other', certificate => certificate_of('zorgttp'))$$);
-- two certificates while the peer changes its own
SELECT mpc.alter_peer('other', next_certificate => certificate_of('next')) = fingerprint FROM mpc.parties WHERE party = 'other';
SELECT party, length(next_fingerprint), next_not_after > now(), days_to_expiry > 18000 FROM mpc.parties ORDER BY party;
SELECT party, next_fingerprint IS NOT NULL FROM mpc_internal.peer_list();
SELECT fails($$SELECT mpc.alter_peer('other', next_certificate => certificate_of('other'))$$);
SELECT fails($$SELECT mpc.alter_peer('other', next_certificate => certificate_of('zorgttp'))$$);
SELECT fails($$SELECT mpc.alter_peer('zorgttp', certificate => certificate_of('next'))$$);
SELECT length(mpc.alter_peer('other', certificate => certificate_of('next')));
SELECT party, next_fingerprint FROM mpc.parties ORDER BY party;
SELECT fails($$SELECT mpc.alter_peer('nobody', url => 'https://localhost')$$);
SELECT fails($$SELECT mpc.alter_peer('other', url => 'ftp://localhost')$$);
SELECT mpc.remove_peer('other');
SELECT fails($$SELECT mpc.remove_peer('other')$$);
SELECT count(*) FROM mpc.parties;
-- a renamed peer: its certificates, also the next one, belonged to another party; so did they when it gets the old name again
SELECT length(mpc.add_peer('renamed', 'https://localhost:1', certificate_of('next')));
SELECT length(mpc.alter_peer('renamed', next_certificate => certificate_of('other')));
SELECT length(mpc.alter_peer('renamed', url => 'https://localhost:2'));
SELECT mpc.remove_peer('renamed');
SELECT length(mpc.add_peer('other', 'https://localhost:1', certificate_of('next')));
SELECT mpc.remove_peer('other');
SELECT event, party FROM mpc.ledger WHERE event LIKE 'peer%' ORDER BY id;
