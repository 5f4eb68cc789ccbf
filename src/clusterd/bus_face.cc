#include "clusterd/bus_face.h"

#include <array>
#include <cstring>
#include <memory>

#include "api/bus.h"
#include "clusterd/status_json.h"
#include "io/clock.h"
#include "io/yaml_config.h"

namespace ha::clusterd {
namespace {

int append(sd_bus_message* message, const BusValue& value) {
    if (const auto* flag = std::get_if<bool>(&value)) {
        return sd_bus_message_append(message, "b", static_cast<int>(*flag));
    }
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        return sd_bus_message_append(message, "t", *number);
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        return sd_bus_message_append(message, "s", text->c_str());
    }
    int code = sd_bus_message_open_container(message, 'a', "s");
    for (const auto& text : std::get<std::vector<std::string>>(value)) {
        if (code >= 0) code = sd_bus_message_append(message, "s", text.c_str());
    }
    return code < 0 ? code : sd_bus_message_close_container(message);
}

/// Answers `call` when done, on whatever is left of its connection by then.
Done answer(sd_bus_message* call, bool with_text) {
    std::shared_ptr<sd_bus_message> held(sd_bus_message_ref(call), sd_bus_message_unref);
    return [held, with_text](const tl::expected<std::string, CommandError>& result) {
        if (!result) {
            const auto name = api::bus::kErrorPrefix + error_member(result.error().code);
            sd_bus_reply_method_errorf(held.get(), name.c_str(), "%s",
                                       to_utf8(result.error().text).c_str());
        } else if (with_text) {
            sd_bus_reply_method_return(held.get(), "s", to_utf8(*result).c_str());
        } else {
            sd_bus_reply_method_return(held.get(), "");
        }
    };
}

/// As status_json.cc writes it; empty: none.
std::optional<Id128> id_of(const char* text) {
    return *text == '\0' ? Id128{} : Id128::parse(text);
}

}  // namespace

/// What sd-bus calls. `object` is a BusObject of BusFace::objects_.
struct BusFaceVtable {
    static int find(sd_bus*, const char* path, const char* interface, void* self, void** found,
                    sd_bus_error*) noexcept {
        auto* face = static_cast<BusFace*>(self);
        face->refresh();
        auto object = face->objects_.find(path);
        if (object == face->objects_.end()) return 0;
        if (std::strcmp(object->second.interface, interface) != 0) return 0;
        *found = &object->second;
        return 1;
    }

    static int enumerate(sd_bus*, const char*, void* self, char*** nodes, sd_bus_error*) noexcept {
        auto* face = static_cast<BusFace*>(self);
        face->refresh();
        auto** list = static_cast<char**>(std::calloc(face->objects_.size() + 1, sizeof(char*)));
        if (list == nullptr) return -ENOMEM;
        std::size_t count = 0;
        for (const auto& [path, object] : face->objects_) list[count++] = strdup(path.c_str());
        *nodes = list;
        return 0;
    }

    static int get(sd_bus*, const char*, const char*, const char* property, sd_bus_message* reply,
                   void* object, sd_bus_error*) noexcept {
        const BusValue* value = static_cast<BusObject*>(object)->find(property);
        return value == nullptr ? -ENOENT : append(reply, *value);
    }

    static int status(sd_bus_message* call, void* object, sd_bus_error*) noexcept {
        auto* face = static_cast<BusObject*>(object)->face;
        return sd_bus_reply_method_return(call, "s", face->json_.c_str());
    }

    static int apply(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        auto* face = static_cast<BusObject*>(object)->face;
        const char* yaml = nullptr;
        const char* file_name = nullptr;
        int dry_run = 0;
        int without_peer = 0;
        int code = sd_bus_message_read(call, "ssbb", &yaml, &file_name, &dry_run, &without_peer);
        if (code < 0) return code;
        if (code = refuse(face, call, error); code < 0) return code;
        face->commands_->apply(yaml, file_name, dry_run != 0, without_peer != 0,
                               answer(call, true));
        return 1;
    }

    static int set_witness(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        auto* face = static_cast<BusObject*>(object)->face;
        const char* yaml = nullptr;
        int code = sd_bus_message_read(call, "s", &yaml);
        if (code < 0) return code;
        if (code = refuse(face, call, error); code < 0) return code;
        auto done = answer(call, true);
        std::optional<config::WitnessConfig> witness;
        if (*yaml != '\0') {
            auto parsed = io::parse_witness(yaml, "witness");
            if (!parsed.value) {
                done(tl::unexpected(CommandError{"Invalid", parsed.messages()}));
                return 1;
            }
            witness = *parsed.value;
        }
        face->commands_->set_witness(std::move(witness), std::move(done));
        return 1;
    }

    static int start(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        return order(call, object, error, true,
                     [](Commands& commands, const std::string& module, bool as_source, Done done) {
                         commands.start(module, {as_source, std::nullopt}, std::move(done));
                     });
    }

