// Implements text and binary input and output of mpc.paillier_public_key, mpc.paillier_private_key and
// mpc.paillier_ciphertext. Every input is validated, binary as strictly as text.
#include "pg/guard.h"
#include "udf/paillier_value.h"
extern "C" {
#include "libpq/pqformat.h"
}

namespace pgmpc {

namespace {

using Validate = void (*)(ByteView payload);

Datum input(FunctionCallInfo fcinfo, std::string_view tag, const char* type, Validate validate) {
  const char* text = PG_GETARG_CSTRING(0);
  return pg::udf(fcinfo, [&] {
    SecretBytes payload = payload_of_text(text, tag, type);
    validate(view_of(payload));
    return PointerGetDatum(pg::make_varlena(view_of(payload)));
  });
}

Datum output(FunctionCallInfo fcinfo, std::string_view tag) {
  struct varlena* value = PG_GETARG_VARLENA_PP(0);
  return pg::udf(fcinfo, [&] {
    SecretVector<char> text = text_of_payload(pg::bytes_of(value), tag);
    return CStringGetDatum(pg::make_cstring({text.data(), text.size()}));
  });
}

Datum receive(FunctionCallInfo fcinfo, Validate validate) {
  StringInfo message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  const int size = message->len - message->cursor;
  const char* bytes = pq_getmsgbytes(message, size);
  return pg::udf(fcinfo, [&] {
    ByteView payload(reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size));
    validate(payload);
    return PointerGetDatum(pg::make_varlena(payload));
  });
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_paillier_public_key_in);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_public_key_out);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_public_key_recv);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_private_key_in);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_private_key_out);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_private_key_recv);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_ciphertext_in);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_ciphertext_out);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_ciphertext_recv);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_send);
}

Datum pg_mpc_paillier_public_key_in(PG_FUNCTION_ARGS) {
  return input(fcinfo, kPublicKeyTag, "mpc.paillier_public_key", validate_public_key);
}
Datum pg_mpc_paillier_public_key_out(PG_FUNCTION_ARGS) { return output(fcinfo, kPublicKeyTag); }
Datum pg_mpc_paillier_public_key_recv(PG_FUNCTION_ARGS) { return receive(fcinfo, validate_public_key); }

Datum pg_mpc_paillier_private_key_in(PG_FUNCTION_ARGS) {
  return input(fcinfo, kPrivateKeyTag, "mpc.paillier_private_key", validate_private_key);
}
Datum pg_mpc_paillier_private_key_out(PG_FUNCTION_ARGS) { return output(fcinfo, kPrivateKeyTag); }
Datum pg_mpc_paillier_private_key_recv(PG_FUNCTION_ARGS) { return receive(fcinfo, validate_private_key); }

Datum pg_mpc_paillier_ciphertext_in(PG_FUNCTION_ARGS) {
  return input(fcinfo, kCiphertextTag, "mpc.paillier_ciphertext", validate_ciphertext);
}
Datum pg_mpc_paillier_ciphertext_out(PG_FUNCTION_ARGS) { return output(fcinfo, kCiphertextTag); }
Datum pg_mpc_paillier_ciphertext_recv(PG_FUNCTION_ARGS) { return receive(fcinfo, validate_ciphertext); }

// The binary form of all three types is their payload.
Datum pg_mpc_paillier_send(PG_FUNCTION_ARGS) {
  bytea* payload = PG_GETARG_BYTEA_P_COPY(0);
  PG_RETURN_BYTEA_P(payload);
}

}  // namespace pgmpc
