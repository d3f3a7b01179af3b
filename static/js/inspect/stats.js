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
 * @property {number} unanswered requests sent since the last response was seen
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
 * @property {Pair[]} gone pairs of earlier snapshots, as they were last: a browser forgets those that failed
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

/** @typedef {Record<string, any> & {id: string, type: string}} Report one object of getStats */

const GONE = 200; // pairs

/**
 * Reads the statistics of a connection once.
 * @param {Pick<RTCPeerConnection, 'getStats'> & Partial<RTCPeerConnection>} pc
 * @param {Snapshot|null} [before] the snapshot before this one of the same connection, for the rates
 * @returns {Promise<Snapshot>}
 */
export async function snapshot(pc, before = null) {
  const reports = /** @type {Report[]} */ ([]);
  (await pc.getStats()).forEach((report) => reports.push(report));
  const at = performance.now();
  const local = reports.filter((r) => r.type === 'local-candidate').map(toCandidate);
  const remote = reports.filter((r) => r.type === 'remote-candidate').map(toCandidate);
  const transport = reports.find((r) => r.type === 'transport');
  const pairs = reports.filter((r) => r.type === 'candidate-pair').map((r) => toPair(r, transport, local, remote));
  if (before) for (const pair of pairs) pair.unanswered = unanswered(pair, before.pairs.find((b) => b.id === pair.id));
  const gone = before ? [...before.gone, ...before.pairs.filter((b) => !pairs.some((pair) => pair.id === b.id))].slice(-GONE) : [];
  const selected = pairs.find((pair) => pair.selected) ?? null;
  const bytesSent = transport?.bytesSent ?? sum(pairs, 'bytesSent');
  const bytesReceived = transport?.bytesReceived ?? sum(pairs, 'bytesReceived');
  const seconds = before ? (at - before.at) / 1000 : 0;
  return {
    at, local, remote, pairs, gone, selected,
    ice: pc.iceConnectionState ?? '',
    dtls: transport?.dtlsState ?? pc.sctp?.transport?.state ?? '',
    sctp: pc.sctp?.state ?? '',
    bytesSent, bytesReceived,
    rtt: selected?.rtt ?? null,
    sendRate: before && seconds > 0 ? Math.max(0, bytesSent - before.bytesSent) / seconds : 0,
    receiveRate: before && seconds > 0 ? Math.max(0, bytesReceived - before.bytesReceived) / seconds : 0,
  };
}

/** @param {Report} r @returns {Candidate} */
function toCandidate(r) {
  const address = r.address ?? r.ip ?? '';
  return {
    id: r.id,
    type: r.candidateType ?? 'host',
    protocol: (r.protocol ?? '').toLowerCase(),
    address,
    port: r.port ?? 0,
    relayProtocol: r.relayProtocol ?? '',
    url: r.url ?? '',
    priority: r.priority ?? 0,
    mdns: address.endsWith('.local'),
  };
}

/**
 * @param {Report} r
 * @param {Report|undefined} transport
 * @param {Candidate[]} local
 * @param {Candidate[]} remote
 * @returns {Pair}
 */
function toPair(r, transport, local, remote) {
  return {
    id: r.id,
    local: local.find((c) => c.id === r.localCandidateId) ?? null,
    remote: remote.find((c) => c.id === r.remoteCandidateId) ?? null,
    state: r.state ?? '',
    nominated: r.nominated === true,
    // Where there is no transport report the pair tells it (Firefox).
    selected: transport?.selectedCandidatePairId ? transport.selectedCandidatePairId === r.id : r.selected === true,
    requestsSent: r.requestsSent ?? 0,
    requestsReceived: r.requestsReceived ?? 0,
    responsesReceived: r.responsesReceived ?? 0,
    unanswered: r.responsesReceived > 0 ? 0 : r.requestsSent ?? 0,
    rtt: typeof r.currentRoundTripTime === 'number' ? r.currentRoundTripTime * 1000 : null,
    bytesSent: r.bytesSent ?? 0,
    bytesReceived: r.bytesReceived ?? 0,
  };
}

/** @param {Pair} pair @param {Pair|undefined} before the same pair in the snapshot before */
function unanswered(pair, before) {
  if (!before || pair.responsesReceived > before.responsesReceived) return pair.unanswered;
  return before.unanswered + pair.requestsSent - before.requestsSent;
}

/** @param {Pair[]} pairs @param {'bytesSent'|'bytesReceived'} field */
function sum(pairs, field) { return pairs.reduce((total, pair) => total + pair[field], 0); }

/**
 * A candidate as a person reads it: 'srflx 203.0.113.7:5000 udp'.
 * @param {{type: string, address: string, port: number, protocol: string, relayProtocol?: string}|null} candidate
 */
export function describeCandidate(candidate) {
  if (!candidate) return 'unknown';
  const { type, address, port, protocol, relayProtocol } = candidate;
  const host = address.includes(':') ? `[${address}]` : address || 'hidden';
  return `${type} ${host}:${port} ${protocol}${relayProtocol ? ` by ${relayProtocol}` : ''}`;
}
