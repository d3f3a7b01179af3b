// @ts-check
// What an RTCPeerConnection says about itself (W3C webrtc-stats), reduced to what a person wants to see.

/** @typedef {'host'|'srflx'|'prflx'|'relay'} CandidateType RFC 8445 section 5.1.1 */

/**
 * @typedef {object} Candidate an ICE candidate, local or remote
 * @property {string} id of the stats object; unique within one connection
 * @property {CandidateType} type
 * @property {string} protocol 'udp' or 'tcp', how the other peer reaches it
 * @property {string} address IP, mDNS name, or '' where the browser hides it
 * @property {number} port
 * @property {string} relayProtocol for a local relay candidate how the relay is reached: 'udp', 'tcp', 'tls'; else ''
 * @property {string} url the server it was learnt from, or ''
 * @property {number} priority
 * @property {boolean} mdns the address is a .local name that hides the real one
 */

/**
 * @typedef {object} Pair a candidate pair and its connectivity checks
 * @property {string} id
 * @property {Candidate|null} local
 * @property {Candidate|null} remote
 * @property {string} state 'frozen' | 'waiting' | 'in-progress' | 'failed' | 'succeeded'
 * @property {boolean} nominated
 * @property {boolean} selected
 * @property {number} requestsSent
 * @property {number} requestsReceived
 * @property {number} responsesReceived
 * @property {number|null} rtt milliseconds
 * @property {number} bytesSent
 * @property {number} bytesReceived
 */

/**
 * @typedef {object} Snapshot a connection at one moment
 * @property {number} at milliseconds, performance.now()
 * @property {Candidate[]} local
 * @property {Candidate[]} remote
 * @property {Pair[]} pairs
 * @property {Pair|null} selected
 * @property {string} ice iceConnectionState
 * @property {string} dtls state of the DTLS transport, '' before there is one
 * @property {string} sctp state of the SCTP transport, '' before there is one
 * @property {number} bytesSent over the transport, all pairs
 * @property {number} bytesReceived
 * @property {number|null} rtt milliseconds, of the selected pair
 * @property {number} sendRate bytes a second since the snapshot before, 0 without one
 * @property {number} receiveRate
 */

/**
 * Reads the statistics of a connection once.
 * @param {RTCPeerConnection} pc
 * @param {Snapshot|null} [before] the snapshot before this one of the same connection, for the rates
 * @returns {Promise<Snapshot>}
 */
export async function snapshot(pc, before = null) {
  void pc; void before;
  throw new Error('not yet');
}
