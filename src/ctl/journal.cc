#include "ctl/journal.h"

#include <cstring>

#include "api/message_ids.h"

namespace ha::ctl {
namespace {

std::string field(sd_journal* journal, const char* name) {
    const void* data = nullptr;
    std::size_t length = 0;
    if (sd_journal_get_data(journal, name, &data, &length) < 0) return "";
    const std::string text(static_cast<const char*>(data), length);
    return text.substr(std::strlen(name) + 1);
}

JournalEvent event_at(sd_journal* journal) {
    JournalEvent event;
    sd_journal_get_realtime_usec(journal, &event.at_unix_us);
    event.module = field(journal, "HAMIRROR_MODULE");
    event.message_id = field(journal, "MESSAGE_ID");
    event.text = field(journal, "MESSAGE");
    const auto priority = field(journal, "PRIORITY");
    if (priority.size() == 1) event.priority = priority[0] - '0';
    return event;
}

tl::unexpected<Error> unreadable(int code) {
    return fail(std::string("The journal cannot be read: ") + std::strerror(-code), -code);
}

int add_match(sd_journal* journal, const std::string& match) {
    return sd_journal_add_match(journal, match.data(), match.size());
}

}  // namespace

std::string text_alone(const JournalEvent& event) {
    for (const auto& head : {event.module + ": ", "Module " + event.module + ": "}) {
        if (event.text.starts_with(head)) return event.text.substr(head.size());
    }
    return event.text;
}

Result<EventJournal> EventJournal::of_root() {
    EventJournal opened;
    sd_journal* raw = nullptr;
    int code = sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY);
    if (code < 0) return unreadable(code);
    opened.journal_.reset(raw);
    // Anybody may write our identifiers into the journal; _UID is the journal's own word.
    code = add_match(raw, "_UID=0");
    if (code < 0) return unreadable(code);
    return opened;
}

Result<bool> EventJournal::readable() {
    auto opened = of_root();
    if (!opened) return tl::unexpected(opened.error());
    int code = sd_journal_seek_tail(opened->journal_.get());
    if (code >= 0) code = sd_journal_previous(opened->journal_.get());
    if (code < 0) return unreadable(code);
    return code > 0;
}

Result<EventJournal> EventJournal::open(const std::string& module) {
    auto opened = of_root();
    if (!opened) return opened;
    sd_journal* raw = opened->journal_.get();
    int code = 0;
    // Matches of one field are alternatives, different fields must all match.
    for (const auto& id : api::message::kAll) {
        if (code >= 0) code = add_match(raw, std::string("MESSAGE_ID=") + id.hex);
    }
    if (code >= 0 && !module.empty()) code = add_match(raw, "HAMIRROR_MODULE=" + module);
    if (code < 0) return unreadable(code);
    return opened;
}

Result<> EventJournal::newest(std::uint64_t count,
                              const std::function<void(const JournalEvent&)>& see) {
    sd_journal* journal = journal_.get();
    int code = sd_journal_seek_tail(journal);
    if (code >= 0) code = sd_journal_previous_skip(journal, count);
    while (code > 0) {
        see(event_at(journal));
        code = sd_journal_next(journal);
    }
    if (code < 0) return unreadable(code);
    return {};
}

Result<> EventJournal::follow(const std::function<bool(const JournalEvent&)>& see) {
    sd_journal* journal = journal_.get();
    for (;;) {
        int code = sd_journal_next(journal);
        if (code == 0)
            code = sd_journal_wait(journal, UINT64_MAX);
        else if (code > 0 && !see(event_at(journal)))
            return {};
        if (code < 0 && code != -EINTR) return unreadable(code);
    }
}

}  // namespace ha::ctl
