#include "io/pairing_protocol.h"
#include "io/pairing_wire.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

PairingJoiner::Step give_up(std::string text) {
    PairingJoiner::Step step;
    step.outcome = Result<PeerRecord>(fail(std::move(text)));
    return step;
}

}  // namespace

Result<std::vector<std::byte>> PairingJoiner::begin(const PairingChannel& channel) {
    if (!token_.names(channel.issuer)) {
        return fail(
            "the server there is not the one that issued the token; check the address, "
            "and that nobody is in between");
    }
    issuer_ = channel.issuer;
    return pairing::propose({pairing::proof_of(token_.secret, channel), self_});
}

PairingJoiner::Step PairingJoiner::on_frame(std::span<const std::byte> frame) {
    auto type = pairing::type_of(frame);
    auto text = pairing::read_text(frame);
    if (type == pairing::Type::Refuse && text) return give_up("the other node refused: " + *text);
    if (type == pairing::Type::Offer && text && !committed_) return on_offer(std::move(*text));
    if (type == pairing::Type::Done && committed_) return on_done();
    return give_up("the other node's answer was not understood; both nodes need the same version");
}

PairingJoiner::Step PairingJoiner::on_offer(std::string text) {
    auto parsed = parse_cluster(text, "cluster.yaml of the other node");
    if (!parsed.value) return give_up(parsed.messages());
    const auto& nodes = parsed.value->nodes;
    if (nodes.size() != 2 || nodes[1].name != self_.name || nodes[1].addresses != self_.addresses) {
        return give_up(
            "the other node knows this one under another name or other addresses; give "
            "the same --name and --address as the first time");
    }
    if (fresh_) {
        if (auto saved = identity_.save(paths_.keys); !saved) return give_up(saved.error().text);
        fresh_ = false;
    }
    issuer_name_ = nodes[0].name;
    cluster_text_ = std::move(text);
    committed_ = true;
    Step step;
    step.reply = pairing::bare(pairing::Type::Commit);
    return step;
}

PairingJoiner::Step PairingJoiner::on_done() {
    PeerRecord peer{issuer_name_, issuer_};
    auto made = make_directory(paths_.config, 0755);
    if (made) made = write_text_durable(paths_.cluster_file(), cluster_text_, 0644);
    if (made) made = save_peer(peer, paths_.state);
    if (!made) return give_up(made.error().text + "; then run the same command again");
    Step step;
    step.outcome = Result<PeerRecord>(std::move(peer));
    return step;
}

std::string PairingJoiner::broken(const std::string& reason) const {
    if (!committed_) return "cannot pair: " + reason;
    return "the connection broke before the other node confirmed (" + reason +
           "); run the same command again, with the same token";
}

}  // namespace ha::io
