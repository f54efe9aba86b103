// Implements mpc.shamir_split and the aggregate mpc.shamir_combine.
//
// Terms
// A share is a field element, shown as an integer in [0, 2^127-1). Its number of decimal places (zeros) is the degree
// of its polynomial: 123.0 belongs to a secret that two shares open. Arithmetic of numeric keeps this correct: sums of
// shares keep the degree, products add the degrees, public factors have degree 0. A share without decimal places does
// not state its degree; then all given shares are assumed to be needed.
// The state is u16 scale, u8 degree, then per share u8 party and 16 bytes element. It is flat, for parallel plans.
//
// Invariants
// Surplus shares must lie on the polynomial of the others. A party gives one share. Nothing is rounded.
//
// Source
// Shamir, "How to share a secret", Communications of the ACM 22(11), 1979.
#include "sharing/shamir.h"

#include "base/error.h"
#include "pg/guard.h"
#include "udf/decimal.h"

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_shamir_split);
PG_FUNCTION_INFO_V1(pg_mpc_shamir_transition);
PG_FUNCTION_INFO_V1(pg_mpc_shamir_combine);
PG_FUNCTION_INFO_V1(pg_mpc_shamir_final);
}

namespace {

constexpr std::size_t kStateHead = 3;
constexpr std::size_t kEntry = 1 + kFpBytes;

struct ShareState {
  int scale = 0, degree = 0;
  ByteView entries;
  std::size_t count() const { return entries.size() / kEntry; }
};

ShareState parse_state(ByteView state) {
  Reader in(state);
  ShareState out;
  out.scale = in.u16();
  out.degree = in.u8();
  out.entries = in.raw(in.left());
  if (out.entries.size() % kEntry != 0 || out.count() > kMaxShamirParties)
    throw Error(ErrorCode::invalid_parameter, "the state of shamir_combine is damaged");
  return out;
}

// Joins the entries of two states. The larger degree is kept.
SecretBytes join_states(const ShareState& a, const ShareState& b) {
  if (a.scale != b.scale)
    throw Error(ErrorCode::invalid_parameter, "the shares are combined with different scales",
                "Scales " + std::to_string(a.scale) + " and " + std::to_string(b.scale) + " were given.");
  if (a.count() + b.count() > kMaxShamirParties)
    throw Error(ErrorCode::invalid_parameter, "too many shares",
                "At most " + std::to_string(kMaxShamirParties) + " parties can hold a share.");
  SecretBytes joined = {static_cast<std::uint8_t>(a.scale >> 8), static_cast<std::uint8_t>(a.scale),
                        static_cast<std::uint8_t>(std::max(a.degree, b.degree))};
  joined.reserve(kStateHead + a.entries.size() + b.entries.size());
  joined.insert(joined.end(), a.entries.begin(), a.entries.end());
  joined.insert(joined.end(), b.entries.begin(), b.entries.end());
  return joined;
}

struct ParsedShare {
  Fp element;
  int degree;
};

ParsedShare parse_share(const char* text) {
  try {
    ScaledInteger value = parse_decimal(text, 0);
    if (value.places >= kMaxShamirParties) throw Error(ErrorCode::invalid_parameter, "");
    return {field_element_of(value), value.places};
  } catch (const Error&) {
    throw Error(ErrorCode::invalid_parameter, "share is not a value that shamir_split returns",
                "A share is an integer with as many zero decimal places as its polynomial has degrees.");
  }
}

SecretBytes entry_of(int party, const ParsedShare& share) {
  if (party < 1 || party > kMaxShamirParties)
    throw Error(ErrorCode::invalid_parameter, "party must be between 1 and " + std::to_string(kMaxShamirParties),
                "The party is " + std::to_string(party) + ".");
  SecretBytes entry(kEntry);
  entry[0] = static_cast<std::uint8_t>(party);
  store(share.element, entry.data() + 1);
  return entry;
}

SecretVector<char> combined_text(const ShareState& state) {
  SecretVector<std::pair<int, Fp>> shares;
  shares.reserve(state.count());
  for (std::size_t i = 0; i < state.count(); ++i) {
    const std::uint8_t* entry = state.entries.data() + i * kEntry;
    shares.emplace_back(entry[0], load(entry + 1));
  }
  return signed_text(shamir_combine(shares, state.degree > 0 ? state.degree + 1 : 0), state.scale);
}

}  // namespace

