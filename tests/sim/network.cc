#include "network.h"

#include <algorithm>

#include "world.h"

namespace ha::sim {

void Stream::send(Node from, Message message) {
    if (!open(from)) return;
    Pipe& pipe = pipes_[index_of(from)];
    Time due = std::max(world_.now() + world_.network.latency(), pipe.last_due + 1ns);
    pipe.last_due = due;
    pipe.messages.emplace_back(due, std::move(message));
    world_.scheduler.at(due, end_of(link_, other(from)),
                        [stream = self_.lock(), from] { stream->pump(from); });
}

void Stream::pump(Node from) {
    Pipe& pipe = pipes_[index_of(from)];
    while (!pipe.messages.empty() && pipe.messages.front().first <= world_.now()) {
        if (world_.network.blocked(link_, from)) return;
        Message message = std::move(pipe.messages.front().second);
        pipe.messages.pop_front();
        if (open(other(from))) message();
    }
}

void Stream::close(Node end) {
    if (!open(end)) return;
    send(end, [stream = self_.lock(), end] { stream->lost(other(end)); });
    open_[index_of(end)] = false;
}

void Stream::lost(Node end) {
    if (!open(end)) return;
    close(end);
    if (world_.network.stream(link_).get() == this) world_.network.on_lost(link_, end);
}

void Network::block(Link link, Node from) {
    auto index = static_cast<std::size_t>(link);
    blocked_[index][index_of(from)] = true;
    ++blocks_[index];
    if (streams_[index]) watch(streams_[index], link);
}

/// Each end gives a blocked connection up after a while of its own.
void Network::watch(const std::shared_ptr<Stream>& stream, Link link) {
    auto index = static_cast<std::size_t>(link);
    auto still = [this, index, change = blocks_[index]] { return blocks_[index] == change; };
    for (Node end : {Node::First, Node::Second}) give_up_later(stream, end, still);
}

void Network::give_up_later(const std::shared_ptr<Stream>& stream, Node end,
                            std::function<bool()> still) {
    Duration patience = world_.random.between(300ms, 2500ms);
    const Owner owner = end_of(stream->link_, end);
    world_.scheduler.after(patience, owner, [stream, end, still = std::move(still)] {
        if (still()) stream->lost(end);
    });
}

void Network::vanish(Node end) {
    for (const auto& stream : streams_) {
        if (!stream || !stream->open(end)) continue;
        stream->open_[index_of(end)] = false;
        give_up_later(stream, other(end), [] { return true; });
    }
}

void Network::block_target(Node node) {
    target_blocked_[index_of(node)] = world_.now();
}

Time Network::target_reached(Node node) const {
    return target_blocked_[index_of(node)].value_or(world_.now());
}

std::optional<Time> Network::addresses_meet() const {
    if (addresses_cut_ || addresses_unplugged_) return std::nullopt;
    return addresses_met_;
}

void Network::unblock_all() {
    target_blocked_ = {};
    if (!addresses_meet()) addresses_met_ = world_.now();
    addresses_cut_ = false;
    addresses_unplugged_.reset();
    for (Link link : {Link::Control, Link::Mirror}) {
        auto index = static_cast<std::size_t>(link);
        blocked_[index] = {};
        ++blocks_[index];
        if (!streams_[index]) continue;
        for (Node from : {Node::First, Node::Second}) {
            world_.scheduler.after(latency(), end_of(link, other(from)),
                                   [stream = streams_[index], from] { stream->pump(from); });
        }
    }
}

bool Network::any_blocked() const {
    for (const auto& link : blocked_) {
        if (link[0] || link[1]) return true;
    }
    return false;
}

void Network::datagram(Node from, const std::function<void()>& deliver) {
    if (blocked(Link::Control, from)) return;
    int& lost = lost_in_a_row_[index_of(from)];
    if (lost < 2 && world_.random.chance(world_.weather.datagram_loss)) {
        ++lost;
        return;
    }
    lost = 0;
    int copies = world_.random.chance(20) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        world_.scheduler.after(world_.random.between(100us, 60ms), owner_of(other(from)), deliver);
    }
}

void Network::connect(Link link) {
    auto index = static_cast<std::size_t>(link);
    if (blocked_[index][0] || blocked_[index][1]) return;
    const auto& old = streams_[index];
    if (old && (old->open(Node::First) || old->open(Node::Second))) return;
    auto stream = std::make_shared<Stream>(world_, link);
    stream->self_ = stream;
    streams_[index] = stream;
    on_connected(link);
}

Stream* Network::usable(Link link, Node end) const {
    const auto& current = stream(link);
    return current && current->open(end) ? current.get() : nullptr;
}

Duration Network::latency() {
    Duration usual = world_.random.between(50us, world_.weather.latency);
    return world_.random.chance(5) ? usual + world_.random.between(1ms, 400ms) : usual;
}

}  // namespace ha::sim
