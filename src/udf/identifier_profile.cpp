// What the identifiers of a source look like, read as an engine reads them: for mpc.check_source and the notices of
// mpc.approve_study.
#include "udf/identifier_profile.h"

#include <algorithm>

#include "crypto/keyed_hash.h"

// After the headers that are free of PostgreSQL.
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(pg_mpc_identifier_profile);
}

namespace pgmpc {

void IdentifierProfile::add(const Source& part) {
  for (std::size_t r = 0; r < part.records(); r++) {
    const std::uint64_t begin = r == 0 ? 0 : part.identifier_ends[r - 1];
    const Hash hash = sha256(view_of(part.identifiers).subspan(begin, part.identifier_ends[r] - begin));
    std::array<std::uint8_t, 16>& kept = seen_.emplace_back();
    std::copy_n(hash.begin(), kept.size(), kept.begin());
  }
  dropped_ = part.dropped;
  refused_ = part.refused;
}

std::int64_t IdentifierProfile::duplicates() {
  std::sort(seen_.begin(), seen_.end());
  std::int64_t repeated = 0;
  for (std::size_t i = 1; i < seen_.size(); i++) repeated += seen_[i] == seen_[i - 1];
  return repeated;
}

std::string IdentifierProfile::json(std::int64_t duplicates) const {
  Json out = {
      {"nulls", dropped_ - refused_}, {"refused", refused_}, {"duplicates", duplicates}, {"parts", Json::array()}};
  for (const PartProfile& part : parts_)
    out["parts"].push_back({{"records", part.records},
                            {"refused", part.refused_in_all()},
                            {"reasons", part.reasons()},
                            {"shortest", part.shortest},
                            {"longest", part.longest},
                            {"leading_zeros", part.leading_zeros},
                            {"blanks", part.blanks},
                            {"non_ascii", part.non_ascii},
                            {"shapes", part.shapes()}});
  return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace pgmpc

// spec, source, columns of the identifier: JSON as text. Read as the current user: members of mpc_study may call it,
// and nobody reads what another role can.
Datum pg_mpc_identifier_profile(PG_FUNCTION_ARGS) {
  using namespace pgmpc;
  text* spec = PG_GETARG_TEXT_PP(0);
  ArrayType* names = PG_GETARG_ARRAYTYPE_P(2);
  const Oid source = PG_GETARG_OID(1), role = GetUserId();
  Datum* elements;
  int count;
  deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, nullptr, &count);
  return pg::udf(fcinfo, [&] {
    BoundSource bound{source, {}, role};
    for (int i = 0; i < count; i++) bound.identifier.emplace_back(pg::text_of(DatumGetPointer(elements[i])));
    IdentifierProfile profile(bound.identifier.size());
    scan_source(
        bound, read_spec(pg::text_of(spec)).identifier, {}, [&](const Source& part) { profile.add(part); },
        profile.see());
    return PointerGetDatum(pg::make_varlena(view_of(profile.json(profile.duplicates()))));
  });
}
