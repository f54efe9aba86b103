// Implements the query that reads a source.
#include "worker/source_query.h"

#include "study/levels.h"

// After the headers that are free of PostgreSQL.
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace pgmpc {
namespace {

std::string relation_name(Oid relation) {
  const char* name = pg::call([&]() -> const char* {
    char* table = get_rel_name(relation);
    if (table == nullptr) return nullptr;
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), table);
  });
  if (name == nullptr)
    throw Error(ErrorCode::undefined_object, "the source of the study does not exist any more", "",
                "Approve the study again with an existing table or view.");
  return name;
}

std::string quoted_name(const std::string& column) {
  return pg::call([&] { return quote_identifier(column.c_str()); });
}

std::string quoted_text(const std::string& text) {
  return pg::call([&]() -> const char* { return quote_literal_cstr(text.c_str()); });
}

Oid type_of(Oid relation, const std::string& column) {
  Oid type = pg::call([&] {
    AttrNumber number = get_attnum(relation, column.c_str());
    return number == InvalidAttrNumber ? InvalidOid : get_atttype(relation, number);
  });
  if (type == InvalidOid)
    throw Error(ErrorCode::undefined_object, "column \"" + column + "\" of the source does not exist");
  return type;
}

// Converts a numeric column without an error for a value outside of float8: the message of the cast would show the
// value and not the column. Such a value becomes infinite, which the encoding refuses by the column's name (like NaN).
// The smallest become 0.
std::string float_expression(const std::string& column) {
  return "CASE WHEN " + column + " OPERATOR(pg_catalog.<) -1e308 OR " + column + " OPERATOR(pg_catalog.>) 1e308 " +
         "THEN 'infinity' WHEN pg_catalog.abs(" + column + ") OPERATOR(pg_catalog.<) 1e-300 THEN 0 ELSE " + column +
         "::pg_catalog.float8 END";
}

char category_of(Oid type) {
  return pg::call([&] {
    char kind;
    bool preferred;
    get_type_category_preferred(getBaseType(type), &kind, &preferred);
    return kind;
  });
}

// Returns the expression for the column of a level. The operator and the collation are those of the server's catalog,
// whatever the type and the collation of the column.
std::string level_expression(Oid relation, const Level& wanted, const ControllerSpec& own) {
  const Oid type = type_of(relation, wanted.attribute), base = pg::call([&] { return getBaseType(type); });
  const char category = category_of(type);
  if (category != TYPCATEGORY_STRING && category != TYPCATEGORY_ENUM && base != INT2OID && base != INT4OID &&
      base != INT8OID)
    throw Error(ErrorCode::data_exception, "column \"" + wanted.attribute + "\" of the source has no levels",
                "Its type is neither text, nor an enumeration, nor a whole number.");
  const std::string value =
      "(" + quoted_name(wanted.attribute) + "::pg_catalog.text COLLATE pg_catalog.\"C\") OPERATOR(pg_catalog.=) ";
  std::string levels;
  for (const std::string& level : own.levels_of(wanted.attribute))
    levels += (levels.empty() ? "" : ", ") + quoted_text(level);
  return "CASE WHEN " + quoted_name(wanted.attribute) + " IS NULL THEN NULL WHEN " + value + quoted_text(wanted.level) +
         " THEN 1.0 WHEN " + value + "ANY (ARRAY[" + levels +
         "]::pg_catalog.text[]) THEN 0.0 ELSE 'infinity'::pg_catalog.float8 END";
}

// Returns the expression that converts the column to a number. Sets whether it is a 0/1 column.
std::string number_expression(Oid relation, const ControllerSpec& own, SourceColumn& column) {
  if (const std::optional<Level> level = level_of(column.name)) {
    column.binary = true;
    return level_expression(relation, *level, own);
  }
  Oid type = type_of(relation, column.name);
  const char category = category_of(type);
  column.binary = category == TYPCATEGORY_BOOLEAN;
  std::string name = quoted_name(column.name);
  if (!column.binary && category != TYPCATEGORY_NUMERIC)
    throw Error(ErrorCode::data_exception,
                "column \"" + column.name + "\" of the source is neither numeric nor boolean");
  if (pg::call([&] { return getBaseType(type); }) == NUMERICOID) return float_expression(name);
  const char* cast = column.binary ? "::pg_catalog.bool::pg_catalog.int4" : "";
  return name + cast + "::pg_catalog.float8";
}

// Returns the text of a part, the same under every setting (pg/fixed_settings.h). Sets what kind of text it is.
std::string part_expression(Oid relation, const std::string& part, PartType& type) {
  const Oid declared = type_of(relation, part);
  const Oid base = pg::call([&] { return getBaseType(declared); });
  const std::string name = quoted_name(part);
  type = PartType::text;
  switch (base) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
      type = PartType::number;
      break;
    case NUMERICOID:
      type = PartType::number;
      return "pg_catalog.trim_scale(" + name + "::pg_catalog.numeric)::pg_catalog.text";
    case FLOAT4OID:
    case FLOAT8OID:
      type = PartType::number;
      // Through text: the cast from float8 rounds to 15 digits, so that 16 digits could become another person's number.
      return "pg_catalog.trim_scale(" + name + "::pg_catalog.text::pg_catalog.numeric)::pg_catalog.text";
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      type = PartType::date;
      break;
    default:
      break;
  }
  return name + "::pg_catalog.text";
}

}  // namespace

std::string source_query(unsigned int relation, const ControllerSpec& own, std::vector<SourceColumn>& columns,
                         const std::vector<std::string>& parts, std::vector<PartType>& types) {
  std::string list;
  for (SourceColumn& column : columns) list += number_expression(relation, own, column) + ", ";
  for (std::size_t p = 0; p < parts.size(); p++)
    list += (p > 0 ? ", " : "") + part_expression(relation, parts[p], types[p]);
  return "SELECT " + list + " FROM " + relation_name(relation);
}

}  // namespace pgmpc
