// Implements the operators + - * on mpc.paillier_ciphertext and the aggregate sum().
//
// Terms
// The state is the running sum as a ciphertext's payload in a bytea. It is flat, so that parallel workers and
// distributed planners can pass partial sums on.
//
// Invariants
// Results carry N and scale of their operands. Operands with different keys or scales are refused. Inside an aggregate
// the state belongs to the aggregate, and its ciphertext is overwritten in place.
#include "pg/guard.h"
#include "udf/paillier_value.h"

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_paillier_add);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_subtract);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_multiply);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_multiply_commuted);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_sum_transition);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_sum_combine);
PG_FUNCTION_INFO_V1(pg_mpc_paillier_sum_final);
}

namespace {

Datum make_ciphertext(const CiphertextView& like, ByteView c) {
  return PointerGetDatum(pg::make_varlena(ciphertext_payload(like.scale, like.n, c)));
}

Datum multiply(FunctionCallInfo fcinfo, struct varlena* ciphertext, int64 factor) {
  return pg::udf(fcinfo, [&] {
    CiphertextView parts = parse_ciphertext(pg::bytes_of(ciphertext));
    return make_ciphertext(parts, evaluation_context(parts.n).multiply(parts.c, factor));
  });
}

// Adds the ciphertext of `addend` to the state and returns the state. The first addend becomes the state.
Datum accumulate(FunctionCallInfo fcinfo) {
  const bool in_aggregate = AggCheckCallContext(fcinfo, nullptr) != 0;
  if (PG_ARGISNULL(1)) {
    if (PG_ARGISNULL(0)) PG_RETURN_NULL();
    PG_RETURN_DATUM(PG_GETARG_DATUM(0));
  }
  struct varlena* addend = PG_GETARG_VARLENA_PP(1);
  if (PG_ARGISNULL(0))
    return pg::udf(fcinfo, [&] {
      parse_ciphertext(pg::bytes_of(addend));
      return PointerGetDatum(pg::make_varlena(pg::bytes_of(addend)));
    });
  struct varlena* state = in_aggregate ? PG_GETARG_VARLENA_PP(0) : PG_GETARG_BYTEA_P_COPY(0);
  return pg::udf(fcinfo, [&] {
    CiphertextView sum = parse_ciphertext(pg::bytes_of(state)), next = parse_ciphertext(pg::bytes_of(addend));
    check_same_kind(sum, next);
    auto* in_place = const_cast<std::uint8_t*>(sum.c.data());
    evaluation_context(sum.n).add(sum.c, next.c, {in_place, sum.c.size()}, calling_thread(), never_cancelled());
    return PointerGetDatum(state);
  });
}

}  // namespace

Datum pg_mpc_paillier_add(PG_FUNCTION_ARGS) {
  struct varlena* left = PG_GETARG_VARLENA_PP(0);
  struct varlena* right = PG_GETARG_VARLENA_PP(1);
  return pg::udf(fcinfo, [&] {
    CiphertextView a = parse_ciphertext(pg::bytes_of(left)), b = parse_ciphertext(pg::bytes_of(right));
    check_same_kind(a, b);
    return make_ciphertext(a, evaluation_context(a.n).add(a.c, b.c));
  });
}

Datum pg_mpc_paillier_subtract(PG_FUNCTION_ARGS) {
  struct varlena* left = PG_GETARG_VARLENA_PP(0);
  struct varlena* right = PG_GETARG_VARLENA_PP(1);
  return pg::udf(fcinfo, [&] {
    CiphertextView a = parse_ciphertext(pg::bytes_of(left)), b = parse_ciphertext(pg::bytes_of(right));
    check_same_kind(a, b);
    PaillierEvaluator& evaluator = evaluation_context(a.n);
    return make_ciphertext(a, evaluator.add(a.c, evaluator.negate(b.c)));
  });
}

Datum pg_mpc_paillier_multiply(PG_FUNCTION_ARGS) {
  return multiply(fcinfo, PG_GETARG_VARLENA_PP(0), PG_GETARG_INT64(1));
}

Datum pg_mpc_paillier_multiply_commuted(PG_FUNCTION_ARGS) {
  return multiply(fcinfo, PG_GETARG_VARLENA_PP(1), PG_GETARG_INT64(0));
}

Datum pg_mpc_paillier_sum_transition(PG_FUNCTION_ARGS) { return accumulate(fcinfo); }
Datum pg_mpc_paillier_sum_combine(PG_FUNCTION_ARGS) { return accumulate(fcinfo); }

Datum pg_mpc_paillier_sum_final(PG_FUNCTION_ARGS) {
  struct varlena* state = PG_GETARG_VARLENA_PP(0);
  return pg::udf(fcinfo, [&] {
    parse_ciphertext(pg::bytes_of(state));
    return PointerGetDatum(pg::make_varlena(pg::bytes_of(state)));
  });
}

}  // namespace pgmpc
