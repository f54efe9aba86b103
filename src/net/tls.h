// Sets up TLS between parties: the server's SSL_CTX, the client's context, and the check of the peer's certificate.
//
// Terms
// A certificate is pinned when its exact leaf fingerprint is known. A cause is one line that tells the operator why a
// connection was refused.
//
// Security
// Only TLS 1.3 is used, and both sides present certificates. There are no session tickets, no session cache, no 0-RTT
// and no key log. Recorded traffic can therefore not be decrypted later; the destruction of keys relies on this forward
// secrecy. A certificate is accepted only if its fingerprint is pinned and its dates and key usage fit. Where ca_file
// is set, it must also chain to it, and with crl_file its issuer must not have revoked it. Host names play no part.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "net/certificate.h"

namespace pgmpc {

// fingerprint -> party
using PinnedPeers = std::map<std::string, std::string>;

using TrustStore = std::shared_ptr<X509_STORE>;
// Loads the authorities. Returns null when ca_file is empty. With a crl_file, every certificate must be absent from a
// valid list of its issuer. Error(configuration) names the file.
TrustStore load_trust_store(const std::string& ca_file, const std::string& crl_file);

// What the check of one handshake found; must outlive the SSL object.
struct PeerCheck {
  std::string party;  // set when accepted
  std::string cause;  // set when refused
};

enum class PeerRole { client, server };

// Returns the cause, which begins with "certificate", when the certificate cannot be used now; otherwise empty.
std::string certificate_problem(X509* certificate, PeerRole role, std::time_t now);

// Holds everything a server context needs; connections that use it share it.
class TlsServer {
 public:
  TlsServer(std::shared_ptr<const Identity> identity, TrustStore trust);
  void set_peers(PinnedPeers peers) { peers_ = std::move(peers); }
  const PinnedPeers& peers() const noexcept { return peers_; }
  // Returns a server-side SSL for the socket. Its outcome is written to `check`, which must outlive it.
  OpenSslPtr<SSL> accept(int fd, PeerCheck& check);
  // Why the client of an accepted connection would be refused now (dates, authority, revocation); otherwise empty.
  std::string problem_of(SSL* ssl) const;

 private:
  static int verify(X509_STORE_CTX* store, void* self);

  OpenSslPtr<SSL_CTX> context_;
  TrustStore trust_;
  PinnedPeers peers_;
};

// What a client expects of one peer; must outlive the contexts that were prepared with it.
struct TlsClientPin {
  std::shared_ptr<const Identity> identity;
  TrustStore trust;
  std::string party, fingerprint;
  std::string next_fingerprint;  // the certificate that the peer is about to change to; may be empty
  std::string cause;             // of the latest refused handshake; empty after an accepted one
};
// Prepares a client's context. Error(configuration) when this node's own certificate cannot be used now.
void prepare_client_context(SSL_CTX* context, TlsClientPin& pin);

}  // namespace pgmpc
