#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/cluster/events.h"
#include "core/ports/register.h"
#include "io/loop.h"

namespace ha::clusterd {

/// Between the modules' machines and the registers of one witness: each register is read again and
/// again, so that a witness that is gone is noticed before it is needed, and what a machine asks
/// for is exchanged. Nothing is repeated here but reading. Loop's thread.
class WitnessDriver {
  public:
    struct Callbacks {
        /// What the module's register shows: when it is reached, when it changes, and as the answer
        /// to each exchange that was answered.
        std::function<void(const std::string& module, const std::optional<cluster::Registered>&)>
            shown;
        /// Once, until it is shown again; `why` is a sentence for people. Also after an exchange
        /// whose outcome is unknown.
        std::function<void(const std::string& module, const std::string& why)> lost;
        /// Makes the stamp durable, then calls `done`: nothing is shown before.
        std::function<void(const ports::RegisterStamp&, std::function<void()> done)> save;
    };
    static constexpr Duration kReadEvery = 2s;
    static constexpr Duration kRetry = 250ms;
    /// For an answer. A primary gives up before that; this bounds what is noticed late.
    static constexpr Duration kPatience = 1s;

    /// `seen`: as it was saved last.
    WitnessDriver(io::Loop& loop, std::unique_ptr<ports::Register> registers,
                  ports::RegisterStamp seen, Callbacks callbacks);

    /// Begins to read. Again: the module is told anew what is shown.
    void add(const std::string& module);
    /// Without an answer to what the module asked before: that is uncertain, and this supersedes
    /// it.
    void ask(const std::string& module, const cluster::AskWitness& order);

  private:
    struct Watched {
        explicit Watched(io::Loop& loop) : next_read(loop) {}
        std::uint64_t sent = 0;      // serial of the last request
        std::uint64_t asked = 0;     // of the last exchange
        std::uint64_t answered = 0;  // of the newest answer
        bool reached = false;
        bool told_lost = false;
        std::string why;
        std::optional<ports::RegisterValue> told;
        io::Timer next_read;
    };

    void read(const std::string& module);
    void answered(const std::string& module, std::uint64_t serial,
                  const ports::RegisterAnswer& answer);
    void show(const std::string& module, std::uint64_t serial, const ports::RegisterAnswer& answer);
    void lose(const std::string& module, const std::string& why);
    [[nodiscard]] ports::Register::Handler handler(const std::string& module, std::uint64_t serial);

    io::Loop& loop_;
    ports::RegisterStamp seen_;
    ports::RegisterStamp saved_;  // durable: as seen_, or older
    Callbacks callbacks_;
    std::map<std::string, std::unique_ptr<Watched>> watched_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<ports::Register> registers_;
};

}  // namespace ha::clusterd
