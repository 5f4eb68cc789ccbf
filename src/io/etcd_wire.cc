#include "io/etcd_wire.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

namespace ha::io {
namespace {

using nlohmann::json;
using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

constexpr std::string_view kStoreFormat = "hamirror-register ";
constexpr const char* kWhole = "hamirror-register 1";
constexpr std::string_view kBehind = "hamirror-register 1 behind ";
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kMaxErrorText = 200;

// ---- base64, as the gateway writes all bytes

std::string base64(const std::string& bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::optional<std::string> from_base64(const std::string& text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) return std::nullopt;
    // It counts the padding as bytes.
    for (auto c = text.rbegin(); c != text.rend() && c < text.rbegin() + 2 && *c == '='; ++c) {
        out.pop_back();
    }
    return out;
}

// ---- requests

json range(const std::string& key) {
    return {{"request_range", {{"key", base64(key)}}}};
}
json put(const std::string& key, const std::string& value) {
    return {{"request_put", {{"key", base64(key)}, {"value", base64(value)}}}};
}
json compare_value(const std::string& key, const char* result, const std::string& value) {
    return {
        {"target", "VALUE"}, {"result", result}, {"key", base64(key)}, {"value", base64(value)}};
}
json compare_version(const std::string& key, const char* result, std::uint64_t version) {
    return {{"target", "VERSION"},
            {"result", result},
            {"key", base64(key)},
            {"version", std::to_string(version)}};
}
json is_absent(const std::string& key) {
    return {
        {"target", "CREATE"}, {"result", "EQUAL"}, {"key", base64(key)}, {"create_revision", "0"}};
}

std::string transaction(json compare, json puts, const EtcdStore& store,
                        const std::string& module) {
    const json shown = {range(store.own_key()), range(store.module_key(module))};
    json success = std::move(puts);
    success.insert(success.end(), shown.begin(), shown.end());
    return json{
        {"compare", std::move(compare)}, {"success", std::move(success)}, {"failure", shown}}
        .dump();
}

std::string stored(const ports::RegisterValue& value) {
    std::string out = value.id.text() + '\n';
    for (std::byte each : value.content) out.push_back(static_cast<char>(each));
    return out;
}

std::optional<ports::RegisterValue> from_stored(const std::string& bytes) {
    if (bytes.size() <= kIdDigits || bytes[kIdDigits] != '\n' ||
        bytes.size() > kIdDigits + 1 + ports::kMaxRegisterContent) {
        return std::nullopt;
    }
    auto id = Id128::parse(std::string_view(bytes).substr(0, kIdDigits));
    if (!id || id->none()) return std::nullopt;
    ports::RegisterValue value{*id, {}};
    for (char each : bytes.substr(kIdDigits + 1)) {
        value.content.push_back(static_cast<std::byte>(each));
    }
    return value;
}

/// Versions are int64.
std::uint64_t bounded(std::uint64_t counter) {
    return std::min<std::uint64_t>(counter, std::numeric_limits<std::int64_t>::max() - 1);
}

// ---- answers

const json* member(const json& object, const char* name) {
    if (!object.is_object()) return nullptr;
    auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

std::optional<std::string> bytes_of(const json& object, const char* name) {
    const json* text = member(object, name);
    if (text == nullptr) return "";  // the gateway leaves out what is empty
    if (!text->is_string()) return std::nullopt;
    return from_base64(text->get_ref<const std::string&>());
}

std::optional<std::uint64_t> number_of(const json& object, const char* name) {
    const json* text = member(object, name);
    if (text == nullptr || !text->is_string()) return std::nullopt;
    const auto& digits = text->get_ref<const std::string&>();
    std::uint64_t out = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return out;
}

/// One key of the two, or that it is absent. False: no answer to that question.
bool take_range(const json& shown, const std::string& key, std::optional<EtcdView::Value>& into) {
    const json* found = member(shown, "kvs");
    if (found == nullptr) return true;
    if (!found->is_array() || found->size() > 1) return false;
    if (found->empty()) return true;
    const json& kv = found->front();
    auto value = bytes_of(kv, "value");
    auto version = number_of(kv, "version");
    if (bytes_of(kv, "key") != key || !value || !version || *version == 0) return false;
    into = {std::move(*value), *version};
    return true;
}

RegisterAnswer answer(RegisterOutcome outcome, const ports::RegisterStamp& stamp,
                      std::optional<ports::RegisterValue> current) {
    RegisterAnswer out;
    out.outcome = outcome;
    out.stamp = stamp;
    out.current = std::move(current);
    return out;
}

RegisterAnswer refused(RegisterRefusal why, const ports::RegisterStamp& stamp, std::string text) {
    auto out = answer(RegisterOutcome::Refused, stamp, std::nullopt);
    out.refusal = why;
    out.text = std::move(text);
    return out;
}

std::optional<RegisterAnswer> trouble_of(const EtcdView::Value& own, const EtcdStore& store,
                                         const ports::RegisterStamp& stamp) {
    if (own.bytes == kWhole) return std::nullopt;
    if (own.bytes.starts_with(kBehind)) {
        return refused(RegisterRefusal::Behind, stamp,
                       "the store in etcd is older than a node has seen it (" +
                           own.bytes.substr(kBehind.size()) +
                           " exchanges): it was restored from a backup; set the witness up anew");
    }
    const std::string_view rest =
        std::string_view(own.bytes).substr(std::min(own.bytes.size(), kStoreFormat.size()));
    if (own.bytes.starts_with(kStoreFormat) && !rest.empty() && rest[0] >= '2' && rest[0] <= '9') {
        return refused(RegisterRefusal::Version, stamp,
                       "the store in etcd was written by a newer version of this program");
    }
    return refused(RegisterRefusal::Damaged, stamp,
                   "etcd's key " + store.own_key() + " holds what this program never wrote");
}

RegisterAnswer exchange_answer(const ports::RegisterExchange& wanted,
                               const ports::RegisterStamp& stamp,
                               std::optional<ports::RegisterValue> current) {
    if (current == wanted.value) return answer(RegisterOutcome::Won, stamp, std::move(current));
    if (current && current->id == wanted.value.id) {
        return refused(RegisterRefusal::Conflict, stamp,
                       "the register has this decision with another content");
    }
    return answer(RegisterOutcome::Lost, stamp, std::move(current));
}

}  // namespace

std::string EtcdStore::own_key() const {
    return prefix + "/" + id.text() + "/store";
}
std::string EtcdStore::module_key(const std::string& module) const {
    return prefix + "/" + id.text() + "/modules/" + module;
}

std::string etcd_read(const EtcdStore& store, const std::string& module) {
    return transaction(json::array(), json::array(), store, module);
}

std::string etcd_exchange(const EtcdStore& store, const std::string& module, std::uint64_t seen,
                          const ports::RegisterExchange& wanted) {
    const std::string own = store.own_key();
    const std::string key = store.module_key(module);
    json compare = {compare_value(own, "EQUAL", kWhole),
                    compare_version(own, "GREATER", bounded(seen))};
    if (wanted.expected.none()) {
        compare.push_back(is_absent(key));
    } else {
        // That the value begins with the id and LF: etcd compares like memcmp, and only what begins
        // so is between the bare id and the id with what follows LF. Nobody has to know the
        // content.
        const std::string id = wanted.expected.text();
        compare.push_back(compare_value(key, "GREATER", id));
        compare.push_back(compare_value(key, "LESS", id + static_cast<char>('\n' + 1)));
    }
    return transaction(std::move(compare), {put(own, kWhole), put(key, stored(wanted.value))},
                       store, module);
}

std::string etcd_mark_behind(const EtcdStore& store, const std::string& module,
                             std::uint64_t seen) {
    const std::string own = store.own_key();
    return transaction(
        {compare_value(own, "EQUAL", kWhole), compare_version(own, "LESS", bounded(seen) + 1)},
        {put(own, std::string(kBehind) + std::to_string(seen))}, store, module);
}

std::string etcd_set_up(const EtcdStore& store) {
    const std::string own = store.own_key();
    return transaction({is_absent(own)}, {put(own, kWhole)}, store, "");
}

std::string etcd_authenticate(const std::string& user, const std::string& password) {
    return json{{"name", user}, {"password", password}}.dump(-1, ' ', false,
                                                             json::error_handler_t::replace);
}

Result<EtcdView> decode_etcd_view(const std::string& body, const EtcdStore& store,
                                  const std::string& module) {
    const json parsed = json::parse(body, nullptr, false);
    const json* header = member(parsed, "header");
    const json* responses = member(parsed, "responses");
    EtcdView view;
    view.cluster = header == nullptr ? 0 : number_of(*header, "cluster_id").value_or(0);
    int ranges = 0;
    bool good = view.cluster != 0 && responses != nullptr && responses->is_array();
    for (const auto& each : good ? *responses : json::array()) {
        const json* shown = member(each, "response_range");
        if (shown == nullptr) continue;
        good = good && (ranges == 0   ? take_range(*shown, store.own_key(), view.store)
                        : ranges == 1 ? take_range(*shown, store.module_key(module), view.module)
                                      : false);
        ++ranges;
    }
    if (!good || ranges != 2) return fail("the server sent what is no answer of an etcd");
    return view;
}

Result<std::string> decode_etcd_token(const std::string& body) {
    const json parsed = json::parse(body, nullptr, false);
    const json* token = member(parsed, "token");
    if (token == nullptr || !token->is_string() || token->get_ref<const std::string&>().empty()) {
        return fail("the server sent what is no answer of an etcd");
    }
    auto text = token->get<std::string>();
    // It becomes a header line.
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; })) {
        return fail("the server sent what is no token");
    }
    return text;
}

