// Implements the marks in an error's context and the removal of the part between them.
#include "pg/error_context.h"

namespace pgmpc::pg {
namespace {

constexpr char kEntryMark[] = "a function of pg_mpc";
constexpr char kSourceMark[] = "reading the source of a study";

// Notices and warnings are left alone: code is still running when they are sent, and psql does not show their context.
bool is_error() {
  const int category = ERRCODE_TO_CATEGORY(geterrcode());
  return category != ERRCODE_SUCCESSFUL_COMPLETION && category != ERRCODE_WARNING && category != ERRCODE_NO_DATA;
}

void add_mark(void* text) {
  if (is_error()) errcontext("%s", static_cast<const char*>(text));
}

void push(ErrorContextCallback* callback, const char* text) {
  callback->callback = add_mark;
  callback->arg = const_cast<char*>(text);
  callback->previous = error_context_stack;
  error_context_stack = callback;
}

// Returns the first line of the text that equals the mark, or nullptr.
char* find_line(char* text, const char* mark) {
  const size_t length = strlen(mark);
  for (char* line = text; line != nullptr;) {
    if (strncmp(line, mark, length) == 0 && (line[length] == '\0' || line[length] == '\n')) return line;
    line = strchr(line, '\n');
    if (line != nullptr) line++;
  }
  return nullptr;
}

// Returns the context without the part between the marks, or nullptr when nothing is left.
char* without_own(char* context) {
  char* entry = context != nullptr ? find_line(context, kEntryMark) : nullptr;
  if (entry == nullptr) return context;
  char* outer = entry + strlen(kEntryMark);
  *entry = '\0';
  char* source = find_line(context, kSourceMark);
  StringInfoData left;
  initStringInfo(&left);
  if (source != nullptr)
    appendBinaryStringInfo(&left, context, source - context + static_cast<int>(strlen(kSourceMark)));
  if (*outer == '\n') appendStringInfo(&left, "%s%s", left.len > 0 ? "\n" : "", outer + 1);
  return left.len > 0 ? left.data : nullptr;
}

}  // namespace

void mark_entry(ErrorContextCallback* callback) { push(callback, kEntryMark); }
void mark_source(ErrorContextCallback* callback) { push(callback, kSourceMark); }

void rethrow_without_own_context(MemoryContext memory, bool reads_source) {
  MemoryContextSwitchTo(memory);
  ErrorData* error = CopyErrorData();
  FlushErrorState();
  error->context = without_own(error->context);
  // The server's hint of an undefined function ("No function matches ...") is replaced, too.
  if (reads_source && may_need_search_path(error->sqlerrcode) &&
      (error->hint == nullptr || error->sqlerrcode == ERRCODE_UNDEFINED_FUNCTION))
    error->hint = pstrdup(kSearchPathHint);
  ReThrowError(error);
  pg_unreachable();
}

bool may_need_search_path(int sqlstate) {
  return sqlstate == ERRCODE_UNDEFINED_TABLE || sqlstate == ERRCODE_UNDEFINED_FUNCTION ||
         sqlstate == ERRCODE_UNDEFINED_OBJECT;
}

}  // namespace pgmpc::pg