    static int force(sd_bus_message* call, void* target, sd_bus_error* error) noexcept {
        const auto* object = static_cast<BusObject*>(target);
        BusFace* face = object->face;
        const char* decision = nullptr;
        const char* peer_decision = nullptr;
        int peer_seen = 0;
        int code = sd_bus_message_read(call, "ssb", &decision, &peer_decision, &peer_seen);
        if (code < 0) return code;
        if (code = refuse(face, call, error); code < 0) return code;
        auto done = answer(call, false);
        const auto here = id_of(decision);
        const auto there = id_of(peer_decision);
        if (!here || !there) {
            done(tl::unexpected(CommandError{"Invalid", "That is not what Status() shows."}));
            return 1;
        }
        const std::string module = object->name;
        face->commands_->start(module, {false, cluster::Knowledge{*here, *there, peer_seen != 0}},
                               std::move(done));
        return 1;
    }

    static int stop(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        return order(call, object, error, true,
                     [](Commands& commands, const std::string& module, bool all, Done done) {
                         commands.stop(module, all, std::move(done));
                     });
    }

    static int swap(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        return order(call, object, error, false,
                     [](Commands& commands, const std::string& module, bool, Done done) {
                         commands.swap(module, "", std::move(done));
                     });
    }

    static int restart(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        return order(call, object, error, false,
                     [](Commands& commands, const std::string& module, bool, Done done) {
                         commands.restart(module, std::move(done));
                     });
    }

    static int set_failover(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        return order(call, object, error, true,
                     [](Commands& commands, const std::string& module, bool automatic, Done done) {
                         commands.set_failover(module, automatic, std::move(done));
                     });
    }

    static int set_at_boot(sd_bus_message* call, void* object, sd_bus_error* error) noexcept {
        return order(call, object, error, true,
                     [](Commands& commands, const std::string& module, bool starts, Done done) {
                         commands.set_at_boot(module, starts, std::move(done));
                     });
    }

    static int swap_to(sd_bus_message* call, void* target, sd_bus_error* error) noexcept {
        const auto* object = static_cast<BusObject*>(target);
        BusFace* face = object->face;
        const char* node = nullptr;
        int code = sd_bus_message_read(call, "s", &node);
        if (code < 0) return code;
        if (code = refuse(face, call, error); code < 0) return code;
        const std::string module = object->name;
        face->commands_->swap(module, node, answer(call, false));
        return 1;
    }

    template <typename Give>
    static int order(sd_bus_message* call, void* target, sd_bus_error* error, bool has_flag,
                     Give give) noexcept {
        const auto* object = static_cast<BusObject*>(target);
        BusFace* face = object->face;
        int flag = 0;
        if (has_flag) {
            if (int code = sd_bus_message_read(call, "b", &flag); code < 0) return code;
        }
        if (int code = refuse(face, call, error); code < 0) return code;
        const std::string module = object->name;  // the object may be gone before the answer
        give(*face->commands_, module, flag != 0, answer(call, false));
        return 1;
    }

    /// Negative, with `error` set, unless the sender may change things.
    static int refuse(BusFace* face, sd_bus_message* call, sd_bus_error* error) {
        if (face->options_.may_change(call)) return 0;
        return sd_bus_error_set(error, api::bus::kAccessDenied,
                                "Only root may do this: repeat it with sudo.");
    }
};

