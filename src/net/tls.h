// What: TLS between parties: the server's SSL_CTX, the client's set-up, and the check of the peer's certificate.
// Terms: pinned = known by its exact leaf fingerprint; cause = one line for the operator that says why not.
// Invariants: TLS 1.3 only, both sides present certificates; no session tickets, no session cache, no 0-RTT, no key
//             log, so that nothing recorded can be decrypted later (forward secrecy is what destruction rests on);
//             a certificate counts only if its fingerprint is pinned, its dates and key usage fit and, where a
//             ca_file is set, it also chains to it and (crl_file) its authority has not revoked it. Host names play
//             no part.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "net/certificate.h"

namespace pgmpc {

// fingerprint -> party
using PinnedPeers = std::map<std::string, std::string>;

using TrustStore = std::shared_ptr<X509_STORE>;
// Empty ca_file: no store. With a crl_file every certificate must be absent from a valid list of its issuer.
// Error(configuration) names the file.
TrustStore load_trust_store(const std::string& ca_file, const std::string& crl_file);

// What the check of one handshake found; lives as long as the handshake.
struct PeerCheck {
  std::string party;  // set when accepted
  std::string cause;  // set when refused
};

enum class PeerRole { client, server };

// Empty when the certificate is good now; otherwise the cause, beginning with "certificate".
std::string certificate_problem(X509* certificate, PeerRole role, std::time_t now);

// Everything a server context needs; shared with the handshakes that use it.
class TlsServer {
 public:
  TlsServer(std::shared_ptr<const Identity> identity, TrustStore trust);
  void set_peers(PinnedPeers peers) { peers_ = std::move(peers); }
  const PinnedPeers& peers() const noexcept { return peers_; }
  // A server-side SSL whose outcome is written to `check`, which must outlive it.
  OpenSslPtr<SSL> accept(int fd, PeerCheck& check);
  // Why the client of an accepted connection would be refused now (dates, authority, revocation); empty: it would not.
  std::string problem_of(SSL* ssl) const;

 private:
  static int verify(X509_STORE_CTX* store, void* self);

  OpenSslPtr<SSL_CTX> context_;
  TrustStore trust_;
  PinnedPeers peers_;
};

// What a client expects of one peer; must outlive the contexts that it prepared.
struct TlsClientPin {
  std::shared_ptr<const Identity> identity;
  TrustStore trust;
  std::string party, fingerprint;
  std::string next_fingerprint;  // the certificate that the peer is about to change to; may be empty
  std::string cause;             // of the latest refused handshake, empty after an accepted one
};
// Error(configuration): this node's own certificate cannot be used now.
void prepare_client_context(SSL_CTX* context, TlsClientPin& pin);

}  // namespace pgmpc
