#include "io/pairing_protocol.h"
#include "io/pairing_wire.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

PairingIssuer::Step refuse(const std::string& text) {
    PairingIssuer::Step step;
    step.reply = pairing::with_text(pairing::Type::Refuse, text);
    step.end = true;
    step.refused = text;
    return step;
}

constexpr const char* kAgain = "run `hamirrorctl cluster token` on the node that issued it";

}  // namespace

PairingIssuer::Step PairingIssuer::on_frame(std::span<const std::byte> frame) {
    auto type = pairing::type_of(frame);
    if (type == pairing::Type::Propose && cluster_text_.empty()) return on_propose(frame);
    if (type == pairing::Type::Commit && frame.size() == 1 && !cluster_text_.empty()) {
        return on_commit();
    }
    return refuse("the pairing message was not understood; both nodes need the same version");
}

PairingIssuer::Step PairingIssuer::on_propose(std::span<const std::byte> frame) {
    auto message = pairing::read_propose(frame);
    if (!message) {
        return refuse("the pairing message was not understood; both nodes need the same version");
    }
    auto peer = load_peer(paths_.state);
    if (!peer) return refuse(peer.error().text);
    again_ = *peer && (*peer)->fingerprint == channel_.joiner;
    if (*peer && !again_) return refuse("this node is already paired with " + (*peer)->name);
    if (!again_) {
        auto checked = pairing::check_token(tokens_, channel_, message->proof, kAgain);
        if (!checked) return refuse(checked.error().text);
    }
    auto text = plan(message->node);
    if (!text) return refuse(text.error().text);
    joiner_name_ = message->node.name;
    cluster_text_ = *text;
    Step step;
    step.reply = pairing::with_text(pairing::Type::Offer, cluster_text_);
    return step;
}

/// The cluster.yaml both nodes are to have.
Result<std::string> PairingIssuer::plan(config::NodeConfig joiner) {
    auto text = read_config_text(paths_.cluster_file());
    if (!text) return tl::unexpected(text.error());
    auto parsed = parse_cluster(*text, paths_.cluster_file());
    if (!parsed.value) return fail("this node's configuration is wrong: " + parsed.messages());
    auto cluster = *parsed.value;
    if (again_) return *text;
    cluster.nodes.resize(1);
    cluster.nodes.push_back(std::move(joiner));
    cluster.witness.reset();  // it knows the key of the node before
    auto problems = config::check(cluster);
    if (!problems.empty()) return fail(problems.front().text);
    return render(cluster);
}

PairingIssuer::Step PairingIssuer::on_commit() {
    Step step;
    if (!again_) {
        // Another joiner may have been first since the offer.
        auto peer = load_peer(paths_.state);
        auto token = tokens_.current();
        if (!peer || !token) return refuse("this node cannot read its own files; see its journal");
        if (*peer) return refuse("this node is already paired with " + (*peer)->name);
        if (token->state != TokenStore::State::Open)
            return refuse(pairing::sorry(token->state, kAgain));
        if (auto recorded = record(); !recorded) return refuse(recorded.error().text);
        step.paired = PeerRecord{joiner_name_, channel_.joiner};
    }
    step.reply = pairing::bare(pairing::Type::Done);
    step.end = true;
    return step;
}

/// The token first, so that it can never be used twice; the peer last: it makes the pair.
Result<> PairingIssuer::record() {
    if (auto used = tokens_.use_up(); !used) return used;
    auto written = write_text_durable(paths_.cluster_file(), cluster_text_, 0644);
    if (!written) return written;
    return save_peer({joiner_name_, channel_.joiner}, paths_.state);
}

}  // namespace ha::io
