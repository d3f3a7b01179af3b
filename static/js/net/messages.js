// @ts-check
// The messages of signaling/PROTOCOL.md that the server sends, and the check that a frame is one.

/** @typedef {{mapping: string, filtering?: string}} NAT what a peer found out about its own */
/** @typedef {{id: string, name: string, kind: 'browser'|'go', order: number, nat?: NAT}} Peer */
/** @typedef {{urls: string[], username?: string, credential?: string}} ICEServer */
/** @typedef {{candidate: string, sdpMid?: string|null, sdpMLineIndex?: number|null, usernameFragment?: string|null}} WireCandidate an empty candidate says that no more will come */
/** @typedef {{type: 'offer'|'answer', sdp: string}} WireDescription */
/** @typedef {'ice-restart'|'new-session'} Want */

/** @typedef {{type: 'welcome', v: number, room: string, self: Peer, peers: Peer[], iceServers: ICEServer[], iceTTL: number, resume: string, resumed: boolean, resumeWindow: number, maxPeers: number, natServers?: string[]}} Welcome times in seconds */
/** @typedef {{type: 'signal', from: string, n?: number, session: number, description?: WireDescription, candidate?: WireCandidate, want?: Want}} Signal */
/** @typedef {{type: 'error', code: string, message: string, fatal: boolean}} SignalingError */
/** @typedef {Welcome | Signal | SignalingError
 *   | {type: 'peer-joined', peer: Peer}
 *   | {type: 'peer-state', id: string, state: 'away'|'here', nat?: NAT}
 *   | {type: 'peer-left', id: string, reason: 'bye'|'timeout'|'dropped'}
 *   | {type: 'ice-servers', iceServers: ICEServer[], iceTTL: number}
 *   | {type: 'bye', reason: string}} ServerMessage */
/** @typedef {{type: 'signal', to: string, session: number, description?: WireDescription, candidate?: WireCandidate, want?: Want}} ClientSignal */
/** @typedef {ClientSignal | {type: 'nat', nat: NAT}} ClientMessage */

/** @typedef {Record<string, any>} Json */

/** @param {any} v */
const isText = (v) => typeof v === 'string';
/** @param {any} v */
const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
/** An empty list may come as null. @param {any} v @param {(item: any) => boolean} check */
const isList = (v, check) => v === null || (Array.isArray(v) && v.every(check));
/** @param {any} v */
const isPeer = (v) => isObject(v) && isText(v.id) && v.id !== '' && isText(v.name) &&
  (v.kind === 'browser' || v.kind === 'go') && Number.isInteger(v.order);
/** @param {any} v */
const isServer = (v) => isObject(v) && Array.isArray(v.urls) && v.urls.every(isText);
/** @param {any} v */
const isServers = (v) => isList(v, isServer);
/** @param {any} v */
const isDescription = (v) => isObject(v) && (v.type === 'offer' || v.type === 'answer') && isText(v.sdp);
/** @param {any} v */
const isCandidate = (v) => isObject(v) && isText(v.candidate);

const DEPENDENCES = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent', 'not-port-dependent'];
/** One of a later version may have words that this one does not know. @param {any} v */
const isNAT = (v) => isObject(v) && [...DEPENDENCES, 'none', 'udp-blocked', 'unknown'].includes(v.mapping) &&
  (v.filtering === undefined || DEPENDENCES.includes(v.filtering));

/** @type {Record<string, (m: Json) => boolean>} */
const CHECKS = {
  welcome: (m) => isPeer(m.self) && isList(m.peers, isPeer) && isServers(m.iceServers) && isText(m.resume) &&
    (m.natServers === undefined || isList(m.natServers, isText)),
  'peer-joined': (m) => isPeer(m.peer),
  'peer-state': (m) => isText(m.id) && (m.state === 'away' || m.state === 'here'),
  'peer-left': (m) => isText(m.id),
  signal: (m) => isText(m.from) && Number.isInteger(m.session) && m.session >= 1 && (m.n === undefined || Number.isInteger(m.n)) &&
    [isDescription(m.description), isCandidate(m.candidate), m.want === 'ice-restart' || m.want === 'new-session'].filter(Boolean).length === 1,
  'ice-servers': (m) => isServers(m.iceServers),
  error: (m) => isText(m.code) && isText(m.message),
  bye: () => true,
};

/**
 * @param {unknown} data of a WebSocket message event
 * @returns {ServerMessage|null} null when it is not a message this version knows
 */
export function decode(data) {
  if (typeof data !== 'string') return null;
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return null;
  }
  if (!isObject(message) || !Object.hasOwn(CHECKS, message.type) || !CHECKS[message.type](message)) return null;
  for (const list of ['peers', 'iceServers', 'natServers']) if (message[list] === null) message[list] = [];
  for (const holder of [message, message.self, message.peer, ...(message.peers ?? [])]) if (holder && !isNAT(holder.nat)) delete holder.nat;
  return message;
}

/**
 * Who makes the first offer of a pair: signaling/PROTOCOL.md, "Who offers".
 * @param {Peer} self
 * @param {Peer} peer
 */
export function offersTo(self, peer) {
  if ((self.kind === 'browser') !== (peer.kind === 'browser')) return self.kind === 'browser';
  return self.order > peer.order;
}

/**
 * Who gives way when two offers cross. A go peer cannot roll back, so a browser always does toward one.
 * @param {Peer} self
 * @param {Peer} peer
 */
export function politeTo(self, peer) {
  return peer.kind === 'go' || self.order > peer.order;
}