Datum pg_mpc_shamir_split(PG_FUNCTION_ARGS) {
  const char* secret = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));
  const int threshold = PG_GETARG_INT32(1), parties = PG_GETARG_INT32(2), scale = PG_GETARG_INT32(3);
  InitMaterializedSRF(fcinfo, 0);
  char** texts = static_cast<char**>(palloc0(sizeof(char*) * kMaxShamirParties));
  pg::udf([&] {
    FpVector shares = shamir_split(signed_element_of(parse_decimal(secret, scale)), threshold, parties, system_rng());
    for (std::size_t i = 0; i < shares.size(); ++i) {
      SecretVector<char> text = element_text(shares[i], threshold - 1);
      texts[i] = pg::make_cstring({text.data(), text.size()});
    }
  });
  ReturnSetInfo* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (int i = 0; i < parties; ++i) {
    Datum share =
        DirectFunctionCall3(numeric_in, CStringGetDatum(texts[i]), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
    Datum values[2] = {Int32GetDatum(i + 1), share};
    bool nulls[2] = {false, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return static_cast<Datum>(0);
}

// Arguments: state, party, share [, scale]. Rows with a NULL are skipped, as in every aggregate.
Datum pg_mpc_shamir_transition(PG_FUNCTION_ARGS) {
  const bool skip = PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_NARGS() > 3 && PG_ARGISNULL(3));
  if (skip) {
    if (PG_ARGISNULL(0)) PG_RETURN_NULL();
    PG_RETURN_DATUM(PG_GETARG_DATUM(0));
  }
  struct varlena* state = PG_ARGISNULL(0) ? nullptr : PG_GETARG_VARLENA_PP(0);
  const int party = PG_GETARG_INT32(1), scale = PG_NARGS() > 3 ? PG_GETARG_INT32(3) : 0;
  const char* text = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(2)));
  return pg::udf(fcinfo, [&] {
    check_decimal_scale(scale);
    ParsedShare share = parse_share(text);
    SecretBytes entry = entry_of(party, share);
    ShareState added{scale, share.degree, view_of(entry)};
    ShareState before = state ? parse_state(pg::bytes_of(state)) : ShareState{scale, 0, {}};
    return PointerGetDatum(pg::make_varlena(view_of(join_states(before, added))));
  });
}

Datum pg_mpc_shamir_combine(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  if (PG_ARGISNULL(0)) PG_RETURN_DATUM(PG_GETARG_DATUM(1));
  if (PG_ARGISNULL(1)) PG_RETURN_DATUM(PG_GETARG_DATUM(0));
  struct varlena* left = PG_GETARG_VARLENA_PP(0);
  struct varlena* right = PG_GETARG_VARLENA_PP(1);
  return pg::udf(fcinfo, [&] {
    SecretBytes joined = join_states(parse_state(pg::bytes_of(left)), parse_state(pg::bytes_of(right)));
    return PointerGetDatum(pg::make_varlena(view_of(joined)));
  });
}

Datum pg_mpc_shamir_final(PG_FUNCTION_ARGS) {
  struct varlena* state = PG_GETARG_VARLENA_PP(0);
  const char* text = pg::udf([&]() -> const char* {
    SecretVector<char> value = combined_text(parse_state(pg::bytes_of(state)));
    return pg::make_cstring({value.data(), value.size()});
  });
  return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

}  // namespace pgmpc
