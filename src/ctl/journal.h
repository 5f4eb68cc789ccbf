#pragma once

#include <systemd/sd-journal.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace ha::ctl {

/// One message of ours from the journal.
struct JournalEvent {
    std::uint64_t at_unix_us = 0;
    std::string module;  // empty: it concerns the whole node
    std::string message_id;
    std::string text;
    int priority = 6;
};

/// Its text without the module's name, with which most begin: for where that stands already.
std::string text_alone(const JournalEvent& event);

/// This node's journal, reduced to the messages in api/message_ids.h from root's processes.
class EventJournal {
  public:
    /// `module`: empty for all.
    static Result<EventJournal> open(const std::string& module);
    /// Whether this user is shown what root's processes write. To others the journal is not an
    /// error but empty.
    static Result<bool> readable();

    /// The newest `count`, oldest first. Error: the journal cannot be read.
    Result<> newest(std::uint64_t count, const std::function<void(const JournalEvent&)>& see);
    /// Those that come; returns only with an error, or when `see` says false.
    Result<> follow(const std::function<bool(const JournalEvent&)>& see);

  private:
    static Result<EventJournal> of_root();
    struct JournalDelete {
        void operator()(sd_journal* journal) const noexcept { sd_journal_close(journal); }
    };
    std::unique_ptr<sd_journal, JournalDelete> journal_;
};

}  // namespace ha::ctl
