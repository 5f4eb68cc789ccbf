#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "api/message_ids.h"

// Structured messages to the journal; to stderr with <N> prefixes (sd-daemon(3)) outside systemd.
// Who handles a result logs it once; core and io never log above Debug. Any thread.

namespace ha::io {

/// syslog(3) priorities; `Error` and up mean that a person has something to do.
enum class Level : int { Critical = 2, Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7 };

/// Names of fields are HAMIRROR_MODULE, HAMIRROR_EPOCH, HAMIRROR_NODE, HAMIRROR_STATE, ... : upper
/// case letters, digits, underscores. A value may hold any bytes.
struct LogField {
    std::string_view name;
    std::string value;
};

/// `text` is one whole sentence for the administrator.
void log(Level level, const api::MessageId& id, std::initializer_list<LogField> fields,
         std::string_view text);
/// Without an entry in the catalogue: for developers (Debug, Info).
void log(Level level, std::string_view text);

/// Fields every later message carries, e.g. HAMIRROR_MODULE in a replicator. Before any thread.
void set_log_fields(std::initializer_list<LogField> fields);
/// Messages below this priority are dropped. Default Info; HAMIRROR_DEBUG=1 in the environment
/// makes it Debug.
void set_log_level(Level lowest);

}  // namespace ha::io