std::optional<RegisterAnswer> answer_of(const EtcdView& view, const EtcdStore& store,
                                        const ports::RegisterRequest& request, std::uint64_t seen) {
    if (!view.store) {
        return refused(RegisterRefusal::NotPaired, {},
                       "etcd has no key " + store.own_key() + ": it was wiped, or is another etcd");
    }
    const ports::RegisterStamp stamp{store.id, view.store->version - 1};
    if (auto trouble = trouble_of(*view.store, store, stamp)) return trouble;
    if (stamp.counter < bounded(seen)) return std::nullopt;
    std::optional<ports::RegisterValue> current;
    if (view.module) {
        current = from_stored(view.module->bytes);
        if (!current) {
            return refused(RegisterRefusal::Damaged, stamp,
                           "etcd's key " + store.module_key(request.module) +
                               " holds what this program never wrote");
        }
    }
    if (request.exchange) return exchange_answer(*request.exchange, stamp, std::move(current));
    return answer(RegisterOutcome::Shown, stamp, std::move(current));
}

// ---- errors

namespace {

struct Known {
    const char* words;
    EtcdFault fault;
    RegisterRefusal refusal;
};
// etcd's api/v3rpc/rpctypes/error.go. Only what is known to be refused *before or instead of* the
// transaction is here; all else (timeouts, lost leaders, servers that stop) leaves it open.
constexpr std::array<Known, 15> kKnown{{
    {"invalid auth token", EtcdFault::Token, RegisterRefusal::None},
    {"revision of auth store is old", EtcdFault::Token, RegisterRefusal::None},
    {"too many requests", EtcdFault::Later, RegisterRefusal::None},
    {"permission denied", EtcdFault::Refused, RegisterRefusal::NotPaired},
    {"authentication failed", EtcdFault::Refused, RegisterRefusal::NotPaired},
    {"authentication is not enabled", EtcdFault::Refused, RegisterRefusal::NotPaired},
    {"user name is empty", EtcdFault::Refused, RegisterRefusal::NotPaired},
    {"user name not found", EtcdFault::Refused, RegisterRefusal::NotPaired},
    {"CommonName of client", EtcdFault::Refused, RegisterRefusal::NotPaired},
    {"database space exceeded", EtcdFault::Refused, RegisterRefusal::Unwritable},
    {"corrupt cluster", EtcdFault::Refused, RegisterRefusal::Damaged},
    {"request is too large", EtcdFault::Refused, RegisterRefusal::Invalid},
    {"too many operations", EtcdFault::Refused, RegisterRefusal::Invalid},
    {"duplicate key given", EtcdFault::Refused, RegisterRefusal::Invalid},
    {"key is not provided", EtcdFault::Refused, RegisterRefusal::Invalid},
}};
constexpr int kNotFound = 404;

/// Of a server: shown to people as one line.
std::string printable(const std::string& text) {
    std::string out;
    for (char c : text.substr(0, kMaxErrorText)) out.push_back(c >= ' ' && c <= '~' ? c : ' ');
    return out;
}

}  // namespace

EtcdError decode_etcd_error(int http_status, const std::string& body) {
    const json parsed = json::parse(body, nullptr, false);
    const json* text = member(parsed, "error");  // until etcd 3.5
    if (text == nullptr) text = member(parsed, "message");
    const std::string words =
        text != nullptr && text->is_string() ? text->get<std::string>() : body;
    EtcdError out;
    out.text = "etcd says: " + printable(words) + " (" + std::to_string(http_status) + ")";
    for (const Known& known : kKnown) {
        if (words.find(known.words) == std::string::npos) continue;
        out.fault = known.fault;
        out.refusal = known.refusal;
        return out;
    }
    if (http_status == kNotFound) {
        out.fault = EtcdFault::Refused;
        out.refusal = RegisterRefusal::Version;
        out.text = "there is no etcd of version 3.4 or later with its gRPC gateway";
    }
    return out;
}

}  // namespace ha::io
