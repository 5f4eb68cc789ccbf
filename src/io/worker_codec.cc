#include "io/worker_codec.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "io/worker_fields.h"

namespace ha::io {
namespace {

using nlohmann::json;

template <typename T>
concept Enumeration = std::is_enum_v<T>;
template <typename T>
concept Unsigned = std::is_unsigned_v<T> && !std::is_same_v<T, bool>;

struct NameOf {
    const char* name = nullptr;
    void type(const char* text) { name = text; }
    template <typename T>
    void operator()(const char*, T&) {}
};

class Writer {
  public:
    explicit Writer(json& out) : out_(out) {}
    void type(const char* name) { out_["type"] = name; }
    template <typename T>
    void operator()(const char* name, const T& value) {
        out_[name] = put(value);
    }

  private:
    static json put(const std::string& value) { return value; }
    static json put(bool value) { return value; }
    static json put(Duration value) { return value.count(); }
    static json put(const Id128& value) { return value.text(); }
    static json put(Unsigned auto value) { return value; }
    template <typename Tag>
    static json put(Strong<Tag> value) {
        return value.value;
    }
    template <Enumeration E>
    static json put(E value) {
        for (auto [enumerator, name] : wire::EnumNames<E>::names) {
            if (enumerator == value) return name;
        }
        return nullptr;
    }
    template <typename T>
    static json put(const std::vector<T>& list) {
        json out = json::array();
        for (const auto& each : list) out.push_back(put(each));
        return out;
    }
    static json put(const api::ReplicatedPath& value) {
        json out = json::object();
        Writer writer(out);
        auto copy = value;
        wire::fields(writer, copy);
        return out;
    }

    json& out_;
};

/// Keeps the first problem only; `seen` counts fields so that a surplus one is noticed.
class Reader {
  public:
    explicit Reader(const json& in) : in_(in) {}

    void type(const char* name) { type_ = name; }
    template <typename T>
    void operator()(const char* name, T& value) {
        ++seen_;
        auto found = in_.find(name);
        if (found == in_.end()) return note(std::string("field ") + name + " is missing");
        if (!get(*found, value)) note(std::string("field ") + name + " has a wrong value");
    }
    /// Ask after all fields were read. One field more: "type".
    std::string problem() {
        if (problem_.empty() && in_.size() != seen_ + 1) note("there are unknown fields");
        return problem_.empty() ? problem_ : type_ + ": " + problem_;
    }

  private:
    void note(const std::string& text) {
        if (problem_.empty()) problem_ = text;
    }

    static bool get(const json& in, std::string& value) {
        if (!in.is_string()) return false;
        value = in.get<std::string>();
        return value.find('\0') == std::string::npos;
    }
    static bool get(const json& in, bool& value) {
        if (!in.is_boolean()) return false;
        value = in.get<bool>();
        return true;
    }
    template <Unsigned T>
    static bool get(const json& in, T& value) {
        if (!in.is_number_unsigned()) return false;
        auto number = in.get<std::uint64_t>();
        value = static_cast<T>(number);
        return number <= std::numeric_limits<T>::max();
    }
    static bool get(const json& in, Duration& value) {
        std::uint64_t count = 0;
        if (!get(in, count)) return false;
        value = Duration(static_cast<Duration::rep>(count));
        return count <= static_cast<std::uint64_t>(Duration::max().count());
    }
    template <typename Tag>
    static bool get(const json& in, Strong<Tag>& value) {
        return get(in, value.value);
    }
    static bool get(const json& in, Id128& value) {
        if (!in.is_string()) return false;
        auto parsed = Id128::parse(in.get_ref<const std::string&>());
        value = parsed.value_or(Id128{});
        return parsed.has_value();
    }
    template <Enumeration E>
    static bool get(const json& in, E& value) {
        for (auto [enumerator, name] : wire::EnumNames<E>::names) {
            if (in != name) continue;
            value = enumerator;
            return true;
        }
        return false;
    }
    template <typename T>
    static bool get(const json& in, std::vector<T>& list) {
        if (!in.is_array()) return false;
        for (const auto& each : in) {
            if (!get(each, list.emplace_back())) return false;
        }
        return true;
    }
    static bool get(const json& in, api::ReplicatedPath& value) {
        if (!in.is_object() || in.value("type", json()) != "ReplicatedPath") return false;
        Reader reader(in);
        wire::fields(reader, value);
        return reader.problem().empty();
    }

    const json& in_;
    std::string type_;
    std::size_t seen_ = 0;
    std::string problem_;
};

template <typename Variant>
Result<std::string> encode_any(Variant message) {
    json out = json::object();
    Writer writer(out);
    std::visit([&](auto& alternative) { wire::fields(writer, alternative); }, message);
    auto text = out.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > kMaxWorkerMessage) return fail("a message for a worker is over 1 MiB");
    return text;
}

template <typename Message>
bool bounded(const Message& message) {
    if constexpr (std::is_same_v<Message, api::ChangedAlone>) {
        return message.operations <= api::kMaxChangedAlone &&
               message.bytes <= api::kMaxChangedAlone;
    } else {
        return true;
    }
}

template <typename Variant, std::size_t Index = 0>
Result<Variant> decode_as(const std::string& type, const json& in) {
    if constexpr (Index == std::variant_size_v<Variant>) {
        return fail("unknown type of message \"" + type + "\"");
    } else {
        std::variant_alternative_t<Index, Variant> message;
        NameOf name;
        wire::fields(name, message);
        if (type != name.name) return decode_as<Variant, Index + 1>(type, in);
        Reader reader(in);
        wire::fields(reader, message);
        if (auto problem = reader.problem(); !problem.empty()) return fail(problem);
        if (!bounded(message)) return fail(type + " has a figure that is too great");
        return Variant(std::in_place_index<Index>, std::move(message));
    }
}

template <typename Variant>
Result<Variant> decode_any(std::string_view text) {
    if (text.size() > kMaxWorkerMessage) return fail("the message is over 1 MiB");
    json in = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!in.is_object()) return fail("the message is not a JSON object");
    auto type = in.find("type");
    if (type == in.end() || !type->is_string()) return fail("the message has no type");
    return decode_as<Variant>(type->get<std::string>(), in);
}

}  // namespace

Result<std::string> encode(const api::Order& order) {
    return encode_any(order);
}
Result<std::string> encode(const api::Fact& fact) {
    return encode_any(fact);
}
Result<api::Order> decode_order(std::string_view text) {
    return decode_any<api::Order>(text);
}
Result<api::Fact> decode_fact(std::string_view text) {
    return decode_any<api::Fact>(text);
}

}  // namespace ha::io
