// Explores every history of a pair within small bounds: explore --policy
// witness|safe|available|ping.

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "beginning.h"
#include "search.h"

namespace {

using namespace ha::explore;

struct Options {
    Setup setup;
    std::uint64_t max_states = 2'000'000;
    std::string_view policy = "witness";
    std::string_view beginning = "pair";
    std::string_view mutant;
};

// For the handler of SIGABRT: HA_ASSERT ends the process, and the trace must be known even then.
const Search* under_way = nullptr;
bool hunted = false;

void print(const std::string& line) {
    std::printf("%s\n", line.c_str());
}

extern "C" void aborted(int) {
    std::signal(SIGABRT, SIG_DFL);
    std::printf("%s: an assertion\n", hunted ? "caught" : "FAILED");
    if (under_way != nullptr) {
        const Search* search = under_way;
        under_way = nullptr;
        std::signal(SIGABRT, [](int) { std::_Exit(hunted ? 0 : 1); });
        search->replay(search->trying(), print);
    }
    std::_Exit(1);
}

struct Number {
    const char* name;
    unsigned Bounds::*bound;
};
constexpr Number kNumbers[] = {
    {"--writes", &Bounds::writes},       {"--fsyncs", &Bounds::fsyncs},
    {"--decisions", &Bounds::decisions}, {"--crashes", &Bounds::crashes},
    {"--breaks", &Bounds::breaks},       {"--losses", &Bounds::losses},
    {"--commands", &Bounds::commands},   {"--stalls", &Bounds::stalls},
    {"--slow", &Bounds::slow},           {"--reports", &Bounds::reports},
    {"--late", &Bounds::late},           {"--targets", &Bounds::targets},
    {"--addresses", &Bounds::addresses},
};

[[noreturn]] void usage() {
    std::printf(
        "explore [--policy witness|safe|available|ping] [--begin "
        "pair|alone|joining|ceding|unborn]\n"
        "        [--max-states N] [--mutant NAME]\n");
    for (const Number& each : kNumbers) std::printf("        [%s N]\n", each.name);
    for (const auto& [name, mutant] : kMutants) {
        std::printf("  mutant %s\n", std::string(name).c_str());
    }
    std::exit(2);
}

template <typename T>
T number(const char* text) {
    T value{};
    const std::string_view all = text == nullptr ? "" : text;
    const auto result = std::from_chars(all.data(), all.data() + all.size(), value);
    if (all.empty() || result.ptr != all.data() + all.size()) usage();
    return value;
}

void set_policy(Options& options, std::string_view name) {
    options.policy = name;
    if (name == "witness") {
        options.setup.decider = Decider::Witness;
    } else if (name == "safe") {
        options.setup.decider = Decider::Safe;
    } else if (name == "available") {
        options.setup.decider = Decider::Available;
    } else if (name == "ping") {
        options.setup.decider = Decider::Ping;
    } else {
        usage();
    }
}

void set_beginning(Options& options, std::string_view name) {
    options.beginning = name;
    if (name == "pair") {
        options.setup.bounds.beginning = Beginning::Pair;
    } else if (name == "alone") {
        options.setup.bounds.beginning = Beginning::Alone;
    } else if (name == "joining") {
        options.setup.bounds.beginning = Beginning::Joining;
    } else if (name == "ceding") {
        options.setup.bounds.beginning = Beginning::Ceding;
    } else if (name == "unborn") {
        options.setup.bounds.beginning = Beginning::Unborn;
    } else {
        usage();
    }
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
        ++i;
        if (value == nullptr) usage();
        if (word == "--policy") {
            set_policy(options, value);
        } else if (word == "--begin") {
            set_beginning(options, value);
        } else if (word == "--max-states") {
            options.max_states = number<std::uint64_t>(value);
        } else if (word == "--mutant") {
            const auto mutant = find_mutant(value);
            if (!mutant) usage();
            options.setup.mutant = *mutant;
            options.mutant = value;
        } else {
            bool known = false;
            for (const Number& each : kNumbers) {
                if (word != each.name) continue;
                options.setup.bounds.*each.bound = number<unsigned>(value);
                known = true;
            }
            if (!known) usage();
        }
    }
    return options;
}

void print_setup(const Options& options) {
    std::printf("%s, from %s", std::string(options.policy).c_str(),
                std::string(options.beginning).c_str());
    for (const Number& each : kNumbers) {
        std::printf(", %s %u", each.name + 2, options.setup.bounds.*each.bound);
    }
    std::printf("\n");
}

int explore(const Options& options) {
    print_setup(options);
    hunted = options.setup.mutant != Mutant::None;
    Search search(options.setup, beginning(options.setup));
    under_way = &search;
    std::signal(SIGABRT, aborted);
    const Search::Result result = search.run(options.max_states);
    std::printf("%llu states, %llu moves, %llu deep, %s\n",
                static_cast<unsigned long long>(result.states),
                static_cast<unsigned long long>(result.moves),
                static_cast<unsigned long long>(result.depth),
                result.complete            ? "all within the bounds"
                : result.violation.empty() ? "stopped at --max-states"
                                           : "stopped at a violation");
    if (result.violation.empty()) {
        std::printf(hunted ? "mutant %s NOT caught\n" : "no violation%s\n",
                    std::string(options.mutant).c_str());
        return hunted ? 1 : 0;
    }
    try {
        search.replay(search.trying(), print);
    } catch (const std::exception& violation) {
        std::printf("%s: %s\n", hunted ? "caught" : "FAILED", violation.what());
    }
    return hunted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    return explore(parse(argc, argv));
}
