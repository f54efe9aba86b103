// Implements the two crossings between C++ and the server, except their templates.
#include "pg/guard.h"

#include <new>
#include <stdexcept>

#include "pg/encoding.h"
#include "pg/errcodes.h"

namespace pgmpc::pg {

namespace {

// Copies as much as fits and never ends inside a multibyte character of UTF-8. In other encodings our texts are ASCII.
template <std::size_t N>
void clip(char (&to)[N], const std::string& from) noexcept {
  std::size_t size = std::min(from.size(), N - 1);
  if (size < from.size())
    while (size > 0 && (static_cast<unsigned char>(from[size]) & 0xC0) == 0x80) --size;
  std::memcpy(to, from.data(), size);
  to[size] = '\0';
}

void describe(ErrorReport& report, int sqlstate, const char* message) noexcept {
  report.sqlstate = sqlstate;
  strlcpy(report.message, message, sizeof report.message);
}

void describe(ErrorReport& report, const Error& error) noexcept {
  report.sqlstate = sqlstate_of(error);
  clip(report.message, error.message());
  clip(report.detail, error.detail());
  clip(report.hint, error.hint());
}

std::string text_or_empty(const char* text) { return text ? text : ""; }

}  // namespace

int sqlstate_of(const Error& error) noexcept {
  if (auto* server = dynamic_cast<const ServerError*>(&error)) return server->sqlstate();
  return sqlstate_of(error.code());
}

void describe_current_exception(ErrorReport& report) noexcept {
  report.from_server = false;
  report.message[0] = report.detail[0] = report.hint[0] = report.context[0] = '\0';
  try {
    throw;
  } catch (const ServerError& error) {
    describe(report, error);
    clip(report.context, error.context());
    report.from_server = !error.context().empty();
  } catch (const Error& error) {
    describe(report, error);
  } catch (const std::bad_alloc&) {
    describe(report, ERRCODE_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    describe(report, ERRCODE_INTERNAL_ERROR, error.what());
  } catch (...) {
    describe(report, ERRCODE_INTERNAL_ERROR, "an exception of unknown type reached the server");
  }
}

void raise(const ErrorReport& described) {
  ErrorReport report = described;
  for (char* text : {report.message, report.detail, report.hint, report.context}) ascii_unless_utf8(text);
  // The context of a server error was collected where it happened, outer callers included. Collecting it again would
  // print their lines twice. The code that catches the error restores the stack.
  if (report.from_server) error_context_stack = nullptr;
  ereport(ERROR,
          (errcode(report.sqlstate), errmsg_internal("%s", report.message),
           report.detail[0] ? errdetail_internal("%s", report.detail) : 0,
           report.hint[0] ? errhint("%s", report.hint) : 0, report.context[0] ? errcontext("%s", report.context) : 0));
  pg_unreachable();
}

ErrorData* try_server(void (*body)(void*), void* argument) noexcept {
  MemoryContext context = CurrentMemoryContext;
  ErrorData* volatile error = nullptr;
  PG_TRY();
  { body(argument); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    error = CopyErrorData();
    FlushErrorState();
  }
  PG_END_TRY();
  return error;
}

void throw_server_error(ErrorData* error) {
  for (char* text : {error->message, error->detail, error->hint, error->context})
    if (text != nullptr) ascii_unless_utf8(text);
  ServerError thrown(error->sqlerrcode, text_or_empty(error->message), text_or_empty(error->detail),
                     text_or_empty(error->hint), text_or_empty(error->context));
  FreeErrorData(error);
  throw thrown;
}

struct varlena* make_varlena(ByteView payload) {
  if (payload.size() > MaxAllocSize - VARHDRSZ)
    throw Error(ErrorCode::limit_exceeded, "the value does not fit into one field");
  auto* value = call([&] { return static_cast<struct varlena*>(palloc(VARHDRSZ + payload.size())); });
  SET_VARSIZE(value, VARHDRSZ + payload.size());
  std::memcpy(VARDATA(value), payload.data(), payload.size());
  return value;
}

char* make_cstring(std::string_view text) {
  char* value = call([&] { return static_cast<char*>(palloc(text.size() + 1)); });
  std::memcpy(value, text.data(), text.size());
  value[text.size()] = '\0';
  return value;
}

void check_for_interrupts() {
  if (INTERRUPTS_PENDING_CONDITION()) call([] { ProcessInterrupts(); });
}

}  // namespace pgmpc::pg
