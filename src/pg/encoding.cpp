// Implements the conversion of text between the database's encoding and UTF-8.
#include "pg/encoding.h"

extern "C" {
#include "catalog/namespace.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
}

namespace pgmpc::pg {
namespace {

const char* convert(const char* text, int from, int to) {
  const auto size = static_cast<int>(strlen(text));
  Oid function = FindDefaultConversionProc(from, to);
  if (!OidIsValid(function))
    ereport(
        ERROR,
        (errcode(ERRCODE_UNDEFINED_FUNCTION),
         errmsg("text cannot be converted from encoding %s to %s", pg_encoding_to_char(from), pg_encoding_to_char(to)),
         errdetail("There is no default conversion between them."), errhint("Use a database in UTF8 for pg_mpc.")));
  StringInfoData out;
  initStringInfo(&out);
  auto* rest = reinterpret_cast<unsigned char*>(const_cast<char*>(text));
  unsigned char* const end = rest + size;
  // In pieces, so that the buffer stays small.
  constexpr int kPiece = 4096, kPieceRoom = kPiece * MAX_CONVERSION_GROWTH + 1;
  auto* piece = static_cast<unsigned char*>(palloc(kPieceRoom));
  while (rest < end) {
    int length = static_cast<int>(end - rest);
    if (length > kPiece) length = pg_encoding_mbcliplen(from, reinterpret_cast<char*>(rest), length, kPiece);
    const int done = pg_do_encoding_conversion_buf(function, from, to, rest, length, piece, kPieceRoom, true);
    appendStringInfoString(&out, reinterpret_cast<char*>(piece));
    rest += done;
    if (done < length) {
      appendStringInfoChar(&out, '?');
      rest += Max(1, Min(pg_encoding_mblen(from, reinterpret_cast<char*>(rest)), static_cast<int>(end - rest)));
    }
  }
  pfree(piece);
  return out.data;
}

bool needs_conversion(const char* text) {
  const int encoding = GetDatabaseEncoding();
  return encoding != PG_UTF8 && encoding != PG_SQL_ASCII && !pg_is_ascii(text);
}

// SQL_ASCII gives no meaning to bytes beyond ASCII.
const char* without_high_bytes(const char* text) {
  char* copy = pstrdup(text);
  ascii_unless_utf8(copy);
  return copy;
}

}  // namespace

const char* to_server(const char* utf8) {
  if (GetDatabaseEncoding() == PG_SQL_ASCII && !pg_is_ascii(utf8)) return without_high_bytes(utf8);
  return needs_conversion(utf8) ? convert(utf8, PG_UTF8, GetDatabaseEncoding()) : utf8;
}

const char* from_server(const char* text) {
  if (GetDatabaseEncoding() == PG_SQL_ASCII && !pg_is_ascii(text)) return without_high_bytes(text);
  return needs_conversion(text) ? convert(text, GetDatabaseEncoding(), PG_UTF8) : text;
}

void ascii_unless_utf8(char* text) {
  if (GetDatabaseEncoding() == PG_UTF8) return;
  for (; *text != '\0'; text++)
    if (static_cast<unsigned char>(*text) >= 0x80) *text = '?';
}

}  // namespace pgmpc::pg
