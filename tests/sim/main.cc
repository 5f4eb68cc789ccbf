// Runs seeds of the simulator: `sim --seeds 1..2000`, or one of them again: `sim --seed 7 --trace`.

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "boot_table.h"
#include "matrix.h"
#include "world.h"

namespace {

using namespace ha::sim;

struct Options {
    std::vector<std::uint64_t> seeds;
    std::uint64_t events = 2000;
    bool trace = false;
    bool keep_going = false;
    std::size_t lines = 60;
    Mutant mutant = Mutant::None;
    Witnesses witnesses = Witnesses::None;
    bool disks_put_back = false;
    std::string (*play)(bool&) = nullptr;  // a table instead of seeds
};

// For the handler of SIGABRT: HA_ASSERT ends the process, and the seed must be known even then.
std::uint64_t running_seed = 0;
bool hunting_mutant = false;
const Trace* running_trace = nullptr;

void print(const Trace& trace) {
    for (const auto& line : trace.lines()) std::printf("%s\n", line.c_str());
}

extern "C" void aborted(int) {
    if (running_trace != nullptr) print(*running_trace);
    std::printf("seed %llu: FAILED assertion%s\n", static_cast<unsigned long long>(running_seed),
                hunting_mutant ? " (mutant caught)" : "");
    std::fflush(stdout);
    std::_Exit(hunting_mutant ? 0 : 1);
}

bool run_seed(const Options& options, std::uint64_t seed, bool traced, Totals& totals) {
    running_seed = seed;
    World world(seed, options.mutant, options.witnesses, traced ? options.lines : 0);
    world.disks_put_back = options.disks_put_back;
    running_trace = traced ? &world.trace : nullptr;
    bool held = true;
    try {
        world.run(options.events);
    } catch (const Violation& violation) {
        held = false;
        if (traced) print(world.trace);
        if (traced || options.keep_going) {
            std::printf("seed %llu: FAILED at %.6f, after %llu events: %s\n",
                        static_cast<unsigned long long>(seed),
                        static_cast<double>(world.now().count()) / 1e9,
                        static_cast<unsigned long long>(world.totals.events), violation.what());
        }
    }
    if (held && options.trace) print(world.trace);
    running_trace = nullptr;
    totals.add(world.totals);
    return held;
}

void print(const Totals& t) {
    auto line = [](const char* what, std::uint64_t number) {
        std::printf("  %-18s %llu\n", what, static_cast<unsigned long long>(number));
    };
    line("seeds", t.seeds);
    line("events", t.events);
    line("simulated seconds", t.simulated_seconds);
    line("crashes", t.crashes);
    line("power losses", t.power_losses);
    line("torn writes", t.torn_writes);
    line("torn records", t.torn_records);
    line("full disks", t.full_disks);
    line("frozen disks", t.frozen_disks);
    line("writes refused", t.refused_writes);
    line("copies failed", t.copy_failures);
    line("unkillable units", t.stuck_units);
    line("hanging daemons", t.hangs);
    line("resets", t.resets);
    line("cuts", t.cuts);
    line("pauses", t.pauses);
    line("commands", t.commands);
    line("failovers", t.failovers);
    line("shrinks", t.shrinks);
    line("joins", t.joins);
    line("elections", t.elections);
    line("swaps", t.swaps);
    line("divergences", t.divergences);
    line("expired leases", t.expired_leases);
    line("disks put back", t.rollbacks);
    line("witness losses", t.witness_losses);
    line("witness changes", t.witness_changes);
    line("acknowledged", t.acknowledged);
    line("released", t.released);
}

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        std::fprintf(stderr, "not a number: %s\n", std::string(text).c_str());
        std::exit(2);
    }
    return value;
}

void add_range(Options& options, std::string_view range) {
    auto dots = range.find("..");
    std::uint64_t first = number(range.substr(0, dots));
    std::uint64_t last = dots == std::string_view::npos ? first : number(range.substr(dots + 2));
    for (std::uint64_t seed = first; seed <= last; ++seed) options.seeds.push_back(seed);
}

std::optional<Witnesses> find_witnesses(std::string_view flag) {
    if (flag == "--witness") return Witnesses::One;
    if (flag == "--ping-target") return Witnesses::PingTarget;
    if (flag == "--changing-witness") return Witnesses::Changing;
    return std::nullopt;
}

/// One seed of this kind a line, the flag of the kind (none: no witness), then what it once found.
void add_file(Options& options, const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        std::string seed;
        std::string flag;
        words >> seed >> flag;
        const auto kind = find_witnesses(flag).value_or(Witnesses::None);
        if (kind == options.witnesses) options.seeds.push_back(number(seed));
    }
}

Options parse(int argc, char** argv) {
    Options options;
    std::string file;
    for (int i = 1; i < argc; ++i) {
        std::string_view flag = argv[i];
        auto value = [&]() -> std::string_view { return i + 1 < argc ? argv[++i] : ""; };
        if (flag == "--seeds" || flag == "--seed") {
            add_range(options, value());
        } else if (flag == "--seed-file") {
            file = value();
        } else if (flag == "--events") {
            options.events = number(value());
        } else if (flag == "--trace") {
            options.trace = true;
        } else if (flag == "--lines") {
            options.lines = number(value());
        } else if (flag == "--keep-going") {
            options.keep_going = true;
        } else if (flag == "--matrix") {
            options.play = play_matrix;
        } else if (flag == "--boot") {
            options.play = play_boot;
        } else if (flag == "--disks-put-back") {
            options.disks_put_back = true;
        } else if (auto kind = find_witnesses(flag)) {
            options.witnesses = *kind;
        } else if (flag == "--mutant") {
            auto mutant = find_mutant(value());
            if (!mutant) std::exit(2);
            options.mutant = *mutant;
        } else {
            std::fprintf(stderr,
                         "usage: sim [--matrix | --boot | --seeds A..B | --seed N | --seed-file F] "
                         "[--events N] "
                         "[--witness|--changing-witness|--ping-target|--disks-put-back] [--trace] "
                         "[--lines N] [--keep-going] "
                         "[--mutant NAME]\n");
            std::exit(2);
        }
    }
    if (!file.empty()) add_file(options, file);
    return options;
}

int hunt(const Options& options) {
    Totals totals;
    for (std::uint64_t seed : options.seeds) {
        if (run_seed(options, seed, false, totals)) continue;
        run_seed(options, seed, true, totals);
        std::printf("caught by seed %llu, the %lluth tried\n",
                    static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(totals.seeds - 1));
        return 0;
    }
    std::printf("NOT CAUGHT\n");
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options = parse(argc, argv);
    std::signal(SIGABRT, aborted);
    hunting_mutant = options.mutant != Mutant::None;
    if (hunting_mutant && !options.keep_going) return hunt(options);
    if (options.play != nullptr) {
        bool good = true;
        std::fputs(options.play(good).c_str(), stdout);
        return good ? 0 : 1;
    }
    Totals totals;
    int failed = 0;
    for (std::uint64_t seed : options.seeds) {
        if (run_seed(options, seed, options.trace, totals)) continue;
        ++failed;
        if (options.keep_going) continue;
        if (!options.trace) run_seed(options, seed, true, totals);
        return 1;
    }
    print(totals);
    if (failed != 0) std::printf("%d seeds FAILED\n", failed);
    return failed == 0 ? 0 : 1;
}
