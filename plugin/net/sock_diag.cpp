#include "net/sock_diag.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cctype>
#include <cstring>
#include <system_error>
#include <thread>
#include "base/error.h"

namespace {

// TCP by the older request, which knows no family: a walk over the kernel's table for one of them passes over the other's
// sockets, and a long one that finds nothing keeps us waiting.
struct Question {
    uint16_t type;
    uint8_t protocol, family;
};
constexpr Question questions[] = {{TCPDIAG_GETSOCK, IPPROTO_TCP, AF_UNSPEC},
                                  {SOCK_DIAG_BY_FAMILY, IPPROTO_UDP, AF_INET},
                                  {SOCK_DIAG_BY_FAMILY, IPPROTO_UDP, AF_INET6}};

const char* protocol_name(uint8_t protocol) { return protocol == IPPROTO_TCP ? "TCP" : "UDP"; }

constexpr size_t longest_packet = 32768;  // the kernel makes none longer
constexpr int most_repeats = 3;

constexpr const char* needed =
    "it needs CONFIG_INET_DIAG, CONFIG_INET_TCP_DIAG and CONFIG_INET_UDP_DIAG, or the modules "
    "inet_diag, tcp_diag and udp_diag";

// The part of a struct that the kernel, which may be older or newer than our header, has sent.
template <class T>
T copy_of(const void* bytes, size_t size) {
    T all{};
    std::memcpy(&all, bytes, std::min(size, sizeof all));
    return all;
}

// A FIN has a sequence number, as a byte has, and is counted with them; so is the SYN of who connects, once it is
// acknowledged.
bool has_received_fin(TcpState state) {
    return state == TcpState::CloseWait || state == TcpState::LastAck || state == TcpState::Closing;
}
bool has_queued_fin(TcpState state) {
    return state == TcpState::FinWait1 || state == TcpState::FinWait2 || state == TcpState::LastAck ||
           state == TcpState::Closing;
}

uint64_t less(uint64_t from, uint64_t n) { return from - std::min(from, n); }

// What the kernel hands down it counts again when a queue of this host drops it, and is tried again: then the sequence
// numbers know better. (They may lag by what is being written right now, or be one ahead by the SYN.)
uint64_t bytes_sent(const tcp_info& info, TcpState state, uint64_t not_acknowledged) {
    uint64_t handed_down = less(info.tcpi_bytes_sent, info.tcpi_bytes_retrans);
    bool sent_fin = has_queued_fin(state) && !info.tcpi_notsent_bytes;
    uint64_t sequence = less(info.tcpi_bytes_acked + not_acknowledged, info.tcpi_notsent_bytes + uint64_t{sent_fin});
    return std::min(handed_down, sequence);
}

TcpCounts counts_of(const tcp_info& info, TcpState state, uint64_t not_acknowledged) {
    return {{.bytes_sent = bytes_sent(info, state, not_acknowledged),
             .bytes_received = less(info.tcpi_bytes_received, has_received_fin(state)),
             .packets_sent = info.tcpi_segs_out,
             .packets_received = info.tcpi_segs_in,
             .retransmits = info.tcpi_total_retrans},
            info.tcpi_rtt,
            info.tcpi_rttvar};
}

Address address_of(uint8_t family, const __be32 (&words)[4]) {
    return family == AF_INET ? Address::v4(words[0]) : ::address_of(words);
}

// An IPv6 socket may speak IPv4 by mapped addresses; then the end that is open is one of IPv4 too.
void settle_family(Socket& socket) {
    if (!socket.local.is_v4() && !socket.remote.is_v4()) return;
    socket.family = AF_INET;
    for (Address* end : {&socket.local, &socket.remote})
        if (*end == Address{}) *end = Address::v4(INADDR_ANY);
}

std::optional<Socket> parse_socket(const nlmsghdr* header, uint8_t protocol, uint64_t net_namespace) {
    if (mnl_nlmsg_get_payload_len(header) < sizeof(inet_diag_msg)) return {};
    auto about = copy_of<inet_diag_msg>(mnl_nlmsg_get_payload(header), sizeof(inet_diag_msg));
    if (about.idiag_family != AF_INET && about.idiag_family != AF_INET6) return {};
    Socket socket{{.net_namespace = net_namespace,
                   .local = address_of(about.idiag_family, about.id.idiag_src),
                   .remote = address_of(about.idiag_family, about.id.idiag_dst),
                   .local_port = ntohs(about.id.idiag_sport),
                   .remote_port = ntohs(about.id.idiag_dport),
                   .protocol = protocol},
                  about.idiag_family,
                  static_cast<TcpState>(about.idiag_state),
                  about.idiag_uid,
                  about.idiag_inode,
                  uint64_t{about.id.idiag_cookie[1]} << 32 | about.id.idiag_cookie[0]};
    settle_family(socket);
    if (protocol != IPPROTO_TCP || socket.state == TcpState::Listen) return socket;

    // Not libmnl's loop: that takes the padding for a part of the message, which may end before it.
    auto end = reinterpret_cast<const std::byte*>(header) + header->nlmsg_len;
    auto left = [&](const nlattr* a) { return static_cast<int>(end - reinterpret_cast<const std::byte*>(a)); };
    auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, sizeof(inet_diag_msg)));
    for (; mnl_attr_ok(attribute, left(attribute)); attribute = mnl_attr_next(attribute)) {
        size_t size = mnl_attr_get_payload_len(attribute);
        constexpr size_t least = offsetof(tcp_info, tcpi_bytes_retrans) + sizeof tcp_info::tcpi_bytes_retrans;  // 4.19
        if (mnl_attr_get_type(attribute) == INET_DIAG_INFO && size >= least)
            socket.tcp =
                counts_of(copy_of<tcp_info>(mnl_attr_get_payload(attribute), size), socket.state, about.idiag_wqueue);
    }
    return socket;
}

