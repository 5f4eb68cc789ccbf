#include "io/log.h"

#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <vector>

namespace ha::io {
namespace {

std::vector<std::string>& common_fields() {
    static std::vector<std::string> fields;
    return fields;
}

std::atomic<int>& lowest_level() {
    static std::atomic<int> lowest =
        static_cast<int>(std::getenv("HAMIRROR_DEBUG") ? Level::Debug : Level::Info);
    return lowest;
}

bool under_systemd() {
    static const bool under = std::getenv("JOURNAL_STREAM") != nullptr;
    return under;
}

std::string assignment(std::string_view name, std::string_view value) {
    std::string text(name);
    text += '=';
    text += value;
    return text;
}

void send_to_journal(const std::vector<std::string>& fields) {
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (const auto& field : fields) {
        parts.push_back({const_cast<char*>(field.data()), field.size()});
    }
    sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

// One write a message, so that threads do not mix their lines; a line break would end the message.
void send_to_stderr(Level level, std::string_view text) {
    std::string line = "<" + std::to_string(static_cast<int>(level)) + ">";
    for (char c : text) line += c == '\n' ? ' ' : c;
    line += '\n';
    [[maybe_unused]] auto written = write(STDERR_FILENO, line.data(), line.size());
}

void emit(Level level, const api::MessageId* id, std::initializer_list<LogField> fields,
          std::string_view text) {
    if (static_cast<int>(level) > lowest_level()) return;
    if (!under_systemd()) return send_to_stderr(level, text);
    std::vector<std::string> all = common_fields();
    all.push_back(assignment("PRIORITY", std::to_string(static_cast<int>(level))));
    all.push_back(assignment("MESSAGE", text));
    if (id) all.push_back(assignment("MESSAGE_ID", id->hex));
    for (const auto& field : fields) all.push_back(assignment(field.name, field.value));
    send_to_journal(all);
}

}  // namespace

void log(Level level, const api::MessageId& id, std::initializer_list<LogField> fields,
         std::string_view text) {
    emit(level, &id, fields, text);
}

void log(Level level, std::string_view text) {
    emit(level, nullptr, {}, text);
}

void set_log_fields(std::initializer_list<LogField> fields) {
    common_fields().clear();
    for (const auto& field : fields) {
        common_fields().push_back(assignment(field.name, field.value));
    }
}

void set_log_level(Level lowest) {
    lowest_level() = static_cast<int>(lowest);
}

}  // namespace ha::io