namespace {

constexpr std::uint64_t kConst = SD_BUS_VTABLE_PROPERTY_CONST;
constexpr std::uint64_t kEmits = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
// sd-bus's own check would answer without a word of help.
constexpr std::uint64_t kOwnCheck = SD_BUS_VTABLE_UNPRIVILEGED;

// The macros initialise C fashion: fields left out, addresses cast.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

const std::array kClusterVtable{
    sd_bus_vtable SD_BUS_VTABLE_START(0),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("Status", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json),
                                          BusFaceVtable::status, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS(
        "Apply", SD_BUS_ARGS("s", yaml, "s", file_name, "b", dry_run, "b", without_peer),
        SD_BUS_RESULT("s", plan), BusFaceVtable::apply, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("SetWitness", SD_BUS_ARGS("s", yaml),
                                          SD_BUS_RESULT("s", outcome), BusFaceVtable::set_witness,
                                          kOwnCheck),
    sd_bus_vtable SD_BUS_SIGNAL_WITH_ARGS("Changed", SD_BUS_ARGS("s", json), 0),
    sd_bus_vtable SD_BUS_PROPERTY("Node", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Peer", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Paired", "b", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("ControlConnected", "b", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_VTABLE_END};

const std::array kNodeVtable{
    sd_bus_vtable SD_BUS_VTABLE_START(0),
    sd_bus_vtable SD_BUS_PROPERTY("Name", "s", BusFaceVtable::get, 0, kConst),
    sd_bus_vtable SD_BUS_PROPERTY("Seen", "b", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_VTABLE_END};

const std::array kModuleVtable{
    sd_bus_vtable SD_BUS_VTABLE_START(0),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_ARGS("b", as_source), SD_BUS_NO_RESULT,
                                          BusFaceVtable::start, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS(
        "Force", SD_BUS_ARGS("s", decision, "s", peer_decision, "b", peer_seen), SD_BUS_NO_RESULT,
        BusFaceVtable::force, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("b", all), SD_BUS_NO_RESULT,
                                          BusFaceVtable::stop, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("Swap", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,
                                          BusFaceVtable::swap, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("SwapTo", SD_BUS_ARGS("s", node), SD_BUS_NO_RESULT,
                                          BusFaceVtable::swap_to, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("Restart", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,
                                          BusFaceVtable::restart, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("SetFailover", SD_BUS_ARGS("b", automatic),
                                          SD_BUS_NO_RESULT, BusFaceVtable::set_failover, kOwnCheck),
    sd_bus_vtable SD_BUS_METHOD_WITH_ARGS("SetAtBoot", SD_BUS_ARGS("b", starts), SD_BUS_NO_RESULT,
                                          BusFaceVtable::set_at_boot, kOwnCheck),
    sd_bus_vtable SD_BUS_PROPERTY("State", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Readiness", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("ReasonCode", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Reason", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("PeerState", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("PeerReadiness", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("PeerReasonCode", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("PeerReason", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Epoch", "t", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Primary", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("InSync", "as", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Policy", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("AutomaticFailover", "b", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Preferred", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("AtBoot", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Mode", "s", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("VirtualIPs", "as", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Units", "as", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_PROPERTY("Paths", "as", BusFaceVtable::get, 0, kEmits),
    sd_bus_vtable SD_BUS_VTABLE_END};
#pragma GCC diagnostic pop

}  // namespace

BusFace::BusFace(io::Loop& loop, Commands& commands, Options options)
    : commands_(&commands),
      options_(std::move(options)),
      timer_(loop),
      connection_(
          loop, options_.open, options_.retry,
          {[this](sd_bus* bus) { return export_objects(bus); }, [this] { timer_.cancel(); }}) {}

bool BusFace::sender_is_root(sd_bus_message* message) {
    sd_bus_creds* raw = nullptr;
    if (sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &raw) < 0) return false;
    std::unique_ptr<sd_bus_creds, decltype(&sd_bus_creds_unref)> creds(raw, sd_bus_creds_unref);
    uid_t uid = 0;
    return sd_bus_creds_get_euid(raw, &uid) >= 0 && uid == 0;
}

Result<> BusFace::export_objects(sd_bus* bus) {
    int code = sd_bus_add_object_manager(bus, nullptr, api::bus::kRoot);
    const auto add = [&](const char* interface, const sd_bus_vtable* vtable) {
        if (code < 0) return;
        code = sd_bus_add_fallback_vtable(bus, nullptr, api::bus::kRoot, interface, vtable,
                                          BusFaceVtable::find, this);
    };
    add(api::bus::kCluster, kClusterVtable.data());
    add(api::bus::kNode, kNodeVtable.data());
    add(api::bus::kModule, kModuleVtable.data());
    if (code >= 0) {
        code = sd_bus_add_node_enumerator(bus, nullptr, api::bus::kRoot, BusFaceVtable::enumerate,
                                          this);
    }
    if (code < 0) return fail(std::string("cannot export: ") + std::strerror(-code), -code);
    // Whoever meets us on a new connection reads everything.
    dirty_ = true;
    refresh();
    announced_ = objects_;
    announced_json_ = json_;
    return {};
}

void BusFace::refresh() {
    if (!dirty_) return;
    const ClusterView view = commands_->view();
    objects_ = bus_objects(view, this);
    json_ = to_json(view);
    dirty_ = false;
}

void BusFace::changed() {
    dirty_ = true;
    if (connection_.raw() == nullptr || timer_.armed()) return;
    timer_.arm(std::max(io::boot_now(), announced_at_ + options_.coalesce), [this] { emit(); });
}

void BusFace::stop() {
    if (dirty_) emit();  // as far as the bus takes it at once
    connection_.stop();
}

void BusFace::emit() {
    sd_bus* bus = connection_.raw();
    if (bus == nullptr) return;
    std::uint64_t unread = 0;
    if (sd_bus_get_n_queued_write(bus, &unread) >= 0 && unread > options_.backlog) {
        return connection_.reconnect("it does not read");
    }
    refresh();
    announced_at_ = io::boot_now();
    for (const auto& [path, object] : objects_) emit_object(bus, path, object);
    for (const auto& [path, object] : announced_) {
        if (objects_.contains(path)) continue;
        sd_bus_emit_interfaces_removed(bus, path.c_str(), object.interface, nullptr);
    }
    if (json_ != announced_json_) {
        sd_bus_emit_signal(bus, api::bus::kClusterPath, api::bus::kCluster, "Changed", "s",
                           json_.c_str());
    }
    announced_ = objects_;
    announced_json_ = json_;
}

void BusFace::emit_object(sd_bus* bus, const std::string& path, const BusObject& object) {
    const auto before = announced_.find(path);
    if (before == announced_.end()) {
        sd_bus_emit_object_added(bus, path.c_str());
        return;
    }
    auto names = changed_properties(before->second, object);
    if (names.empty()) return;
    names.push_back(nullptr);
    // sd-bus's prototype is older than const.
    sd_bus_emit_properties_changed_strv(bus, path.c_str(), object.interface,
                                        const_cast<char**>(names.data()));
}

}  // namespace ha::clusterd
