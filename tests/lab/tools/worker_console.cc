// In the place of ha-clusterd for scenes that play with one worker alone.
//
//   worker-console serve               orders (io/worker_codec.h) are read from standard input, one
//                                      a line, and sent to every worker; facts are printed
//   worker-console gate MODULE UNIT... writes a gate file
//   worker-console ungate MODULE
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "io/clock.h"
#include "io/gate_file.h"
#include "io/loop.h"
#include "io/worker_codec.h"
#include "io/worker_link.h"

namespace {

using ha::io::WorkerId;

class Console {
  public:
    explicit Console(ha::io::Loop& loop)
        : loop_(loop),
          input_(loop),
          server_(loop, {.on_fact = [this](WorkerId id, const ha::api::Fact& it) { fact(id, it); },
                         .on_gone = [this](WorkerId id, const std::string&) { drop(id); }}) {}

    bool start() {
        auto listening = server_.listen();
        if (!listening) std::fprintf(stderr, "%s\n", listening.error().text.c_str());
        auto reading =
            input_.start(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { read_orders(); });
        return listening.has_value() && reading.has_value();
    }

  private:
    static void say(const std::string& text) {
        const auto now = std::chrono::duration<double>(ha::io::boot_now().time_since_epoch());
        std::printf("%.4f %s\n", now.count(), text.c_str());
        std::fflush(stdout);
    }
    void fact(WorkerId id, const ha::api::Fact& it) {
        if (std::holds_alternative<ha::api::WorkerHello>(it)) workers_.push_back(id);
        say(ha::io::encode(it).value_or("too long"));
    }
    void drop(WorkerId id) {
        std::erase(workers_, id);
        say("gone");
    }
    void read_orders() {
        std::array<char, 4096> buffer{};
        const auto length = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (length <= 0) {
            loop_.stop();
            return;
        }
        text_.append(buffer.data(), static_cast<std::size_t>(length));
        for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
            give(text_.substr(0, end));
            text_.erase(0, end + 1);
        }
    }
    void give(const std::string& line) {
        auto order = ha::io::decode_order(line);
        say(order ? "order " + line : order.error().text);
        if (!order) return;
        for (auto id : workers_) server_.send(id, *order);
    }

    ha::io::Loop& loop_;
    ha::io::Watch input_;
    ha::io::WorkerServer server_;
    std::vector<WorkerId> workers_;
    std::string text_;
};

int serve() {
    ha::io::Loop loop;
    Console console(loop);
    return console.start() && loop.run() ? 0 : 1;
}

int report(const ha::Result<>& done) {
    if (!done) std::fprintf(stderr, "%s\n", done.error().text.c_str());
    return done ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 1 && words[0] == "serve") return serve();
    if (words.size() >= 2 && words[0] == "gate")
        return report(ha::io::write_gate({words[1], {words.begin() + 2, words.end()}}));
    if (words.size() == 2 && words[0] == "ungate") return report(ha::io::remove_gate(words[1]));
    std::fputs("usage: worker-console serve | gate MODULE UNIT... | ungate MODULE\n", stderr);
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
