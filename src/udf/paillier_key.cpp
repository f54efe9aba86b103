// Implements mpc.paillier_keygen, paillier_encrypt, paillier_decrypt and paillier_rerandomize.
//
// Invariants
// Every call draws new random values (the functions are VOLATILE). Values are exact: an encoding that would round is
// refused. Cancelling the query stops key generation.
#include "base/error.h"
#include "pg/guard.h"
#include "pg/row.h"
#include "udf/decimal.h"
#include "udf/paillier_value.h"

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_paillier_keygen);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_encrypt);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_decrypt);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_rerandomize);
}

namespace {

struct KeyPair {
  struct varlena* public_key;
  struct varlena* private_key;
};

KeyPair generate_key_pair(int bits) {
  if (bits != 2048 && bits != 3072 && bits != 4096)
    throw Error(ErrorCode::invalid_parameter, "key size must be 2048, 3072 or 4096 bits",
                "The size is " + std::to_string(bits) + ".");
  try {
    PaillierPrivateKey key = PaillierPrivateKey::generate(bits, system_rng(), query_cancellation());
    SecretBytes encoded = key.encode();
    return {pg::make_varlena(key.public_key().encode()), pg::make_varlena(view_of(encoded))};
  } catch (const Error& error) {
    // The server knows why the query ends (user request, timeout, shutdown), so its error is raised instead.
    if (error.code() == ErrorCode::cancelled) pg::check_for_interrupts();
    throw;
  }
}

}  // namespace

Datum pg_mpc_paillier_keygen(PG_FUNCTION_ARGS) {
  const int bits = PG_GETARG_INT32(0);
  TupleDesc row = pg::row_type(fcinfo);
  KeyPair pair = pg::udf([&] { return generate_key_pair(bits); });
  Datum values[2] = {PointerGetDatum(pair.public_key), PointerGetDatum(pair.private_key)};
  bool nulls[2] = {false, false};
  return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

Datum pg_mpc_paillier_encrypt(PG_FUNCTION_ARGS) {
  struct varlena* public_key = PG_GETARG_VARLENA_PP(0);
  const char* value = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(1)));
  const int scale = PG_GETARG_INT32(2);
  return pg::udf(fcinfo, [&] {
    EncryptionContext& context = encryption_context(pg::bytes_of(public_key));
    SecretBytes plaintext = residue_of(parse_decimal(value, scale), context.key.n());
    Bytes ciphertext(context.key.ciphertext_size());
    context.encryptor.encrypt(view_of(plaintext), ciphertext, calling_thread(), never_cancelled());
    return PointerGetDatum(pg::make_varlena(ciphertext_payload(scale, context.key.n(), ciphertext)));
  });
}

Datum pg_mpc_paillier_decrypt(PG_FUNCTION_ARGS) {
  struct varlena* private_key = PG_GETARG_VARLENA_PP(0);
  struct varlena* ciphertext = PG_GETARG_VARLENA_PP(1);
  const char* text = pg::udf([&]() -> const char* {
    DecryptionContext& context = decryption_context(pg::bytes_of(private_key));
    CiphertextView parts = parse_ciphertext(pg::bytes_of(ciphertext));
    const PaillierPublicKey& key = context.key.public_key();
    check_same_key(key.n(), "private key", parts.n, "ciphertext");
    SecretBytes plaintext(key.plaintext_size());
    context.decryptor.decrypt(parts.c, plaintext, calling_thread(), never_cancelled());
    SecretVector<char> value = residue_text(view_of(plaintext), key.n(), parts.scale);
    return pg::make_cstring({value.data(), value.size()});
  });
  return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

Datum pg_mpc_paillier_rerandomize(PG_FUNCTION_ARGS) {
  struct varlena* public_key = PG_GETARG_VARLENA_PP(0);
  struct varlena* ciphertext = PG_GETARG_VARLENA_PP(1);
  return pg::udf(fcinfo, [&] {
    EncryptionContext& context = encryption_context(pg::bytes_of(public_key));
    CiphertextView parts = parse_ciphertext(pg::bytes_of(ciphertext));
    check_same_key(context.key.n(), "public key", parts.n, "ciphertext");
    Bytes fresh = context.evaluator.rerandomize(parts.c, system_rng());
    return PointerGetDatum(pg::make_varlena(ciphertext_payload(parts.scale, parts.n, fresh)));
  });
}

}  // namespace pgmpc