// Of the message that ends a list: 0, or the errno that it tells of.
int error_in(const nlmsghdr* header) {
    if (mnl_nlmsg_get_payload_len(header) < sizeof(int)) return header->nlmsg_type == NLMSG_DONE ? 0 : EBADMSG;
    int code = copy_of<int>(mnl_nlmsg_get_payload(header), sizeof(int));
    return code > 0 || code < -4095 ? EBADMSG : -code;
}

uint64_t inode_of(const std::string& path) {
    struct stat about;
    return stat(path.c_str(), &about) == 0 ? about.st_ino : 0;
}

}  // namespace

Address address_of(const uint32_t (&words)[4]) {
    Address address;
    static_assert(sizeof words == sizeof address.bytes);
    std::memcpy(address.bytes.data(), words, sizeof words);
    return address;
}

SocketAnswer parse_sockets(std::span<const std::byte> packet, uint32_t sequence, uint8_t protocol,
                           uint64_t net_namespace, const EachSocket& each) {
    SocketAnswer answer;
    int left = static_cast<int>(packet.size());
    auto* header = reinterpret_cast<const nlmsghdr*>(packet.data());
    // libmnl takes a length beyond 2 GiB for one below zero, which fits.
    auto fits = [&] { return mnl_nlmsg_ok(header, left) && header->nlmsg_len <= packet.size(); };
    for (; !answer.ended && fits(); header = mnl_nlmsg_next(header, &left)) {
        if (header->nlmsg_seq != sequence) continue;  // of an earlier walk
        answer.interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
            answer = {.ended = true, .interrupted = answer.interrupted, .error = error_in(header)};
        else if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY || header->nlmsg_type == TCPDIAG_GETSOCK)
            if (auto socket = parse_socket(header, protocol, net_namespace)) each(*socket);
    }
    return answer;
}

void SockDiag::begin(SocketStates states) { enter(other_namespaces(begin_with_own(states))); }

void SockDiag::begin(SocketStates states, const std::map<uint64_t, uint32_t>& processes) {
    uint64_t own = begin_with_own(states);
    std::vector<Namespace> namespaces;
    for (auto [inode, tgid] : processes)
        if (inode != own) namespaces.push_back({inode, fmt::format("{}/{}/ns/net", proc_, tgid)});
    enter(namespaces);
}

uint64_t SockDiag::begin_with_own(SocketStates states) {
    states_ = states;
    channels_.clear();
    question_ = 0;
    asked_ = false;
    repeated_ = 0;
    packet_.resize(longest_packet);
    uint64_t own = inode_of("/proc/self/ns/net");
    if (int code = open_channel(own)) left_out(fmt::format("list the sockets: {}: {}", std::strerror(code), needed));
    return own;
}

bool SockDiag::next(const EachSocket& each) {
    if (channels_.empty()) return false;
    if (!asked_)
        if (int code = ask()) {
            ended(code);
            return !channels_.empty();
        }
    Channel& channel = channels_.back();
    ssize_t n = mnl_socket_recvfrom(channel.socket.get(), packet_.data(), packet_.size());
    if (n < 0) {  // the kernel does not go on with a list after that, and takes no new question
        left_out(fmt::format("read the list of sockets: {}: this walk leaves some out", std::strerror(errno)));
        leave_namespace();
    } else {
        SocketAnswer answer = parse_sockets({packet_.data(), static_cast<size_t>(n)}, sequence_,
                                            questions[question_].protocol, channel.net_namespace, each);
        interrupted_ |= answer.interrupted;
        if (answer.ended) ended(answer.error);
    }
    return !channels_.empty();
}

