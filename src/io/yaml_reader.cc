#include "io/yaml_reader.h"

#include <algorithm>
#include <set>

#include "base/nearest.h"
#include "core/config/values.h"

namespace ha::io {
namespace {

const char* kind_of(const YAML::Node& node) {
    if (node.IsMap()) return "a map";
    if (node.IsSequence()) return "a list";
    if (node.IsScalar()) return "a single value";
    return "nothing";
}

std::string advice(const std::string& word, const std::vector<YamlReader::Key>& keys) {
    if (word.size() > 64) return "; it is too long";
    std::vector<std::string> names;
    std::string all;
    for (const auto& key : keys) {
        all += (all.empty() ? "" : ", ") + std::string(key.name);
        names.emplace_back(key.name);
    }
    const auto meant = nearest(word, names);
    if (!meant.empty()) return "; did you mean \"" + meant + "\"?";
    return "; expected one of: " + all;
}

std::string inside(const std::string& where, const std::string& key) {
    return where.empty() ? key : where + "." + key;
}

/// RFC 3629, without overlong forms, surrogates and control characters but tab and line ends.
bool plain_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            if (lead == 0x7f || (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r')) {
                return false;
            }
            ++i;
            continue;
        }
        std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || i + more >= text.size()) return false;
        std::uint32_t code = lead & (0x3fU >> more);
        for (std::size_t k = 1; k <= more; ++k) {
            auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0) != 0x80) return false;
            code = code << 6 | (next & 0x3fU);
        }
        constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
        if (code < kLeast[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

}  // namespace

std::optional<YAML::Node> YamlReader::load(std::string_view text) {
    std::string wrong;
    if (text.size() > kMaxConfigText || !plain_utf8(text)) {
        wrong = "the file is over 1 MiB or not plain UTF-8 text";
    } else {
        try {
            auto documents = YAML::LoadAll(std::string(text));
            if (documents.size() == 1 && !documents.front().IsNull()) return documents.front();
            wrong = documents.size() > 1 ? "expected one YAML document; found several"
                                         : "the file is empty";
        } catch (const YAML::Exception& error) {
            note(error.mark, "not valid YAML: " + error.msg);
            return std::nullopt;
        }
    }
    problems_.push_back({file_, 0, 0, wrong});
    return std::nullopt;
}

void YamlReader::map(const YAML::Node& node, const std::string& where, const char* what,
                     const std::vector<Key>& keys, std::initializer_list<const char*> later) {
    if (!where.empty() || !marks_.contains(where)) marks_[where] = node.Mark();
    if (!node.IsMap()) {
        return problem(
            node, std::string("expected ") + what + " (a map of keys); found " + kind_of(node));
    }
    std::set<std::string> seen;
    for (const auto& pair : node) {
        if (!pair.first.IsScalar()) {
            problem(pair.first, std::string("a key in ") + what + " must be a word");
        } else if (!seen.insert(pair.first.Scalar()).second) {
            problem(pair.first, "key \"" + pair.first.Scalar() + "\" appears twice");
        } else {
            entry(pair.first, pair.second, where, what, keys, later);
        }
    }
    for (const auto& key : keys) {
        if (!key.required || seen.contains(key.name)) continue;
        problem(node, std::string("key \"") + key.name + "\" is missing in " + what);
    }
}

void YamlReader::entry(const YAML::Node& key, const YAML::Node& value, const std::string& where,
                       const char* what, const std::vector<Key>& keys,
                       std::initializer_list<const char*> later) {
    const std::string& name = key.Scalar();
    auto known =
        std::find_if(keys.begin(), keys.end(), [&](const Key& each) { return name == each.name; });
    if (known != keys.end()) {
        auto place = inside(where, name);
        marks_[place] = value.IsNull() ? key.Mark() : value.Mark();
        return known->read(value, place);
    }
    bool planned = std::find(later.begin(), later.end(), name) != later.end();
    problem(key, planned ? "\"" + name + "\" is not supported yet; remove it"
                         : "unknown key \"" + name + "\" in " + what + advice(name, keys));
}

void YamlReader::list(const YAML::Node& node, const std::string& where, const char* of_what,
                      const std::function<void(const YAML::Node&, const std::string&)>& read) {
    if (!node.IsSequence()) {
        return problem(node,
                       std::string("expected a list of ") + of_what + "; found " + kind_of(node));
    }
    std::size_t i = 0;
    for (const auto& each : node) {
        auto place = where + "[" + std::to_string(i++) + "]";
        marks_[place] = each.Mark();
        read(each, place);
    }
}

void YamlReader::text(const YAML::Node& node, const std::string& where, std::string& out) {
    if (node.IsScalar()) {
        out = node.Scalar();
        return;
    }
    problem(node, "expected one value for " + where + "; found " + kind_of(node));
}

void YamlReader::boolean(const YAML::Node& node, const std::string& where, bool& out) {
    std::string word;
    text(node, where, word);
    if (!node.IsScalar()) return;
    out = word == "true";
    if (word != "true" && word != "false") {
        problem(node, "expected true or false for " + where + "; found \"" + word + "\"");
    }
}

void YamlReader::port(const YAML::Node& node, const std::string& where, std::uint16_t& out) {
    std::string word;
    text(node, where, word);
    if (!node.IsScalar()) return;
    bool digits = !word.empty() && word.size() <= 5 &&
                  word.find_first_not_of("0123456789") == std::string::npos;
    int number = digits ? std::stoi(word) : 0;
    if (number < 1 || number > 65535) {
        return problem(node,
                       "expected a port (1024 to 65535) for " + where + "; found \"" + word + "\"");
    }
    out = static_cast<std::uint16_t>(number);
}

void YamlReader::duration(const YAML::Node& node, const std::string& where, Duration& out) {
    std::string word;
    text(node, where, word);
    if (!node.IsScalar()) return;
    if (auto parsed = config::parse_duration(word)) {
        out = *parsed;
        return;
    }
    problem(node, "expected a duration with its unit for " + where +
                      ", such as 100ms, 2s or 24h; found \"" + word + "\"");
}

void YamlReader::texts(const YAML::Node& node, const std::string& where, const char* of_what,
                       std::vector<std::string>& out) {
    list(node, where, of_what, [&](const YAML::Node& each, const std::string& place) {
        text(each, place, out.emplace_back());
    });
}

void YamlReader::note(const YAML::Mark& mark, const std::string& text) {
    problems_.push_back({file_, mark.line + 1, mark.column + 1, text});
}

void YamlReader::problem(const YAML::Node& node, const std::string& text) {
    note(node.Mark(), text);
}

void YamlReader::problem(const config::Problem& problem) {
    auto where = problem.where;
    while (!where.empty() && !marks_.contains(where)) {
        auto cut = where.find_last_of(".[");
        where = cut == std::string::npos ? "" : where.substr(0, cut);
    }
    auto found = marks_.find(where);
    note(found == marks_.end() ? YAML::Mark() : found->second, problem.text);
}

bool YamlReader::read_well(const std::string& where) const {
    if (!marks_.contains(where)) return false;
    return std::ranges::none_of(marks_, [&](const auto& place) {
        return place.first.starts_with(where) &&
               std::ranges::any_of(problems_, [&](const FileProblem& problem) {
                   return problem.line == place.second.line + 1 &&
                          problem.column == place.second.column + 1;
               });
    });
}

std::vector<FileProblem> YamlReader::take_problems() {
    std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return std::move(problems_);
}

}  // namespace ha::io
