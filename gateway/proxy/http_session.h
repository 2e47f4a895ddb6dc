#pragma once

#include "gateway/http/body.h"
#include "gateway/http/message.h"
#include "gateway/proxy/move_body.h"
#include "gateway/proxy/proxy.h"

#include <memory>
#include <string>

namespace gw::proxy {

/// What a client's connection keeps from one request to the next.
struct Kept {
    upstream::ConnectionPtr early;    ///< to the original destination, dialled before the first request, or null
    upstream::ConnectionPtr upstream; ///< of the exchange, or at hand for the next one of this client
    bool port_used = false;           ///< the client's port, by one of them
};

/// What the messages of one exchange need. It is lent for that time: a connection that waits has none of it, and those
/// that work find theirs grown already.
struct Messages {
    http::RequestHead request;
    http::ResponseHead response;
    std::string pinned_request;
    std::string pinned_response;
    std::string collected_request; ///< a body read for inspection, to be sent on
    std::string collected_response;
    std::string path;
    std::string host;
    std::string request_out; ///< the head as it goes to the upstream
    std::string response_out;

    /// What one large message needed is not kept.
    void free_large_memory();

    static std::unique_ptr<Messages> borrow();
    static void give_back(std::unique_ptr<Messages> lent);
};

/// One request of a client that speaks HTTP/1, and its answer. The way of it, a file each:
/// http_session.cpp  read the head, route, guard the body, choose
/// inspect.cpp       what the engine is shown, and what its verdict leads to
/// forward.cpp       upstream connection, request out, one more try
/// respond.cpp       response in, and out to the client
/// answers.cpp       what the gateway says itself
///
/// Views of the request's head point into `client_.received`, and stay valid until something is read from the client.
/// So before a body is read that is not there yet, `pin_head` moves the head to memory of its own.
class HttpSession {
public:
    enum class Next { keep, close, upgraded };

    /// All of it outlives the session.
    HttpSession(const Client& client, const Surroundings& around, Kept& kept, Live& live, Observer& observer);
    ~HttpSession();
    HttpSession(const HttpSession&) = delete;
    HttpSession& operator=(const HttpSession&) = delete;

    /// Errors: what ended the connection before its time.
    Task<Result<Next>> serve();

private:
    struct VariableTexts {
        std::string address;
        std::string port;
        std::string id;
    };

    // http_session.cpp
    Task<Result<bool>> read_head();
    void begin_exchange();
    Task<Result<Next>> serve_request();
    Task<Result<Next>> inspect_and_forward();
    Result<> understand();
    bool reads_as_another_route(const route::Request& request) const;
    bool goes_round() const;
    Task<Result<Next>> answer_shortage();
    void pin_head();
    bool body_is_here() const;
    std::string_view body_here() const;
    void finish_request_bytes();
    void report();

    // inspect.cpp
    Task<Result<int>> inspect_request();
    Task<Result<int>> inspect_response(std::string_view body);
    Task<Result<bool>> collect_for_inspection();
    waf::RequestView request_view(std::string_view body) const;
    bool response_body_is_inspected() const;
    void pin_response();

    // forward.cpp
    Task<Result<Next>> forward();
    bool has_upstream(const upstream::Target& target, bool fresh);
    Task<Result<>> dial(upstream::Target target, bool yields_its_port, bool fresh);
    void note_upstream();
    upstream::Target target_of_decision() const;
    bool yields_port(const upstream::Target& target) const;
    void encode_request();
    void encode_request_fields();
    bool replayable() const;
    bool may_try_again(const Error& error) const;
    Task<Result<>> send_collected_request();
    Task<Result<>> send_long_request();
    Task<Result<>> wait_for_continue();
    Task<Result<Next>> converse();
    Task<Result<Next>> converse_at_length();
    Task<Result<Next>> converse_both_ways();
    Task<Result<Next>> receive_answer();
    Task<Result<Next>> conclude(Result<Next> next);
    Result<Next> settled(Result<Next> next);
    std::chrono::milliseconds answer_limit() const;
    filters::Variables variables(VariableTexts& texts) const;

    // respond.cpp
    Task<Result<>> read_response_head();
    Task<Result<>> pass_interim();
    bool response_is_here() const;
    Task<Result<Next>> respond_at_once();
    Task<Result<Next>> respond();
    Task<Result<Next>> pass_upgrade();
    Task<Result<>> send_response_streaming();
    Task<Result<>> send_response_collected();
    void encode_response();
    bool asks_for_a_user() const;
    bool response_has_body() const;
    BodyForm client_form() const;
    bool client_may_keep() const;
    void settle_upstream();
    http::Limits upstream_limits() const;

    // answers.cpp
    Task<Result<Next>> answer(int status, std::string_view text, std::span<const http::Field> fields = {});
    Task<Result<Next>> answer_error(Error error);
    Task<Result<Next>> answer_refusal(int status);
    Task<Result<>> refuse_head(int status);
    bool can_keep_after_answer() const;
    bool is_last_answer() const;
    Task<void> linger();
    std::string request_id() const;

    BodySource client_body();
    BodySource upstream_body();

    const Client& client_;
    const Surroundings& around_;
    const Site& site_;
    upstream::ConnectionPtr& early_;
    upstream::ConnectionPtr& upstream_;
    bool& port_used_;
    Live& live_;
    Observer& observer_;
    std::unique_ptr<Messages> messages_ = Messages::borrow();

    http::RequestHead& head_ = messages_->request;
    std::size_t head_size_ = 0; // in client_.received; 0 once pinned
    std::string& pinned_head_ = messages_->pinned_request;
    http::BodyReader request_body_{Side::client};
    Pace pace_;
    std::string& collected_ = messages_->collected_request;
    bool body_collected_ = false;
    std::string& path_scratch_ = messages_->path;
    std::string& host_scratch_ = messages_->host;
    std::string_view path_; // normal form
    std::string_view host_;
    route::Decision decision_;
    const RoutePlan* plan_ = nullptr;
    std::unique_ptr<waf::Inspection> inspection_;

    std::string& request_out_ = messages_->request_out;
    bool request_sent_ = false;         // all of it
    bool continue_passed_ = false;      // the client was told to go on with its body
    bool waiting_for_continue_ = false; // a 100 ends this reading of a response head; another follows

    http::ResponseHead& response_ = messages_->response;
    std::size_t response_head_size_ = 0;
    std::string& pinned_response_ = messages_->pinned_response;
    http::BodyReader response_body_{Side::upstream};
    std::string& collected_response_ = messages_->collected_response;
    bool upload_begun_ = false;          // the body goes on as it comes; what is left of it may be anywhere
    bool answer_over_ = false;           // while it did: nothing more is read of the upstream
    int refused_status_ = 0;             // the engine refused the response: what to answer instead
    std::optional<Error> upload_failed_; // why the request's body did not reach the upstream
    std::string& response_out_ = messages_->response_out;
    bool response_begun_ = false;          // bytes of it went to the client
    bool client_keeps_ = false;            // the client was told that the connection stays
    std::array<http::Field, 1> own_field_; // of an answer of ours

    ExchangeRecord record_;
};

} // namespace gw::proxy
