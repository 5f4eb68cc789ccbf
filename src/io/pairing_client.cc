#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "io/clock.h"
#include "io/pairing.h"
#include "io/pairing_wire.h"
#include "io/socket_address.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

struct LoadedIdentity {
    Identity identity;
    bool fresh;
};

Result<LoadedIdentity> load_or_make(const NodePaths& paths, const std::string& name) {
    auto loaded = Identity::load(paths.keys);
    if (loaded) return LoadedIdentity{*loaded, false};
    if (loaded.error().code != ENOENT) return tl::unexpected(loaded.error());
    auto made = Identity::generate(name);
    if (!made) return tl::unexpected(made.error());
    return LoadedIdentity{*made, true};
}

Result<> check_self(const config::NodeConfig& self) {
    auto problems = config::check(config::ClusterConfig{{self}, 7400});
    if (!problems.empty()) return fail(problems.front().text);
    return {};
}

/// One conversation with one address, on a loop of its own.
class Conversation {
  public:
    Conversation(Identity identity, PairingJoiner& joiner)
        : identity_(std::move(identity)), joiner_(joiner) {}

    /// `connected` tells whether trying another address makes sense.
    Result<PeerRecord> hold(const std::string& address, std::uint16_t port, bool& connected) {
        auto context = TlsContext::create(identity_);
        if (!context) return tl::unexpected(context.error());
        TlsStream::Target target;
        target.address = address;
        target.port = port;
        target.protocol = kPairingProtocol;
        stream_ = TlsStream::connect(
            loop_, *context, target,
            {[this] { begin(); }, [this](std::span<const std::byte> frame) { on_frame(frame); },
             [this](const std::string& why) { end(fail(joiner_.broken(why))); }});
        limit_.arm(boot_now() + kPairingTimeout,
                   [this] { end(fail(joiner_.broken("no answer within 10 s"))); });
        if (auto ran = loop_.run(); !ran) return tl::unexpected(ran.error());
        connected = connected_;
        return *outcome_;
    }

  private:
    void begin() {
        connected_ = true;
        auto channel = pairing::channel_of(*stream_, stream_->peer(), identity_.fingerprint());
        if (!channel) return end(tl::unexpected(channel.error()));
        auto first = joiner_.begin(*channel);
        if (!first) return end(tl::unexpected(first.error()));
        stream_->send(*first);
    }
    void on_frame(std::span<const std::byte> frame) {
        auto step = joiner_.on_frame(frame);
        if (!step.reply.empty()) stream_->send(step.reply);
        if (step.outcome) end(std::move(*step.outcome));
    }
    void end(Result<PeerRecord> outcome) {
        if (!outcome_) outcome_ = std::move(outcome);
        loop_.stop();
    }

    Loop loop_;
    Timer limit_{loop_};
    Identity identity_;
    PairingJoiner& joiner_;
    std::unique_ptr<TlsStream> stream_;
    std::optional<Result<PeerRecord>> outcome_;
    bool connected_ = false;
};

Result<InitResult> issue(const NodePaths& paths, const Identity& identity) {
    auto token = TokenStore(paths.run).issue(identity.fingerprint());
    if (!token) return tl::unexpected(token.error());
    return InitResult{token->text(), identity.fingerprint()};
}

Result<> refuse_if_paired(const NodePaths& paths) {
    auto peer = load_peer(paths.state);
    if (!peer) return tl::unexpected(peer.error());
    if (*peer) return fail("this node is already paired with " + (*peer)->name);
    return {};
}

/// A terminal that does not show what is typed, for as long as this lives.
class NoEcho {
  public:
    NoEcho() {
        tcgetattr(STDIN_FILENO, &before_);
        auto quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ~NoEcho() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

  private:
    termios before_{};
};

}  // namespace

Result<InitResult> init_cluster(const NodePaths& paths, const config::NodeConfig& self,
                                std::uint16_t control_port) {
    if (auto free = refuse_if_paired(paths); !free) return tl::unexpected(free.error());
    config::ClusterConfig cluster{{self}, control_port};
    auto problems = config::check(cluster);
    if (!problems.empty()) return fail(problems.front().text);
    auto node = load_or_make(paths, self.name);
    if (!node) return tl::unexpected(node.error());
    auto done = make_directory(paths.config, 0755);
    if (done && node->fresh) done = node->identity.save(paths.keys);
    if (done) done = write_text_durable(paths.cluster_file(), render(cluster), 0644);
    if (!done) return tl::unexpected(done.error());
    return issue(paths, node->identity);
}

Result<InitResult> new_token(const NodePaths& paths) {
    if (auto free = refuse_if_paired(paths); !free) return tl::unexpected(free.error());
    auto identity = Identity::load(paths.keys);
    if (!identity || access(paths.cluster_file().c_str(), F_OK) != 0) {
        return fail("this node is not initialised; run: hamirrorctl cluster init");
    }
    return issue(paths, *identity);
}

Result<PeerRecord> pair_with(const NodePaths& paths, const PairRequest& request) {
    if (auto good = check_self(request.self); !good) return tl::unexpected(good.error());
    auto peer = load_peer(paths.state);
    if (!peer) return tl::unexpected(peer.error());
    if (*peer && !request.token.names((*peer)->fingerprint)) {
        return fail("this node is already paired with " + (*peer)->name);
    }
    auto node = load_or_make(paths, request.self.name);
    if (!node) return tl::unexpected(node.error());
    auto addresses = resolve(request.host);
    if (!addresses) return tl::unexpected(addresses.error());
    Result<PeerRecord> outcome = fail("cannot find " + request.host);
    for (const auto& address : *addresses) {
        PairingJoiner joiner(paths, request.token, node->identity, node->fresh, request.self);
        bool connected = false;
        outcome = Conversation(node->identity, joiner).hold(address, request.port, connected);
        if (outcome || connected) return outcome;
    }
    return fail(outcome.error().text + "; ha-clusterd must be running there and TCP port " +
                std::to_string(request.port) + " open");
}

Result<std::string> read_secret_line(const std::string& prompt) {
    std::string line;
    if (isatty(STDIN_FILENO) != 0) {
        std::cerr << prompt << std::flush;
        NoEcho quiet;
        std::getline(std::cin, line);
        std::cerr << "\n";
    } else {
        std::getline(std::cin, line);
    }
    if (line.empty()) return fail("nothing was entered");
    return line;
}

}  // namespace ha::io
