// Implements the TLS contexts and the check of a peer's certificate in OpenSSL's callbacks.
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "base/error.h"

namespace pgmpc {

namespace {
void no_tickets_no_secrets(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_recv_max_early_data(context, 0);
  // libcurl installs a key log writer when SSLKEYLOGFILE is set in the server's environment; remove it.
  SSL_CTX_set_keylog_callback(context, nullptr);
}

// Maps the cause to the verification error whose TLS alert the other side receives.
int alert_error(const std::string& cause) {
  auto says = [&](const char* words) { return cause.find(words) != std::string::npos; };
  if (says("is not known")) return X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;  // unknown_ca
  if (says("is revoked")) return X509_V_ERR_CERT_REVOKED;
  if (says("certificate expired")) return X509_V_ERR_CERT_HAS_EXPIRED;
  if (says("key usage")) return X509_V_ERR_INVALID_PURPOSE;  // unsupported_certificate
  return X509_V_ERR_CERT_REJECTED;                           // bad_certificate
}

std::string trust_problem(X509* leaf, STACK_OF(X509) * untrusted, X509_STORE* trust, PeerRole role) {
  OpenSslPtr<X509_STORE_CTX> check(X509_STORE_CTX_new());
  if (!check || X509_STORE_CTX_init(check.get(), trust, leaf, untrusted) != 1) return "certificate cannot be checked";
  X509_STORE_CTX_set_default(check.get(), role == PeerRole::client ? "ssl_client" : "ssl_server");
  if (X509_verify_cert(check.get()) == 1) return {};
  int error = X509_STORE_CTX_get_error(check.get());
  ERR_clear_error();
  if (error == X509_V_ERR_CERT_REVOKED) return "certificate is revoked by crl_file";
  bool list = error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_CRL_HAS_EXPIRED ||
              error == X509_V_ERR_CRL_NOT_YET_VALID || error == X509_V_ERR_CRL_SIGNATURE_FAILURE;
  return std::string("certificate does not satisfy ") + (list ? "crl_file: " : "ca_file: ") +
         X509_verify_cert_error_string(error);
}

int finish(X509_STORE_CTX* store, const std::string& cause) {
  X509_STORE_CTX_set_error(store, cause.empty() ? X509_V_OK : alert_error(cause));
  return cause.empty() ? 1 : 0;
}

// Replaces the verification of a client's handshake; OpenSSL's own chain building is not used.
int verify_server(X509_STORE_CTX* store, void* data) {
  auto& pin = *static_cast<TlsClientPin*>(data);
  try {
    X509* leaf = X509_STORE_CTX_get0_cert(store);
    std::string seen = certificate_fingerprint(leaf);
    if (seen != pin.fingerprint && seen != pin.next_fingerprint) {
      pin.cause = "certificate fingerprint differs: it presents " + seen + ", this node knows " + pin.fingerprint;
      if (!pin.next_fingerprint.empty()) pin.cause += " and " + pin.next_fingerprint;
    } else {
      pin.cause = certificate_problem(leaf, PeerRole::server, std::time(nullptr));
      if (pin.cause.empty() && pin.trust)
        pin.cause = trust_problem(leaf, X509_STORE_CTX_get0_untrusted(store), pin.trust.get(), PeerRole::server);
    }
    return finish(store, pin.cause);
  } catch (...) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
}
}  // namespace

namespace {
// A socket BIO that writes with MSG_NOSIGNAL. With OpenSSL's own, a client that is gone raises SIGPIPE, which ends a
// process that does not ignore it. PostgreSQL's background workers do not.
int socket_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t written = ::send(socket_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (written < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(written);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t got = ::recv(socket_of(bio), data, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* new_socket_bio(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pg_mpc socket");
    if (fresh == nullptr) throw Error(ErrorCode::out_of_memory, "out of memory");
    BIO_meth_set_write(fresh, bio_write);
    BIO_meth_set_read(fresh, bio_read);
    BIO_meth_set_ctrl(fresh, bio_control);
    return fresh;
  }();
  BIO* bio = BIO_new(method);
  if (bio == nullptr) throw Error(ErrorCode::out_of_memory, "out of memory");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}
}  // namespace

TrustStore load_trust_store(const std::string& ca_file, const std::string& crl_file) {
  if (ca_file.empty() && !crl_file.empty())
    throw Error(ErrorCode::configuration, "a revocation list needs the authority that signed it",
                "crl_file is \"" + crl_file + "\", ca_file is empty",
                "set pg_mpc.ca_file too; peers with self-signed certificates are removed or altered instead");
  if (ca_file.empty()) return nullptr;
  TrustStore store(X509_STORE_new(), X509_STORE_free);
  if (!store || X509_STORE_load_file(store.get(), ca_file.c_str()) != 1)
    throw Error(ErrorCode::configuration, "could not load CA file \"" + ca_file + "\"", openssl_cause());
  if (crl_file.empty()) return store;
  if (X509_STORE_load_file(store.get(), crl_file.c_str()) != 1)
    throw Error(ErrorCode::configuration, "could not load CRL file \"" + crl_file + "\"", openssl_cause());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK);
  return store;
}

std::string certificate_problem(X509* certificate, PeerRole role, std::time_t now) {
  Certificate seen = describe_certificate(certificate);
  if (now > seen.not_after) return "certificate expired on " + utc_date(seen.not_after);
  if (now < seen.not_before) return "certificate is not valid before " + utc_date(seen.not_before);
  if (role == PeerRole::client && !seen.for_client) return "certificate key usage does not allow TLS clients";
  if (role == PeerRole::server && !seen.for_server) return "certificate key usage does not allow TLS servers";
  return {};
}

TlsServer::TlsServer(std::shared_ptr<const Identity> identity, TrustStore trust) : trust_(std::move(trust)) {
  context_.reset(SSL_CTX_new(TLS_server_method()));
  if (!context_) throw Error(ErrorCode::internal, "could not create a TLS context", openssl_cause());
  no_tickets_no_secrets(context_.get());
  identity->use_in(context_.get());
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context_.get(), verify, this);
  // Reads several records per call; the server handles data that is left inside OpenSSL.
  SSL_CTX_set_read_ahead(context_.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context_.get(), 64 * 1024);
}

OpenSslPtr<SSL> TlsServer::accept(int fd, PeerCheck& check) {
  OpenSslPtr<SSL> ssl(SSL_new(context_.get()));
  if (!ssl || SSL_set_app_data(ssl.get(), &check) != 1)
    throw Error(ErrorCode::out_of_memory, "could not create a TLS connection", openssl_cause());
  BIO* bio = new_socket_bio(fd);
  SSL_set_bio(ssl.get(), bio, bio);  // takes the one reference
  SSL_set_accept_state(ssl.get());
  return ssl;
}

std::string TlsServer::problem_of(SSL* ssl) const {
  OpenSslPtr<X509> leaf(SSL_get1_peer_certificate(ssl));
  if (!leaf) return "certificate is missing";
  std::string problem = certificate_problem(leaf.get(), PeerRole::client, std::time(nullptr));
  if (!problem.empty() || !trust_) return problem;
  return trust_problem(leaf.get(), SSL_get_peer_cert_chain(ssl), trust_.get(), PeerRole::client);
}

int TlsServer::verify(X509_STORE_CTX* store, void* data) {
  auto& self = *static_cast<TlsServer*>(data);
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& check = *static_cast<PeerCheck*>(SSL_get_app_data(ssl));
  try {
    X509* leaf = X509_STORE_CTX_get0_cert(store);
    std::string fingerprint = certificate_fingerprint(leaf);
    auto known = self.peers_.find(fingerprint);
    if (known == self.peers_.end()) {
      check.cause = "certificate fingerprint " + fingerprint + " is not known";
    } else {
      std::string problem = certificate_problem(leaf, PeerRole::client, std::time(nullptr));
      if (problem.empty() && self.trust_)
        problem = trust_problem(leaf, X509_STORE_CTX_get0_untrusted(store), self.trust_.get(), PeerRole::client);
      if (problem.empty())
        check.party = known->second;
      else
        check.cause = "peer " + known->second + ": " + problem;
    }
    return finish(store, check.cause);
  } catch (...) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
}

void prepare_client_context(SSL_CTX* context, TlsClientPin& pin) {
  no_tickets_no_secrets(context);
  pin.cause.clear();
  std::string problem = certificate_problem(pin.identity->x509(), PeerRole::client, std::time(nullptr));
  if (!problem.empty()) throw Error(ErrorCode::configuration, "not connected, because this node's own " + problem);
  pin.identity->use_in(context);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_server, &pin);
}

}  // namespace pgmpc
