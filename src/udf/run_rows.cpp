// Implements step rows as SQL rows and NOTICEs.
#include "udf/run_rows.h"

#include "pg/guard.h"

namespace pgmpc {
namespace {

constexpr std::array<const char*, 9> kColumns{"party", "step",    "name",        "peer",     "records",
                                              "bytes", "seconds", "data_status", "destroyed"};

// Returns text that array_in reads as these elements.
std::string array_text(const Json& elements) {
  std::string text = "{";
  for (const Json& element : elements) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (char c : element.get<std::string>()) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

std::optional<std::string> column_text(const Json& row, const char* column) {
  auto value = row.find(column);
  if (value == row.end() || value->is_null()) return std::nullopt;
  if (value->is_array()) return array_text(*value);
  return value->is_string() ? value->get<std::string>() : value->dump();
}

}  // namespace

StepRowSink::StepRowSink(FunctionCallInfo fcinfo)
    : result_(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo)),
      types_(TupleDescGetAttInMetadata(result_->setDesc)) {}

void StepRowSink::put(const Json& row) const {
  std::array<std::optional<std::string>, kColumns.size()> texts;
  std::array<char*, kColumns.size()> values{};
  for (std::size_t i = 0; i < kColumns.size(); i++) {
    texts[i] = column_text(row, kColumns[i]);
    values[i] = texts[i] ? texts[i]->data() : nullptr;
  }
  pg::call([&] {
    HeapTuple tuple = BuildTupleFromCStrings(types_, values.data());
    tuplestore_puttuple(result_->setResult, tuple);
    heap_freetuple(tuple);
  });
}

void notice_step(const Json& row) {
  std::string text = "step " + row.at("step").dump() + " " + text_member(row, "name") + ": ";
  if (auto records = column_text(row, "records")) text += *records + " records, ";
  if (auto bytes = column_text(row, "bytes")) text += *bytes + " bytes, ";
  char seconds[32];
  snprintf(seconds, sizeof seconds, "%.3f s", row.value("seconds", 0.0));
  text += seconds;
  if (auto status = column_text(row, "data_status")) text += ", data now " + *status;
  pg::call([&] { ereport(NOTICE, (errmsg_internal("%s", text.c_str()))); });
}

}  // namespace pgmpc