int SockDiag::ask() {
    Question question = questions[question_];
    alignas(nlmsghdr) std::array<char, MNL_NLMSG_HDRLEN + sizeof(inet_diag_req_v2) + sizeof(inet_diag_req)> bytes{};
    nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());
    header->nlmsg_type = question.type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++sequence_;
    constexpr uint8_t info = 1 << (INET_DIAG_INFO - 1);
    if (question.type == TCPDIAG_GETSOCK) {
        auto* request = static_cast<inet_diag_req*>(mnl_nlmsg_put_extra_header(header, sizeof(inet_diag_req)));
        request->idiag_ext = info;
        request->idiag_states = states_.tcp;
    } else {
        auto* request = static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(header, sizeof(inet_diag_req_v2)));
        request->sdiag_family = question.family;
        request->sdiag_protocol = question.protocol;
        request->idiag_states = states_.udp;
    }
    if (mnl_socket_sendto(channels_.back().socket.get(), header, header->nlmsg_len) < 0) return errno;
    asked_ = true;
    interrupted_ = false;
    return 0;
}

void SockDiag::ended(int error) {
    asked_ = false;
    if (interrupted_ && !error && repeated_++ < most_repeats) return;
    if (error == ENOENT || error == EOPNOTSUPP)
        left_out(fmt::format("list the {} sockets: the kernel has no such list: {}",
                             protocol_name(questions[question_].protocol), needed));
    else if (error)
        left_out(
            fmt::format("list the {} sockets: {}", protocol_name(questions[question_].protocol), std::strerror(error)));
    repeated_ = 0;
    if (++question_ == std::size(questions)) leave_namespace();
}

void SockDiag::leave_namespace() {
    channels_.pop_back();
    question_ = 0;
    asked_ = false;
}

int SockDiag::open_channel(uint64_t net_namespace) {
    // The kernel has put a packet into the queue before we ask for it: to wait would be to wait for ever.
    mnl_socket* socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!socket) return errno;
    channels_.push_back({decltype(Channel::socket)(socket), net_namespace});
    return 0;
}

std::vector<SockDiag::Namespace> SockDiag::other_namespaces(uint64_t own) {
    std::vector<Namespace> found;
    std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(proc_.c_str()), closedir);
    if (!dir)
        left_out(fmt::format("read {}: {}: no network namespace but our own is seen", proc_, std::strerror(errno)));
    std::set<uint64_t> known{own};
    while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
        if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
        std::string path = fmt::format("{}/{}/ns/net", proc_, entry->d_name);
        if (struct stat about; stat(path.c_str(), &about) == 0) {
            if (known.insert(about.st_ino).second) found.push_back({about.st_ino, path});
        } else if (errno == EACCES || errno == EPERM)
            left_out(
                fmt::format("tell the network namespaces of some processes: {}: sockets there may be left out; it "
                            "takes CAP_SYS_PTRACE, and no security module that forbids it",
                            std::strerror(errno)));
    }
    return found;
}

// By a thread of its own, since a thread that has left its namespace may not be let in again.
void SockDiag::enter(const std::vector<Namespace>& namespaces) {
    if (namespaces.empty()) return;
    std::set<int> refused;
    auto visit = [&] {
        for (const Namespace& ns : namespaces) {
            int fd = open(ns.path.c_str(), O_RDONLY | O_CLOEXEC);
            struct stat about {};
            int code = fd < 0 || fstat(fd, &about) || setns(fd, CLONE_NEWNET) ? errno : 0;
            if (fd >= 0) close(fd);
            if (!code) code = about.st_ino == ns.inode ? open_channel(ns.inode) : ESRCH;
            if (code) refused.insert(code);
        }
    };
    try {
        std::thread(visit).join();
    } catch (const std::system_error& e) {
        refused.insert(e.code().value());
    }
    for (int code : refused)
        if (code != ENOENT && code != ESRCH)  // then the process that we knew it by has just ended
            left_out(fmt::format("enter other network namespaces: {}: sockets there are left out{}",
                                 std::strerror(code), code == EPERM ? "; it takes CAP_SYS_ADMIN" : ""));
}

// Said once: the next walk will be no better.
void SockDiag::left_out(const std::string& complaint) {
    if (said_.insert(complaint).second) log_line(Severity::Warning, complaint);
}
